//! Whoever joins gets everything from there on, wherever its future stops and whatever waits.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use common::{House, Line, Lines, finish, join, lock, poll, publish, room, sit_down, soon, taken};
use telsiz_hub::{HubOptions, JoinError, Keep, Position, Retention, Seat, Step};

fn house() -> House {
    House::new(HubOptions::default(), Retention::default())
}

fn paused_after_one() -> House {
    let options = HubOptions {
        turn: 1,
        ..HubOptions::default()
    };
    House::new(options, Retention::default())
}

fn keeping(count: usize) -> Retention {
    Retention::of_all(Keep {
        count,
        ..Keep::default()
    })
}

#[test]
fn what_was_missed_comes_in_pages_and_what_is_new_follows() {
    let mut house = house();
    let member = house.member("ali");
    let line = Line::default();
    let start = Position {
        seq: 0,
        ..house.say("a", "1")
    };
    for number in 2..=70 {
        house.say("a", &number.to_string());
    }
    let (a, worker) = (room("a"), house.worker.clone());
    let mut join = Box::pin(worker.join(&a, &member, Some(start)));
    let Poll::Ready(Ok(joining)) = poll(&mut join) else {
        panic!("it waits");
    };
    assert!(joining.recovered());
    assert_eq!(joining.position().seq, 70);
    let _seat = soon(Box::pin(finish(joining, &line)));
    house.say("a", "71");
    house.deliver();
    let expected: Vec<_> = (1..=71).map(|number: u32| number.to_string()).collect();
    assert_eq!(taken(&line), expected.join(" "));
}

#[test]
fn positions_of_the_clients_own_making_recover_nothing() {
    let mut house = house();
    let newest = house.say("a", "1");
    for seq in [2, u64::MAX - 1, u64::MAX] {
        let member = house.member("ali");
        let line = Line::default();
        let since = Position {
            seq,
            ..newest.clone()
        };
        let (a, worker) = (room("a"), house.worker.clone());
        let mut join = Box::pin(worker.join(&a, &member, Some(since)));
        let Poll::Ready(Ok(joining)) = poll(&mut join) else {
            panic!("it waits");
        };
        assert!(!joining.recovered());
        let mut finish = Box::pin(finish(joining, &line));
        let Poll::Ready(seat) = poll(&mut finish) else {
            panic!("it waits");
        };
        house.say("a", "new");
        house.deliver();
        assert_eq!(taken(&line), "new");
        drop(seat);
    }
}

/// Joins with a gate that holds every read, and drops the future after so many of its polls.
fn dropped_after(polls: usize) -> bool {
    let mut house = house();
    let member = house.member("ali");
    let line = Line::default();
    let start = Position {
        seq: 0,
        ..house.say("a", "1")
    };
    for number in 2..=99 {
        house.say("a", &number.to_string());
    }
    house.engine.shut();
    let (a, worker) = (room("a"), house.worker.clone());
    let mut join = Box::pin(async {
        let joining = worker.join(&a, &member, Some(start)).await;
        finish(joining.expect("it joins"), &line).await
    });
    let mut seat = None;
    for _ in 0..polls {
        if let Poll::Ready(seated) = poll(&mut join) {
            seat = Some(seated);
            break;
        }
        house.say("a", "new");
        house.turn();
        house.engine.let_one_through();
    }
    drop(join);
    let is_done = seat.is_some();
    assert_eq!(house.members("a"), usize::from(is_done));
    drop(seat);
    assert_eq!(house.members("a"), 0);
    let got = taken(&line);
    house.engine.open();
    house.say("a", "after");
    house.deliver();
    assert_eq!(taken(&line), "", "it left, after {got}");
    assert_eq!(house.worker.waiting(), 0);
    is_done
}

#[test]
fn a_joining_that_is_dropped_anywhere_joins_nothing() {
    let finished = (0..30).filter(|polls| dropped_after(*polls)).count();
    assert!((1..25).contains(&finished), "{finished} of them joined");
}

#[test]
fn whoever_takes_too_long_is_told_so() {
    let house = House::new(HubOptions::default(), keeping(40));
    let member = house.member("ali");
    let start = Position {
        seq: 0,
        ..house.say("a", "1")
    };
    for number in 2..=40 {
        house.say("a", &number.to_string());
    }
    let (a, line) = (room("a"), Line::default());
    let mut join = Box::pin(house.worker.join(&a, &member, Some(start)));
    let Poll::Ready(Ok(joining)) = poll(&mut join) else {
        panic!("it waits");
    };
    let Poll::Ready(Ok(Step::Missed(joining, missed))) = poll(&mut Box::pin(joining.step(&line)))
    else {
        panic!("it misses something");
    };
    assert_eq!(missed.len(), 32);
    for _ in 0..33 {
        house.say("a", "more");
    }
    let stepped = soon(Box::pin(joining.step(&line)));
    assert_eq!(stepped.map(drop), Err(JoinError::TooSlow));
    assert_eq!(house.members("a"), 0);
}

