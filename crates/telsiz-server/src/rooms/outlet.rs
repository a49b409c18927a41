//! From the events of rooms to the messages of connections.

use telsiz::{Batch, Io, Prepared, Sender, Transport, TrySendError};
use telsiz_hub::{Event, RoomName, Wanted};

use super::Line;
use super::line::Tongue;
use crate::close;
use crate::traffic::Traffic;

/// Whoever has more than this to read is told no more what may be lost.
const PILE: usize = 64 * 1024;

/// Brings events to the connections of a worker: rendered and encoded once for all that
/// understand the same, and written once for each connection in a turn.
///
/// What the kernel refuses waits in the write buffer of the connection. Whoever has too much
/// there loses first what may be lost, then its connection; nobody else waits.
#[derive(Debug)]
pub(crate) struct Outlet<S: Io = Transport> {
    room: Option<RoomName>,
    /// The events of the room in each tongue that was asked for.
    rendered: Vec<Rendered>,
    /// Whether there is nothing to gather.
    alone: bool,
    /// Those who have something to be written.
    gathered: Vec<Sender<S>>,
    traffic: Traffic,
}

/// Events of a room in a tongue.
#[derive(Debug)]
struct Rendered {
    tongue: Tongue,
    /// Of each event, if it is told.
    messages: Vec<Option<Prepared>>,
    /// All of them, if none may be lost: then they are sent together.
    together: Option<Batch>,
}

impl<S: Io> Outlet<S> {
    pub(crate) fn new(traffic: Traffic) -> Self {
        Self {
            room: None,
            rendered: Vec::new(),
            alone: false,
            gathered: Vec::new(),
            traffic,
        }
    }
}

impl Rendered {
    fn new(room: &RoomName, events: &[Event], tongue: Tongue) -> Self {
        let (dialect, lang) = tongue;
        let render = |event| (dialect.render)(room, event, lang).map(Prepared::new);
        let messages: Vec<_> = events.iter().map(render).collect();
        let may_be_lost = events
            .iter()
            .any(|event| matches!(event, Event::Ephemeral(_)));
        Self {
            tongue,
            together: match may_be_lost {
                true => None,
                false => messages
                    .iter()
                    .cloned()
                    .collect::<Option<_>>()
                    .map(Batch::new),
            },
            messages,
        }
    }
}

/// The events in a tongue: there since it was asked for first.
fn rendered<'a>(
    known: &'a mut Vec<Rendered>,
    room: &RoomName,
    events: &[Event],
    tongue: Tongue,
) -> &'a Rendered {
    let place = known.iter().position(|known| known.tongue == tongue);
    let place = place.unwrap_or_else(|| {
        known.push(Rendered::new(room, events, tongue));
        known.len() - 1
    });
    &known[place]
}

impl<S: Io> telsiz_hub::Outlet for Outlet<S> {
    type Line = Line<S>;

    fn begin(&mut self, room: &RoomName, _: &[Event], alone: bool) {
        self.room = Some(room.clone());
        self.rendered.clear();
        self.alone = alone;
    }

    fn deliver(&mut self, line: &Line<S>, events: &[Event], wanted: Wanted) {
        let Some(room) = &self.room else {
            return;
        };
        let sender = &line.sender;
        let rendered = rendered(&mut self.rendered, room, events, line.tongue);
        let answers = line.answers(events);
        if let Some(together) = &rendered.together
            && self.alone
            && !answers
            && wanted.is_all(events.len())
        {
            let count = together.messages().len() as u64;
            return match sender.try_send_all(together) {
                Ok(()) => self.traffic.sent(count),
                Err(error) => cut_off(sender, &error),
            };
        }
        let mut fed = 0;
        for (index, (event, message)) in events.iter().zip(&rendered.messages).enumerate() {
            let Some(message) = message else {
                continue;
            };
            let may_be_lost = matches!(event, Event::Ephemeral(_));
            if !wanted.has(index) || (may_be_lost && sender.backlog() > PILE) {
                continue;
            }
            match sender.try_feed(message) {
                Ok(()) => fed += 1,
                Err(error) => return cut_off(sender, &error),
            }
        }
        self.traffic.sent(fed);
        match self.alone {
            _ if fed == 0 => {}
            // It is written with the answer, unless that went out meanwhile.
            _ if answers && line.answers(events) => {}
            true => sender.try_flush(),
            false => self.gathered.push(sender.clone()),
        }
    }

    fn end_turn(&mut self) {
        for sender in self.gathered.drain(..) {
            sender.try_flush();
        }
    }

    fn lose(&mut self, line: &Line<S>) {
        line.sender.close(close::TOO_SLOW);
    }
}

/// Closes a connection that reads too slowly. One that is closing is left alone.
fn cut_off<S: Io>(sender: &Sender<S>, error: &TrySendError) {
    if let TrySendError::Full(_) = error {
        sender.close(close::TOO_SLOW);
    }
}
