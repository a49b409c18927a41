//! The tables: what is in them and how they are changed.
//!
//! A commit adds one row to `journal`, with all that it publishes, whatever the rooms: a few
//! pages at the end. Later the publications are filed by room, many of one room at a
//! time, and the journal is cut at its beginning.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::journal::Entry;
use super::log::Extent;
use super::logs::Filing;
use crate::clock::Timestamp;
use crate::member::User;
use crate::name::RoomName;
use crate::publication::{Epoch, IdempotencyKey, Publication};
use crate::retention::{Keep, Retention};

/// In the header of the database: "Tlsz".
pub(super) const APPLICATION: i32 = 0x546c_737a;

/// Of the tables.
pub(super) const VERSION: i32 = 1;

/// `first`: all below are no part of the log. `swept`: all below are deleted.
/// From `first` to `head` there are no gaps.
pub(super) const SCHEMA: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE rooms (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        head INTEGER NOT NULL,
        time INTEGER NOT NULL,
        first INTEGER NOT NULL,
        swept INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX rooms_with_rows ON rooms (id) WHERE swept <= head;
    CREATE TABLE publications (
        room INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        time INTEGER NOT NULL,
        user TEXT NOT NULL,
        name TEXT NOT NULL,
        key TEXT,
        text TEXT NOT NULL,
        PRIMARY KEY (room, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX publications_by_key ON publications (room, user, key) WHERE key IS NOT NULL;
    CREATE TABLE journal (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
";

/// How many statements a connection keeps prepared: all of ours.
pub(super) const STATEMENTS: usize = 32;

/// The most publications that are deleted at a time.
const SWEEP: u64 = 1024;

/// The most rooms that are looked at for something to delete at a time.
const SWEEP_ROOMS: usize = 64;

/// A room as it was filed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) id: i64,
    pub(super) extent: Extent,
    swept: u64,
}

impl Room {
    fn of(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            extent: Extent {
                head: row.get(1)?,
                time: Timestamp(row.get(2)?),
                first: row.get(3)?,
            },
            swept: row.get(4)?,
        })
    }
}

pub(super) fn execute(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

pub(super) fn meta(connection: &Connection, name: &str) -> Result<Option<String>> {
    let mut query = connection.prepare_cached("SELECT value FROM meta WHERE name = ?")?;
    query.query_row([name], |row| row.get(0)).optional()
}

pub(super) fn set_meta(connection: &Connection, name: &str, value: Option<&str>) -> Result<()> {
    match value {
        Some(value) => connection
            .prepare_cached("INSERT OR REPLACE INTO meta VALUES (?, ?)")?
            .execute([name, value])?,
        None => connection
            .prepare_cached("DELETE FROM meta WHERE name = ?")?
            .execute([name])?,
    };
    Ok(())
}

pub(super) fn room(connection: &Connection, name: &RoomName) -> Result<Option<Room>> {
    let mut query = connection
        .prepare_cached("SELECT id, head, time, first, swept FROM rooms WHERE name = ?")?;
    query.query_row([name.as_str()], Room::of).optional()
}

/// Where and when `user` published with `key` last.
pub(super) fn find_key(
    connection: &Connection,
    room: Room,
    user: &str,
    key: &IdempotencyKey,
) -> Result<Option<(u64, Timestamp)>> {
    let mut query = connection.prepare_cached(
        "SELECT seq, time FROM publications WHERE room = ? AND user = ? AND key = ?
         ORDER BY seq DESC LIMIT 1",
    )?;
    let found = query.query_row(params![room.id, user, key.as_str()], |row| {
        Ok((row.get(0)?, Timestamp(row.get(1)?)))
    });
    found.optional()
}

/// Adds what a commit publishes.
pub(super) fn record(connection: &Connection, commit: u64, entries: &[u8]) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO journal VALUES (?, ?)")?
        .execute(params![commit, entries])?;
    Ok(())
}

/// Forgets the commits before `needed`; `None` is all of them.
pub(super) fn cut_journal(connection: &Connection, needed: Option<u64>) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM journal WHERE id < ?")?
        .execute([needed.unwrap_or(i64::MAX as u64)])?;
    Ok(())
}