/// The log was read before something was published, and came after that was told.
#[test]
fn what_is_told_before_the_first_log_comes_is_not_lost() {
    let mut house = house();
    let member = house.member("ali");
    let line = Line::default();
    house.say("a", "1");
    house.engine.shut();
    let worker = house.worker.clone();
    let mut join = Box::pin(join(&worker, "a", &member, &line));
    assert!(poll(&mut join).is_pending());
    house.say("a", "2");
    house.turn();
    house.turn();
    house.engine.let_one_through();
    let Poll::Ready(_seat) = poll(&mut join) else {
        panic!("it waits");
    };
    house.engine.open();
    house.deliver();
    assert_eq!(taken(&line), "2");
}

/// And so did what did not fit into the inbox then.
#[test]
fn a_room_that_is_behind_before_its_first_log_comes_is_read_again() {
    let options = HubOptions {
        inbox: 0,
        ..HubOptions::default()
    };
    let mut house = House::new(options, Retention::default());
    let member = house.member("ali");
    let line = Line::default();
    house.engine.shut();
    let worker = house.worker.clone();
    let mut join = Box::pin(join(&worker, "a", &member, &line));
    assert!(poll(&mut join).is_pending());
    house.say("a", "1");
    house.deliver();
    house.engine.let_one_through();
    let Poll::Ready(_seat) = poll(&mut join) else {
        panic!("it waits");
    };
    house.engine.open();
    house.deliver();
    assert_eq!(taken(&line), "1");
    house.say("a", "2");
    house.deliver();
    assert_eq!(taken(&line), "2");
}

#[test]
fn the_worker_is_woken_for_a_room_that_the_first_log_shows_to_be_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let house = house();
        let member = house.member("ali");
        let line = Line::default();
        let running = house.worker.clone();
        let run = tokio::spawn(async move { running.run().await });
        house.engine.shut();
        let (worker, its) = (house.worker.clone(), line.clone());
        let join = tokio::spawn(async move { join(&worker, "a", &member, &its).await });
        let idle = || async {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        };
        idle().await;
        house.say("a", "1");
        idle().await;
        house.engine.open();
        let _seat = join.await.expect("it joins");
        idle().await;
        assert_eq!(taken(&line), "1");
        run.abort();
    });
}

/// What is queued for it when it joins again comes once.
#[test]
fn joining_again_while_a_delivery_is_paused_loses_and_doubles_nothing() {
    for turns in 0..12 {
        let mut house = paused_after_one();
        let lines = [(); 3].map(|()| Line::default());
        let members = ["ali", "bora", "cem"].map(|user| house.member(user));
        let [first, second, third] = [0, 1, 2].map(|at| house.join("a", &members[at], &lines[at]));
        for number in 1..=3 {
            house.say("a", &number.to_string());
        }
        for _ in 0..turns {
            house.turn();
        }
        house.say("a", "4");
        let mut rejoin = Box::pin(async {
            let joining = second.rejoin(None).await.expect("it joins");
            finish(joining, &lines[1]).await
        });
        let seat = loop {
            if let Poll::Ready(seat) = poll(&mut rejoin) {
                break seat;
            }
            house.turn();
        };
        house.say("a", "5");
        house.deliver();
        for line in &lines {
            assert_eq!(taken(line), "1 2 3 4 5", "after {turns} turns");
        }
        assert_eq!(house.members("a"), 3);
        drop((first, seat, third));
        assert_eq!(house.members("a"), 0);
    }
}

/// Others get what it would have got, for they do not need the log for that.
#[test]
fn joining_again_further_behind_than_the_log_reaches_back_is_too_slow() {
    for (missing, is_too_slow) in [(3, false), (4, true)] {
        for since in [false, true] {
            let options = HubOptions {
                turn: 1,
                ..HubOptions::default()
            };
            let mut house = House::new(options, keeping(3));
            let lines = [(); 3].map(|()| Line::default());
            let [_first, second, _third] =
                [0, 1, 2].map(|at| house.join("a", &house.member("u"), &lines[at]));
            house.deliver();
            let start = Position {
                seq: 0,
                ..house.say("a", "1")
            };
            for number in 2..=missing {
                house.say("a", &number.to_string());
            }
            // It is the turn of the second when all are taken in.
            while lock(&lines[0]).is_empty() {
                house.turn();
            }
            let mut rejoin = Box::pin(async {
                let joining = second.rejoin(since.then_some(start)).await;
                sit_down(joining.expect("it joins"), &lines[1]).await
            });
            let mut polls = 0..1000;
            let seat = loop {
                assert!(polls.next().is_some(), "it waits");
                if let Poll::Ready(seat) = poll(&mut rejoin) {
                    break seat;
                }
                house.turn();
            };
            house.deliver();
            let expected = "1 2 3 4".split_at(2 * missing - 1).0;
            assert_eq!(taken(&lines[0]), expected);
            assert_eq!(taken(&lines[2]), expected);
            match is_too_slow {
                false => assert_eq!(taken(&lines[1]), expected),
                true => assert_eq!(taken(&lines[1]), ""),
            }
            assert_eq!(
                seat.map(drop).err(),
                is_too_slow.then_some(JoinError::TooSlow)
            );
            assert_eq!(house.members("a"), 2);
        }
    }
}

