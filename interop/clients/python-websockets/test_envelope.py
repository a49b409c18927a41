"""The app `envelope`: `{type, payload}` in both directions. English always."""

import json
import struct

import pytest
from json_client import JsonClient


def envelope(kind, **payload):
    return {"type": kind, "payload": payload}


@pytest.fixture
def server(serve, tls):
    return serve(tls=tls)


@pytest.fixture
def connected(open_client, server):
    async def open_one(*topics, lang="tr"):
        client = JsonClient(await open_client(server, f"/envelope?lang={lang}"))
        for topic in topics:
            assert await client.ask(envelope("subscribe", topic=topic)) == envelope("subscribed", topic=topic)
        return client

    return open_one


def packed(temp, humidity, ts):
    return struct.pack(">ffq", temp, humidity, ts)


async def test_a_command_is_acknowledged_and_published(connected):
    listener, client = await connected("commands"), await connected()
    command = {"action": "on", "target": "lamp"}
    assert await client.ask(envelope("command", **command)) == envelope("ack", action="on", status="ok")
    assert await listener.next() == envelope("event", topic="commands", data=command)
    await client.hears_nothing()


@pytest.mark.parametrize("payload", [{"target": "lamp"}, {"action": 5, "target": "lamp"}, {}])
async def test_a_command_without_an_action_is_unknown(connected, payload):
    answer = await (await connected()).ask(envelope("command", **payload))
    assert answer == envelope("error", code=404, message="Unknown command")


async def test_what_is_published_comes_to_who_subscribed_and_to_nobody_else(connected):
    news, other, publisher = await connected("haber"), await connected("spor"), await connected()
    for data in ["Merhaba ğ", {"a": [1.5, None]}, None]:
        await publisher.send(envelope("publish", topic="haber", data=data))
        assert await news.next() == envelope("event", topic="haber", data=data)
    await publisher.hears_nothing()
    await other.hears_nothing()
    assert await news.ask(envelope("unsubscribe", topic="haber")) == envelope("unsubscribed", topic="haber")
    await publisher.send(envelope("publish", topic="haber", data=1))
    await publisher.hears_nothing()
    await news.hears_nothing()


async def test_who_publishes_gets_it_when_subscribed(connected):
    client = await connected("haber")
    assert await client.ask(envelope("publish", topic="haber", data=1)) == envelope("event", topic="haber", data=1)


@pytest.mark.parametrize("message", [{"type": "subscribe"}, {"type": "subscribe", "payload": {}}])
async def test_all_is_meant_without_a_topic_and_hears_everything_once(connected, message):
    client, publisher = await connected(), await connected()
    assert await client.ask(message) == envelope("subscribed", topic="all")
    assert await client.ask(envelope("subscribe", topic="haber")) == envelope("subscribed", topic="haber")
    for topic in ["haber", "spor"]:
        await publisher.send(envelope("publish", topic=topic, data=topic))
        assert await client.next() == envelope("event", topic=topic, data=topic)
    assert await client.ask({"type": "unsubscribe"}) == envelope("unsubscribed", topic="all")
    await publisher.send(envelope("publish", topic="spor", data=1))
    await publisher.hears_nothing()
    await client.hears_nothing()


async def test_a_sensor_comes_unchanged(connected):
    listener, sensor = await connected("sensors"), await connected()
    sent = '{"type":"sensor","payload":{"temp":21.50,"unit":"C","ts":1714557600000,"place":"mutfak"}}'
    await sensor.send(sent)
    assert await listener.raw() == sent
    await sensor.hears_nothing()


@pytest.mark.parametrize(("temp", "told"), [(21.1, 21.1), (0.1, 0.1), (-40, -40), (1 / 3, 0.33333334)])
async def test_a_packed_sensor_comes_as_json(connected, temp, told):
    listener, sensor = await connected("sensors"), await connected()
    await sensor.send(packed(temp, 45.5, -1))
    assert await listener.next() == envelope("sensor", temp=told, humidity=45.5, unit="C", ts=-1)


async def test_a_packed_sensor_comes_packed_to_who_asked_for_that(connected):
    listener, sensor = await connected("all"), await connected()
    asked = envelope("subscribe", topic="sensors", format="binary")
    assert await listener.ask(asked) == envelope("subscribed", topic="sensors")
    await sensor.send(packed(21.1, 45.5, 1_714_557_600_000))
    assert await listener.raw() == packed(21.1, 45.5, 1_714_557_600_000)
    await sensor.send(envelope("sensor", temp=1))
    assert await listener.next() == envelope("sensor", temp=1)
    await listener.hears_nothing()


@pytest.mark.parametrize("lang", ["tr", "en"])
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("no json", {"message": "Invalid JSON"}),
        (b"", {"message": "Invalid packet: expected 16 bytes"}),
        (b"\0" * 17, {"message": "Invalid packet: expected 16 bytes"}),
        ({"type": "radio"}, {"code": 404, "message": "Unknown type: radio"}),
    ],
)
async def test_what_is_wrong_is_told_and_leaves_the_connection_open(connected, wrong, error, lang):
    client = await connected(lang=lang)
    assert await client.ask(wrong) == envelope("error", **error)
    await client.hears_nothing()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({}, "type"),
        ({"type": "subscribe", "payload": 5}, "payload"),
        (envelope("subscribe", topic=""), "topic"),
        (envelope("subscribe", topic="x" * 129), "topic"),
        (envelope("subscribe", topic="t", format="xml"), "format"),
        (envelope("publish", data=1), "topic"),
        (envelope("sensor", temp="hot"), "temp"),
    ],
)
async def test_an_error_names_the_field(connected, wrong, field):
    client = await connected()
    error = await client.ask(wrong)
    assert error["type"] == "error"
    assert error["payload"]["message"].startswith(f"{field}: expected ")
    await client.hears_nothing()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
async def test_a_packet_without_a_number_is_an_error(connected, number):
    answer = await (await connected()).ask(packed(number, 0, 0))
    assert answer["type"] == "error"
    assert json.dumps(answer["payload"]["message"])