/// Files publications of a room, and deletes some of what is no longer kept.
pub(super) fn file(connection: &Connection, filing: &Filing) -> Result<()> {
    let Extent { head, time, first } = filing.extent;
    let id = match room(connection, &filing.room)? {
        Some(room) => {
            let first = first.max(room.extent.first);
            let mut left = SWEEP;
            let swept = sweep_rows(connection, room.id, room.swept, first, &mut left)?;
            let sql = "UPDATE rooms SET head = ?2, time = ?3, first = ?4, swept = ?5 WHERE id = ?1";
            let mut update = connection.prepare_cached(sql)?;
            update.execute(params![room.id, head, time.0, first, swept])?;
            room.id
        }
        None => {
            let sql = "INSERT INTO rooms (name, head, time, first, swept) VALUES (?, ?, ?, ?, ?)";
            let mut insert = connection.prepare_cached(sql)?;
            insert.insert(params![filing.room.as_str(), head, time.0, first, first])?
        }
    };
    let mut insert =
        connection.prepare_cached("INSERT INTO publications VALUES (?, ?, ?, ?, ?, ?, ?)")?;
    for Entry { publication, key } in &filing.entries {
        insert.execute(params![
            id,
            publication.seq,
            publication.time.0,
            &*publication.user.id,
            &*publication.user.name,
            key.as_ref().map(IdempotencyKey::as_str),
            publication.text,
        ])?;
    }
    Ok(())
}

/// Deletes what is below `first`, at most `left`, which it counts down. Comes back with below what
/// all is deleted then.
fn sweep_rows(
    connection: &Connection,
    id: i64,
    mut swept: u64,
    first: u64,
    left: &mut u64,
) -> Result<u64> {
    let mut oldest = connection
        .prepare_cached("SELECT min(seq) FROM publications WHERE room = ? AND seq < ?")?;
    while swept < first && *left > 0 {
        // Those that were never filed leave gaps.
        let oldest: Option<u64> = oldest.query_row(params![id, first], |row| row.get(0))?;
        let Some(oldest) = oldest else {
            return Ok(first);
        };
        let end = first.min(oldest + *left);
        connection
            .prepare_cached("DELETE FROM publications WHERE room = ? AND seq < ?")?
            .execute(params![id, end])?;
        *left -= end - oldest;
        swept = end;
    }
    Ok(swept)
}

/// Deletes some of what the rooms behind the one with id `cursor` no longer keep. Comes back with
/// where to go on, `None` after the last.
pub(super) fn sweep(
    connection: &Connection,
    cursor: i64,
    retention: &Retention,
    now: Timestamp,
) -> Result<Option<i64>> {
    let mut query = connection.prepare_cached(
        "SELECT id, head, time, first, swept, name FROM rooms
         WHERE id > ? AND swept <= head ORDER BY id LIMIT ?",
    )?;
    let rooms = query.query_map(params![cursor, SWEEP_ROOMS], |row| {
        Ok((Room::of(row)?, row.get::<_, String>(5)?))
    })?;
    let rooms = rooms.collect::<Result<Vec<_>>>()?;
    let mut left = SWEEP;
    for (room, name) in &rooms {
        let Ok(name) = RoomName::new(name) else {
            continue;
        };
        let first = first_kept(connection, *room, retention.of(&name), now)?;
        let swept = sweep_rows(connection, room.id, room.swept, first, &mut left)?;
        if (first, swept) != (room.extent.first, room.swept) {
            connection
                .prepare_cached("UPDATE rooms SET first = ?2, swept = ?3 WHERE id = ?1")?
                .execute(params![room.id, first, swept])?;
        }
        if swept < first {
            // Enough for one step; this room has more.
            return Ok(Some(room.id - 1));
        }
    }
    let more = rooms.len() == SWEEP_ROOMS;
    Ok(rooms.last().filter(|_| more).map(|(room, _)| room.id))
}