#[test]
fn members_that_leave_while_a_delivery_is_paused_take_nothing_from_others() {
    for turns in 0..6 {
        for leaver in 0..4 {
            let mut house = paused_after_one();
            let lines: Vec<_> = (0..4).map(|_| Line::default()).collect();
            let seats = lines
                .iter()
                .map(|line| house.join("a", &house.member("u"), line));
            let mut seats: Vec<_> = seats.map(Some).collect();
            house.say("a", "1");
            for _ in 0..turns {
                house.turn();
            }
            seats[leaver] = None;
            house.say("a", "2");
            house.deliver();
            for (number, line) in lines.iter().enumerate() {
                if number != leaver {
                    assert_eq!(taken(line), "1 2", "{leaver} left after {turns} turns");
                }
            }
        }
    }
}

#[test]
fn a_room_that_everybody_left_releases_what_was_queued_for_it() {
    for turns in 0..4 {
        let mut house = paused_after_one();
        let line = Line::default();
        let seats: Vec<_> = (0..3)
            .map(|_| house.join("a", &house.member("u"), &line))
            .collect();
        for number in 0..100 {
            house.say("a", &number.to_string());
        }
        for _ in 0..turns {
            house.turn();
        }
        drop(seats);
        house.deliver();
        assert_eq!(house.worker.waiting(), 0, "after {turns} turns");
        taken(&line);
        let _seat = house.join("a", &house.member("u"), &line);
        house.say("a", "new");
        house.deliver();
        assert_eq!(taken(&line), "new");
    }
}

#[test]
fn a_run_that_is_dropped_anywhere_goes_on_when_it_is_started_again() {
    for polls in 1..40 {
        let options = HubOptions {
            inbox: 600,
            turn: 1,
            ..HubOptions::default()
        };
        let mut house = House::new(options, Retention::default());
        let lines = [Line::default(), Line::default()];
        let seats = [0, 1].map(|at| house.join("a", &house.member("u"), &lines[at]));
        for number in 1..=40 {
            house.say("a", &number.to_string());
        }
        house.engine.shut();
        for _ in 0..polls {
            house.turn();
        }
        house.drop_run();
        house.engine.open();
        house.deliver();
        let expected: Vec<_> = (1..=40).map(|number: u32| number.to_string()).collect();
        for line in &lines {
            assert_eq!(
                taken(line),
                expected.join(" "),
                "dropped after {polls} polls"
            );
        }
        assert_eq!(house.worker.waiting(), 0);
        drop(seats);
    }
}

#[test]
fn members_are_told_if_the_log_cannot_be_read_or_has_no_more_what_they_missed() {
    for (keep, fails) in [(100, true), (2, false)] {
        let options = HubOptions {
            inbox: 0,
            ..HubOptions::default()
        };
        let mut house = House::new(options, keeping(keep));
        let (member, line) = (house.member("ali"), Line::default());
        let seat = house.join("a", &member, &line);
        for number in 1..=4 {
            house.say("a", &number.to_string());
        }
        house.engine.fails.store(fails, Ordering::Relaxed);
        house.deliver();
        house.engine.fails.store(false, Ordering::Relaxed);
        assert_eq!(taken(&line), "!");
        let mut rejoin = Box::pin(async {
            let joining = seat.rejoin(None).await.expect("it joins");
            finish(joining, &line).await
        });
        let Poll::Ready(_seat) = poll(&mut rejoin) else {
            panic!("it waits");
        };
        assert_eq!(taken(&line), "", "it goes on with what is new");
        house.say("a", "5");
        house.deliver();
        assert_eq!(taken(&line), "5");
    }
}

/// An inbox that two publications fill.
fn crowded(retention: Retention) -> House {
    let options = HubOptions {
        inbox: 512,
        ..HubOptions::default()
    };
    House::new(options, retention)
}

/// All but its first two publications are left out: two pages of its log.
fn behind(retention: Retention) -> (House, Line, Seat<Lines>) {
    let mut house = crowded(retention);
    let line = Line::default();
    let seat = house.join("a", &house.member("u"), &line);
    house.deliver();
    for number in 1..=40 {
        house.say("a", &number.to_string());
    }
    house.engine.shut();
    house.deliver();
    assert_eq!((taken(&line).as_str(), house.worker.waiting()), ("1 2", 0));
    (house, line, seat)
}

