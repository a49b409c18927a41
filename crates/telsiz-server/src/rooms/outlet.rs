//! From the events of rooms to the messages of connections.

use telsiz::{Batch, Io, Prepared, Sender, Transport, TrySendError};
use telsiz_hub::{Event, RoomName, Wanted};

use super::Line;
use super::line::Tongue;
use crate::close;
use crate::connections::Connections;
use crate::traffic::{Slow, Traffic};

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
    connections: Connections,
}

/// Events of a room in a tongue.
#[derive(Debug)]
struct Rendered {
    tongue: Tongue,
    /// Of each event, if it is told.
    messages: Vec<Option<Prepared>>,
    /// All of them, if none may be lost: then they are sent together.
    together: Option<Batch>,
    /// What all of them say.
    bytes: usize,
    traffic: Traffic,
    /// What went out and is not yet counted: messages, and bytes.
    sent: (u64, usize),
}

impl<S: Io> Outlet<S> {
    pub(crate) fn new(connections: Connections) -> Self {
        Self {
            room: None,
            rendered: Vec::new(),
            alone: false,
            gathered: Vec::new(),
            connections,
        }
    }
}

impl Rendered {
    fn new(room: &RoomName, events: &[Event], tongue: Tongue, connections: &Connections) -> Self {
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
            bytes: messages.iter().flatten().map(length).sum(),
            messages,
            traffic: connections.traffic_of(dialect.name).clone(),
            sent: (0, 0),
        }
    }

    /// Counts what went out.
    fn settle(&mut self) {
        let (messages, bytes) = std::mem::take(&mut self.sent);
        if messages > 0 {
            self.traffic.sent(messages, bytes);
        }
    }
}

fn length(message: &Prepared) -> usize {
    message.message().len()
}

/// The events in a tongue: there since it was asked for first.
fn rendered<'a>(
    known: &'a mut Vec<Rendered>,
    room: &RoomName,
    events: &[Event],
    tongue: Tongue,
    connections: &Connections,
) -> &'a mut Rendered {
    let place = known.iter().position(|known| known.tongue == tongue);
    let place = place.unwrap_or_else(|| {
        known.push(Rendered::new(room, events, tongue, connections));
        known.len() - 1
    });
    &mut known[place]
}

impl<S: Io> telsiz_hub::Outlet for Outlet<S> {
    type Line = Line<S>;

    fn begin(&mut self, room: &RoomName, _: &[Event], alone: bool) {
        self.room = Some(room.clone());
        self.rendered.iter_mut().for_each(Rendered::settle);
        self.rendered.clear();
        self.alone = alone;
    }

    fn deliver(&mut self, line: &Line<S>, events: &[Event], wanted: Wanted) {
        let Some(room) = &self.room else {
            return;
        };
        let sender = &line.sender;
        let known = &mut self.rendered;
        let rendered = rendered(known, room, events, line.tongue, &self.connections);
        let answers = line.answers(events);
        if let Some(together) = &rendered.together
            && self.alone
            && !answers
            && wanted.is_all(events.len())
        {
            let count = together.messages().len() as u64;
            return match sender.try_send_all(together) {
                Ok(()) => {
                    rendered.sent.0 += count;
                    rendered.sent.1 += rendered.bytes;
                }
                Err(error) => cut_off(sender, &error, &rendered.traffic),
            };
        }
        let (mut fed, mut bytes) = (0, 0);
        for (index, (event, message)) in events.iter().zip(&rendered.messages).enumerate() {
            let Some(message) = message else {
                continue;
            };
            let may_be_lost = matches!(event, Event::Ephemeral(_));
            if !wanted.has(index) || (may_be_lost && sender.backlog() > PILE) {
                continue;
            }
            match sender.try_feed(message) {
                Ok(()) => {
                    fed += 1;
                    bytes += length(message);
                }
                Err(error) => return cut_off(sender, &error, &rendered.traffic),
            }
        }
        rendered.sent.0 += fed;
        rendered.sent.1 += bytes;
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
        self.rendered.iter_mut().for_each(Rendered::settle);
    }

    fn lose(&mut self, line: &Line<S>) {
        let (dialect, _) = line.tongue;
        self.connections.traffic_of(dialect.name).slow(Slow::Missed);
        line.sender.close(close::TOO_SLOW);
    }
}

/// Closes a connection that reads too slowly. One that is closing is left alone.
fn cut_off<S: Io>(sender: &Sender<S>, error: &TrySendError, traffic: &Traffic) {
    if let TrySendError::Full(_) = error {
        traffic.slow(Slow::Buffer);
        sender.close(close::TOO_SLOW);
    }
}
