//! The thread that reads what is not in memory.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::log::{Ask, Extent};
use super::logs::View;
use super::{tables, writer};
use crate::engine::EngineError;
use crate::name::RoomName;
use crate::retention::Keep;

/// A log is brought into memory with its newest publications: at most so many, and no more after
/// so many bytes.
const NEWEST: u64 = 512;
const NEWEST_BYTES: usize = 1 << 20;

/// How often a log is read again because it changed meanwhile.
const TRIES: usize = 8;

/// What somebody wants to know.
pub(super) struct Load {
    pub(super) room: RoomName,
    pub(super) ask: Ask,
    pub(super) done: oneshot::Sender<Result<View, EngineError>>,
}

pub(super) struct Reader {
    connection: Connection,
    shared: Arc<Shared>,
}

impl Reader {
    pub(super) fn new(connection: Connection, shared: Arc<Shared>) -> Self {
        Self { connection, shared }
    }

    pub(super) fn run(self, mut waiting: mpsc::Receiver<Load>) {
        while let Some(Load { room, ask, done }) = waiting.blocking_recv() {
            if !done.is_closed() {
                let _ = done.send(self.answer(&room, ask));
            }
        }
    }

    fn answer(&self, room: &RoomName, ask: Ask) -> Result<View, EngineError> {
        let keep = self.shared.options.retention.of(room);
        for _ in 0..TRIES {
            let now = self.shared.options.clock.now();
            {
                let mut logs = self.shared.logs();
                if let Some(view) = logs.answer(room, keep, now, ask) {
                    return Ok(view);
                }
                logs.hold(room);
            }
            // Whatever is committed from here on comes into memory and stays there.
            let view = self.bring(room, keep, ask);
            self.shared.logs().release(room);
            let view =
                view.map_err(|error| EngineError::Failed(writer::say("reading", &error).into()))?;
            if let Some(view) = view {
                return Ok(view);
            }
        }
        Err(EngineError::Failed(
            "the log changed while it was read; try again".into(),
        ))
    }

    /// Brings the end of a log into memory, or reads what is asked for if that is far from
    /// the end.
    fn bring(&self, name: &RoomName, keep: Keep, ask: Ask) -> rusqlite::Result<Option<View>> {
        let now = self.shared.options.clock.now();
        let connection = self.connection.unchecked_transaction()?;
        let Some(mut room) = tables::room(&connection, name)? else {
            let mut logs = self.shared.logs();
            logs.install(name, Extent::EMPTY, Vec::new());
            return Ok(logs.answer(name, keep, now, ask));
        };
        room.extent.first = tables::first_kept(&connection, room, keep, now)?;
        let reach = self.shared.logs().reach(name);
        let (extent, start) = reach.unwrap_or((room.extent, room.extent.head + 1));
        let extent = Extent {
            first: extent.first.max(room.extent.first),
            ..extent
        };
        let wanted = ask.range(extent).0.start;
        let epoch = &self.shared.epoch;
        if wanted + NEWEST >= start {
            let first = extent.first.max(start.saturating_sub(NEWEST));
            let mut bytes = 0;
            let mut entries = tables::entries(&connection, room, epoch, first, start, |entry| {
                bytes += entry.bytes();
                bytes >= NEWEST_BYTES
            })?;
            entries.reverse();
            let mut logs = self.shared.logs();
            logs.install(name, room.extent, entries);
            if let Some(view) = logs.answer(name, keep, now, ask) {
                return Ok(Some(view));
            }
        } else {
            self.shared.logs().install(name, room.extent, Vec::new());
        }
        let Some((extent, start)) = self.shared.logs().reach(name) else {
            return Ok(None);
        };
        let range = ask.range(extent).0;
        let end = range.end.min(start);
        let found = tables::entries(&connection, room, epoch, range.start, end, |_| false)?;
        let found: Vec<_> = found.into_iter().rev().map(|e| e.publication).collect();
        let view = self.shared.logs().answer_with(name, keep, now, ask, &found);
        Ok(view)
    }
}
