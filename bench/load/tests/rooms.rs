//! What a bad server does with the messages of a room is found out.

mod common;

use std::io::{Read, Write};
use std::time::Duration;

use load::{Cell, Crowd, Error, Fanned, Published, Waiting, Work, fanout, publish};

use common::room::{Acknowledge, Deliver, faithfully, serve, truly};
use common::{ACCEPTED, server};

const MEMBERS: usize = 3;
const MOMENT: Duration = Duration::from_millis(50);

fn fan(in_flight: usize, deliver: Deliver) -> Result<Fanned, Error> {
    let cell = Cell::of(Work::Fanout, 128, MEMBERS, in_flight);
    let target = serve(deliver, truly).into();
    let pid = std::process::id();
    fanout(&target, pid, cell, MOMENT, MOMENT, Waiting::Asleep)
}

fn store(deliver: Deliver, acknowledge: Acknowledge) -> Result<Published, Error> {
    let target = serve(deliver, acknowledge).into();
    let pid = std::process::id();
    publish(&target, pid, 4, 128, MOMENT, MOMENT, Waiting::Asleep)
}

#[test]
fn every_delivery_counts() {
    for in_flight in [1, 16] {
        let fanned = fan(in_flight, faithfully).expect("measured");
        let measured = fanned.measured;
        assert!(measured.messages >= (MEMBERS * in_flight) as u64);
        assert_eq!(measured.messages % MEMBERS as u64, 0);
        let [median, p99] = fanned.latency;
        assert!(Duration::ZERO < median && median <= p99);
    }
}

#[test]
fn a_message_that_a_member_does_not_get() {
    let error = fan(4, |member, number, text| match (member, number) {
        (2, 1) => vec![],
        _ => vec![text.into()],
    });
    assert!(
        matches!(
            error,
            Err(Error::WrongMessage {
                connection: 2,
                due: 1,
                came: Some(2)
            })
        ),
        "{error:?}"
    );
}

#[test]
fn a_message_that_a_member_gets_twice() {
    let error = fan(4, |member, number, text| match (member, number) {
        (1, 2) => vec![text.into(), text.into()],
        _ => vec![text.into()],
    });
    assert!(
        matches!(
            error,
            Err(Error::WrongMessage {
                connection: 1,
                due: 3,
                came: Some(2)
            })
        ),
        "{error:?}"
    );
}

/// Whether the next one is under way already or not.
#[test]
fn a_single_message_that_everyone_gets_twice() {
    let error = fan(1, |_, _, text| vec![text.into(), text.into()]);
    assert!(
        matches!(
            error,
            Err(Error::Surplus { .. } | Error::WrongMessage { came: Some(_), .. })
        ),
        "{error:?}"
    );
}

#[test]
fn messages_that_change_places() {
    let error = fan(2, |member, number, text| {
        let other = |number: u64| {
            let (from, to) = (format!("{:08x}", number ^ 1), format!("{number:08x}"));
            text.replace(&to, &from)
        };
        match member {
            0 => vec![other(number)],
            _ => vec![text.into()],
        }
    });
    assert!(
        matches!(
            error,
            Err(Error::WrongMessage {
                connection: 0,
                due: 0,
                came: Some(1)
            })
        ),
        "{error:?}"
    );
}

#[test]
fn a_message_with_another_text() {
    let error = fan(1, |_, _, text| vec![text.replace("fox", "fix")]);
    assert!(
        matches!(
            error,
            Err(Error::WrongMessage {
                due: 0,
                came: Some(0),
                ..
            })
        ),
        "{error:?}"
    );
}

#[test]
fn a_message_that_not_everyone_gets_in_the_same_words() {
    let error = fan(1, |member, _, text| match member {
        1 => vec![text.replace("genel", "Genel")],
        _ => vec![text.into()],
    });
    assert!(matches!(error, Err(Error::OtherWords { message: 0, .. })));
}

#[test]
fn a_message_that_nobody_sent() {
    let error = fan(1, |_, _, text| {
        vec![text.into(), r#"{"type":"chat","message":"Hi"}"#.into()]
    });
    assert!(
        matches!(
            error,
            Err(Error::Surplus { .. } | Error::WrongMessage { came: None, .. })
        ),
        "{error:?}"
    );
}

#[test]
fn a_server_that_refuses() {
    let error = fan(1, |_, _, _| {
        vec![r#"{"type":"error","message":"Rate limit exceeded"}"#.into()]
    });
    let Err(Error::Refused { reason, .. }) = error else {
        panic!("{error:?}");
    };
    assert!(reason.contains("Rate limit"));
}

#[test]
fn what_is_acknowledged_and_delivered_counts() {
    let published = store(faithfully, truly).expect("measured");
    assert!(published.messages >= 4);
    let [median, p99, longest] = published.latency;
    assert!(Duration::ZERO < median && median <= p99 && p99 <= longest);
}

#[test]
fn an_acknowledged_message_that_the_subscriber_does_not_get() {
    let error = store(
        |member, number, text| match (member, number) {
            (1, 0) => vec![],
            _ => vec![text.into()],
        },
        truly,
    );
    assert!(
        matches!(
            error,
            Err(Error::WrongMessage {
                due: 0,
                came: Some(1),
                ..
            })
        ),
        "{error:?}"
    );
}

#[test]
fn an_acknowledgement_that_nobody_waits_for() {
    for acknowledge in [
        (|id| [truly(id), truly(id)].concat()) as Acknowledge,
        |id| truly(id + 1),
        |_| vec![r#"{"type":"ok"}"#.into()],
    ] {
        let error = store(faithfully, acknowledge);
        assert!(
            matches!(error, Err(Error::WrongReceipt { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn a_ping_is_answered_and_the_reason_of_a_close_is_told() {
    let target = server(ACCEPTED, |mut stream| {
        // A masked text of less than 126 bytes, which joins.
        let mut header = [0; 2];
        stream.read_exact(&mut header).expect("a frame");
        let mut join = vec![0; 4 + usize::from(header[1] & 0x7f)];
        stream.read_exact(&mut join).expect("a join");
        stream.write_all(&[0x89, 1, 7]).expect("a ping");
        let mut pong = [0; 7];
        stream.read_exact(&mut pong).expect("a pong");
        assert_eq!((&pong[..2], pong[2] ^ pong[6]), (&[0x8a, 0x81][..], 7));
        stream
            .write_all(b"\x88\x0a\x0f\xa8Too slow")
            .expect("a close");
        let _ = stream.read(&mut [0]);
    });
    let mut crowd = Crowd::new(&target.into(), Waiting::Asleep).expect("nobody");
    let error = crowd.grow(1, |_| "genel".into());
    let Err(Error::Refused { reason, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(reason, "Too slow");
}
