//! What a hub counts.

mod common;

use std::time::Duration;

use common::{House, Line, publish, room, soon};
use telsiz_hub::{
    Draft, HubOptions, IdempotencyKey, Identity, PublishError, Publishing, Retention, User,
};

fn publishing(house: &House, outcome: Publishing) -> u64 {
    house.hub.figures().publishing[outcome as usize]
}

#[test]
fn publications_are_counted_by_what_became_of_them() {
    let house = House::new(HubOptions::default(), Retention::default());
    let keyed = || Draft {
        user: User::new("u", "u"),
        text: "x".into(),
        key: Some(IdempotencyKey::new("k").expect("a key")),
    };
    let (name, hub) = (room("a"), house.hub.clone());
    for _ in 0..3 {
        let appended = soon(Box::pin(hub.publish(Identity::Http, &name, keyed())));
        appended.expect("it is published");
    }
    soon(Box::pin(hub.engine().close()));
    let refused = soon(Box::pin(publish(&hub, "a", "x")));
    assert!(matches!(refused, Err(PublishError::Engine(_))));
    for (outcome, count) in [
        (Publishing::Stored, 1),
        (Publishing::Repeated, 2),
        (Publishing::Failed, 1),
        (Publishing::Busy, 0),
        (Publishing::Forbidden, 0),
    ] {
        assert_eq!(publishing(&house, outcome), count, "{outcome:?}");
    }
    let engine = house.hub.figures().engine;
    assert_eq!((engine.stored, engine.durable.counts[0]), (1, 1));
}

#[test]
fn what_waits_for_a_worker_is_known_until_it_is_delivered_and_counted_then() {
    let mut house = House::new(HubOptions::default(), Retention::default());
    let (line, member) = (Line::default(), house.member("u"));
    let _seat = house.join("a", &member, &line);
    house.deliver();
    assert_eq!(house.hub.waiting(), (0, Duration::ZERO));
    assert_eq!(
        (house.hub.figures().rooms, house.hub.figures().members),
        (1, 1)
    );
    for _ in 0..3 {
        house.say("a", "x");
    }
    let (waiting, oldest) = house.hub.waiting();
    assert!(waiting > 0 && oldest > Duration::ZERO);
    house.deliver();
    assert_eq!(house.hub.waiting(), (0, Duration::ZERO));
    let figures = house.hub.figures();
    assert_eq!(figures.delivery.counts.iter().sum::<u64>(), 3);
    assert_eq!(figures.read_again, 0);
}

#[test]
fn what_was_read_again_from_the_log_is_counted_apart() {
    let options = HubOptions {
        inbox: 1,
        ..HubOptions::default()
    };
    let mut house = House::new(options, Retention::default());
    let (line, member) = (Line::default(), house.member("u"));
    let _seat = house.join("a", &member, &line);
    house.deliver();
    for _ in 0..5 {
        house.say("a", "x");
    }
    house.deliver();
    let figures = house.hub.figures();
    assert_eq!(figures.delivery.counts.iter().sum::<u64>(), 1);
    assert_eq!(figures.read_again, 4);
}