/// The number of the oldest one that is to be kept, among those that were filed.
pub(super) fn first_kept(
    connection: &Connection,
    room: Room,
    keep: Keep,
    now: Timestamp,
) -> Result<u64> {
    let extent = room.extent.trimmed(keep, now);
    let oldest = now.before(keep.age);
    let mut time =
        connection.prepare_cached("SELECT time FROM publications WHERE room = ? AND seq = ?")?;
    // Times rise with numbers.
    let (mut first, mut end) = (extent.first, extent.head + 1);
    let mut middle = first;
    while first < end {
        let time: u64 = time.query_row(params![room.id, middle], |row| row.get(0))?;
        match Timestamp(time) < oldest {
            true => first = middle + 1,
            false => end = middle,
        }
        middle = first + (end - first) / 2;
    }
    Ok(first)
}

/// The publications of a room from `start` up to before `end`, newest first, as long as
/// `enough` does not say that they are.
pub(super) fn entries(
    connection: &Connection,
    room: Room,
    epoch: &Epoch,
    start: u64,
    end: u64,
    mut enough: impl FnMut(&Entry) -> bool,
) -> Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT seq, time, user, name, key, text FROM publications
         WHERE room = ? AND seq >= ? AND seq < ? ORDER BY seq DESC",
    )?;
    let mut rows = query.query(params![room.id, start, end])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        let key = row.get_ref(4)?.as_str_or_null()?;
        let entry = Entry {
            publication: Arc::new(Publication {
                seq: row.get(0)?,
                epoch: epoch.clone(),
                time: Timestamp(row.get(1)?),
                user: User::new(text(2)?, text(3)?),
                text: row.get(5)?,
            }),
            key: key.and_then(|key| IdempotencyKey::new(key).ok()),
        };
        let last = enough(&entry);
        entries.push(entry);
        if last {
            break;
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rooms with so many publications each, all of the year 1970.
    fn tables(rooms: usize, publications: u64) -> Connection {
        let connection = Connection::open_in_memory().expect("it opens");
        connection.execute_batch(SCHEMA).expect("tables");
        let entry = |seq| Entry {
            publication: Arc::new(Publication {
                seq,
                epoch: Epoch::new("e"),
                time: Timestamp(seq),
                user: User::new("ali", "Ali"),
                text: String::new(),
            }),
            key: None,
        };
        for number in 0..rooms {
            let filing = Filing {
                room: RoomName::new(&number.to_string()).expect("a name"),
                extent: Extent {
                    head: publications,
                    time: Timestamp(publications),
                    first: 1,
                },
                entries: (1..=publications).map(entry).collect(),
                left: None,
            };
            file(&connection, &filing).expect("it is filed");
        }
        connection
    }

    fn rows(connection: &Connection) -> u64 {
        let count = "SELECT count(*) FROM publications";
        let count = connection.query_row(count, [], |row| row.get(0));
        count.expect("a number")
    }

    /// How many rows are left after each step.
    fn steps(connection: &Connection, now: Timestamp) -> Vec<u64> {
        let mut cursor = Some(0);
        let mut left = Vec::new();
        while let Some(from) = cursor {
            cursor = sweep(connection, from, &Retention::default(), now).expect("a step");
            left.push(rows(connection));
        }
        left
    }

    #[test]
    fn deleting_goes_in_steps() {
        let late = Timestamp(u64::MAX);
        let many = tables(SWEEP_ROOMS * 2 + 1, 2);
        let room = SWEEP_ROOMS as u64 * 2;
        assert_eq!(steps(&many, late), [room + 2, 2, 0]);
        assert_eq!(steps(&many, late), [0], "those that are empty cost nothing");
        let long = tables(1, 2 * SWEEP + 1);
        let newest = Timestamp(2 * SWEEP);
        assert_eq!(steps(&long, newest), [SWEEP + 1, 100], "100 are kept");
        assert_eq!(steps(&long, late), [0]);
    }

    #[test]
    fn what_is_kept_is_found_by_its_time() {
        let tables = tables(1, 10);
        let room = room(&tables, &RoomName::new("0").expect("a name"));
        let room = room.expect("a query").expect("a room");
        let keep = Keep {
            count: 8,
            age: std::time::Duration::from_millis(100),
        };
        for (now, first) in [(0, 3), (103, 3), (104, 4), (109, 9), (110, 10), (111, 11)] {
            let found = first_kept(&tables, room, keep, Timestamp(now));
            assert_eq!(found, Ok(first), "{now}");
        }
    }
}