#[test]
fn publishers_wait_while_the_log_of_their_room_is_read() {
    let (mut house, line, _seat) = behind(keeping(38));
    let hub = house.hub.clone();
    let texts: Vec<_> = (3..=44).map(|number: u32| number.to_string()).collect();
    let waiting = texts[38..].iter();
    let mut waiting: Vec<_> = waiting
        .map(|text| Box::pin(publish(&hub, "a", text)))
        .collect();
    for _ in 0..2 {
        for publish in &mut waiting {
            assert!(poll(publish).is_pending());
        }
        assert!(poll(&mut Box::pin(publish(&hub, "b", "1"))).is_ready());
        house.engine.let_one_through();
        house.deliver();
    }
    house.engine.open();
    let mut published = 0;
    while published < waiting.len() {
        if poll(&mut waiting[published]).is_ready() {
            published += 1;
        }
        house.turn();
    }
    house.deliver();
    assert_eq!(taken(&line), texts.join(" "), "and not a gap");
}

#[test]
fn whoever_gives_up_publishing_keeps_nobody_from_it() {
    let (mut house, line, _seat) = behind(keeping(100));
    let hub = house.hub.clone();
    let mut waiting: Vec<_> = (0..100)
        .map(|_| Box::pin(publish(&hub, "a", "given up")))
        .collect();
    let mut last = Box::pin(publish(&hub, "a", "41"));
    for publish in waiting.iter_mut().chain([&mut last]) {
        assert!(poll(publish).is_pending());
    }
    house.engine.open();
    house.deliver();
    drop(waiting);
    assert!(poll(&mut last).is_ready());
    house.deliver();
    assert!(taken(&line).ends_with("39 40 41"));
}

#[test]
fn nobody_waits_for_a_room_that_is_left_or_lost_or_that_nobody_has_read_yet() {
    // Its members leave while its log is read.
    let (house, _, seat) = behind(keeping(100));
    let hub = house.hub.clone();
    let mut publishing = Box::pin(publish(&hub, "a", "41"));
    assert!(poll(&mut publishing).is_pending());
    drop(seat);
    assert!(poll(&mut publishing).is_ready());

    // Its log cannot be read, nor does anybody read it afterwards.
    let (mut house, line, _seat) = behind(keeping(100));
    let hub = house.hub.clone();
    house.engine.fails.store(true, Ordering::Relaxed);
    house.engine.open();
    for _ in 0..2 {
        house.deliver();
        let mut publishing = Box::pin(publish(&hub, "a", "more"));
        assert!(poll(&mut publishing).is_ready());
        for _ in 0..3 {
            house.say("a", "left out");
        }
    }
    assert_eq!(taken(&line), "!");

    // Its first log is still to come.
    let mut house = crowded(keeping(100));
    let (hub, member) = (house.hub.clone(), house.member("ali"));
    house.engine.shut();
    let (a, worker) = (room("a"), house.worker.clone());
    let mut join = Box::pin(worker.join(&a, &member, None));
    assert!(poll(&mut join).is_pending());
    for _ in 0..2 {
        for _ in 0..3 {
            house.say("a", "left out");
        }
        house.deliver();
        assert!(poll(&mut Box::pin(publish(&hub, "a", "more"))).is_ready());
        house.deliver();
    }
    // From then on they wait, before the worker knows of it.
    house.engine.let_one_through();
    let Poll::Ready(Ok(_joining)) = poll(&mut join) else {
        panic!("it waits");
    };
    let mut publishing = Box::pin(publish(&hub, "a", "more"));
    assert!(poll(&mut publishing).is_pending());
    house.engine.open();
    house.deliver();
    assert!(poll(&mut publishing).is_ready());
}

#[test]
fn publishers_wait_until_the_worker_keeps_up_or_is_gone() {
    let options = HubOptions {
        inbox: 1000,
        ..HubOptions::default()
    };
    for worker_ends in [false, true] {
        let mut house = House::new(options, Retention::default());
        let line = Line::default();
        let seat = house.join("a", &house.member("u"), &line);
        house.say("a", "1");
        house.say("a", "2");
        let hub = house.hub.clone();
        let mut publish = Box::pin(publish(&hub, "a", "3"));
        assert!(poll(&mut publish).is_pending());
        match worker_ends {
            false => house.deliver(),
            true => {
                drop(seat);
                let House { worker, run, .. } = house;
                drop(run);
                assert_eq!(Arc::strong_count(&worker), 1);
                drop(worker);
            }
        }
        assert!(poll(&mut publish).is_ready(), "{worker_ends}");
    }
}
