//! `envelope`: `{type, payload}` in both directions: commands, topics, sensors. English always.

use std::sync::Arc;

use serde_json::{Map, Value, from_str, json};
use telsiz::{Error, Message, Prepared, Text, Upgrade};

use self::messages::{Data, FromClient, FromServer, Topic};
use self::packet::Packet;
use self::topics::{ALL, Subscriber, Topics};
use super::{App, Mounting};
use crate::connections::Counted;
use crate::conversation::Conversation;
use crate::json::{Expected, Heard, Object, WrongField, sentence, text};
use crate::lang::{ByLang, Lang};
use crate::rate::Rate;
use crate::rules::Rules;

mod messages;
mod packet;
mod topics;

/// The app.
pub(crate) const APP: App = App {
    name: "envelope",
    pattern: "/envelope",
    about: ByLang {
        tr: "komutlar, konular ve sensörler, {type, payload} biçiminde",
        en: "commands, topics and sensors, as {type, payload}",
    },
    schema: Some(messages::schema),
    mount,
};

/// Where commands are published.
const COMMANDS: &str = "commands";

/// Where sensors are published.
const SENSORS: &str = "sensors";

fn mount(mounting: Mounting<'_>) -> Mounting<'_> {
    let rules = mounting.site.rules(Rate::DEFAULT, error_fields);
    let topics = Arc::new(Topics::counted_by(mounting.site.connections.traffic()));
    mounting.handle(move |upgrade, counted| serve(upgrade, rules.clone(), topics.clone(), counted))
}

async fn serve(
    upgrade: Upgrade,
    rules: Arc<Rules>,
    topics: Arc<Topics>,
    counted: Counted,
) -> Result<(), Error> {
    let mut conversation = Conversation::open(upgrade, rules, Lang::En, &counted).await?;
    let mut subscriber = topics.subscriber(conversation.sender());
    while let Some(message) = conversation.next_of_any_kind().await? {
        let handled = match message {
            Message::Text(text) => match conversation.hear(&text).await? {
                Some(heard) => handle(heard, &text, &mut subscriber),
                None => Ok(()),
            },
            Message::Binary(bytes) => handle_packet(&bytes, &subscriber),
        };
        if let Err(error) = handled {
            subscriber.tell(&error.to_json());
        }
        conversation.keep_pace().await?;
    }
    Ok(())
}

/// Does what a text asks for.
fn handle(
    heard: Heard<'_>,
    text: &Text,
    subscriber: &mut Subscriber,
) -> Result<(), FromServer<'static>> {
    match read(heard)? {
        FromClient::Command { action, target } => {
            let action = action
                .known()
                .ok_or_else(|| not_found("Unknown command".into()))?;
            let status = "ok";
            subscriber.tell(&FromServer::Ack { action, status }.to_json());
            let data = Data::Command {
                action,
                target: &target,
            };
            subscriber.publish(COMMANDS, &event(COMMANDS, data), None);
        }
        FromClient::Subscribe { topic, format } => {
            let topic = topic.as_ref().map_or(ALL, Topic::name);
            let answer = FromServer::Subscribed { topic }.to_json();
            let subscribed = subscriber.subscribe(topic, format.unwrap_or_default(), &answer);
            subscribed.map_err(|full| FromServer::error(full.to_string()))?;
        }
        FromClient::Unsubscribe { topic } => {
            let topic = topic.as_ref().map_or(ALL, Topic::name);
            subscriber.unsubscribe(topic);
            subscriber.tell(&FromServer::Unsubscribed { topic }.to_json());
        }
        FromClient::Sensor { .. } => {
            let sensor = Prepared::new(text.clone());
            subscriber.publish(SENSORS, &sensor, None);
        }
        FromClient::Publish { topic, data } => {
            let event = event(topic.name(), Data::Any(&data));
            subscriber.publish(topic.name(), &event, None);
        }
    }
    Ok(())
}

/// Publishes what a sensor has packed.
fn handle_packet(bytes: &[u8], subscriber: &Subscriber) -> Result<(), FromServer<'static>> {
    let packet = Packet::read(bytes).map_err(|wrong| FromServer::error(wrong.to_string()))?;
    let sensor = Prepared::new(FromServer::Sensor(packet).to_json());
    let packed = Prepared::new(bytes.to_vec());
    subscriber.publish(SENSORS, &sensor, Some(&packed));
    Ok(())
}

fn read(heard: Heard<'_>) -> Result<FromClient, FromServer<'static>> {
    let envelope = match heard {
        Heard::Object(envelope) => envelope,
        Heard::NoObject => {
            return Err(FromServer::error(
                "Invalid JSON: expected a JSON object".into(),
            ));
        }
        Heard::NoJson => return Err(FromServer::error("Invalid JSON".into())),
    };
    let kind = envelope.get("type").and_then(text);
    let kind = kind.ok_or_else(|| wrong("type", Expected::Text))?;
    if !FromClient::TYPES.contains(&&*kind) {
        return Err(not_found(format!("Unknown type: {kind}")));
    }
    let payload = match envelope.get("payload") {
        None => Object::default(),
        Some(payload) => from_str(payload).map_err(|_| wrong("payload", Expected::Object))?,
    };
    FromClient::read(&kind, &payload).map_err(|wrong| FromServer::error(sentence(&wrong, Lang::En)))
}

fn event(topic: &str, data: Data<'_>) -> Prepared {
    Prepared::new(FromServer::Event { topic, data }.to_json())
}

fn wrong(field: &'static str, expected: Expected) -> FromServer<'static> {
    FromServer::error(WrongField { field, expected }.sentence(Lang::En))
}

fn not_found(message: String) -> FromServer<'static> {
    FromServer::Error {
        code: Some(404),
        message,
    }
}

fn error_fields(text: &str) -> Map<String, Value> {
    let fields = [
        ("type", json!("error")),
        ("payload", json!({ "message": text })),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    fields.into_iter().collect()
}
