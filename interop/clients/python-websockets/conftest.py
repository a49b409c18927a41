"""Fixtures of the suite that drives the server with Python `websockets`."""

import asyncio

import pytest
from websockets.asyncio.client import connect


@pytest.fixture
async def open_client():
    """Opens clients: `await open_client(server, "/echo")`. They end with the test."""
    clients = []

    async def open_one(server, path="/", **options):
        # No limit and an unbounded queue: a test that leaves messages unread can still close.
        options = {"max_size": None, "max_queue": None, "close_timeout": 5, **options}
        clients.append(await connect(server.url(path), ssl=server.ssl, proxy=None, **options))
        return clients[-1]

    yield open_one
    for closed in await asyncio.gather(*(client.close() for client in clients), return_exceptions=True):
        # When the server ended the transport while the test was still sending, asyncio stumbles over its own loop.
        if isinstance(closed, BaseException) and "'call_soon'" not in str(closed):
            raise closed
