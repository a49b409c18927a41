//! What is measured: which work, how large, how many, how deep.

use std::fmt;
use std::str::FromStr;

use crate::rooms::LEAST;

/// What the load does with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// Messages that come back, over TCP.
    Echo,
    /// JSON texts that come back, compressed both ways (permessage-deflate, no context takeover).
    Json,
    /// Messages that come back, over TLS.
    Tls,
    /// Connections that are opened and closed without a message.
    Open,
    /// Messages to a room of which every connection is a member, over TCP.
    Fanout,
}

impl Work {
    const ALL: [Self; 5] = [Self::Echo, Self::Json, Self::Tls, Self::Open, Self::Fanout];

    /// What a cell of this work begins with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Echo => "",
            Self::Json => "json-",
            Self::Tls => "tls-",
            Self::Open => "open-",
            Self::Fanout => "fanout-",
        }
    }
}

/// One load: messages of `size` bytes on `connections`, `in_flight` of them on each at any time.
///
/// Written `SIZE/CONNECTIONS/IN_FLIGHT`, for example `128/100/16`, the other kinds of work with their name in front:
/// `json-1024/100/1`, `tls-1024/100/1`. In `open-0/32/1` 32 connections at a time are opened and closed; it has no
/// messages, so its other numbers are always these. In `fanout-128/1000/16` one of 1000 members of a room publishes to
/// all, 16 messages at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cell {
    /// What is done.
    pub work: Work,
    /// Payload bytes of each message.
    pub size: usize,
    /// Connections open at once.
    pub connections: usize,
    /// Messages that are on their way on each connection; in a room, those that not every member has.
    pub in_flight: usize,
}

impl Cell {
    /// A cell of its three numbers, over TCP and not compressed.
    #[must_use]
    pub const fn new(size: usize, connections: usize, in_flight: usize) -> Self {
        Self::of(Work::Echo, size, connections, in_flight)
    }

    /// A cell of any work.
    #[must_use]
    pub const fn of(work: Work, size: usize, connections: usize, in_flight: usize) -> Self {
        Self {
            work,
            size,
            connections,
            in_flight,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            work,
            size,
            connections,
            in_flight,
        } = self;
        write!(f, "{}{size}/{connections}/{in_flight}", work.prefix())
    }
}

/// The text is no cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseCellError;

impl fmt::Display for ParseCellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a cell is SIZE/CONNECTIONS/IN_FLIGHT, three numbers above zero, alone or behind json-, tls- \
             or fanout- (of 8 bytes and more); or open-0/CONNECTIONS/1",
        )
    }
}

impl std::error::Error for ParseCellError {}

impl FromStr for Cell {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The one without a prefix fits always.
        let (work, numbers) = Work::ALL
            .into_iter()
            .rev()
            .find_map(|work| Some((work, text.strip_prefix(work.prefix())?)))
            .ok_or(ParseCellError)?;
        let numbers: Vec<usize> = numbers
            .split('/')
            .map(|number| number.parse().map_err(|_| ParseCellError))
            .collect::<Result<_, _>>()?;
        let [size, connections, in_flight] = numbers[..] else {
            return Err(ParseCellError);
        };
        let fits = match work {
            Work::Open => size == 0 && in_flight == 1,
            Work::Fanout => size >= LEAST && in_flight > 0,
            Work::Echo | Work::Json | Work::Tls => size > 0 && in_flight > 0,
        };
        match fits && connections > 0 {
            true => Ok(Self::of(work, size, connections, in_flight)),
            false => Err(ParseCellError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for (cell, text) in [
            (Cell::new(128, 100, 16), "128/100/16"),
            (Cell::of(Work::Json, 1024, 100, 1), "json-1024/100/1"),
            (Cell::of(Work::Tls, 1024, 100, 1), "tls-1024/100/1"),
            (Cell::of(Work::Open, 0, 32, 1), "open-0/32/1"),
            (Cell::of(Work::Fanout, 128, 1000, 16), "fanout-128/1000/16"),
        ] {
            assert_eq!(cell.to_string(), text);
            assert_eq!(text.parse(), Ok(cell));
        }
    }

    #[test]
    fn refuses_what_is_no_cell() {
        for text in [
            "",
            "128",
            "128/100",
            "128/100/0",
            "128/100/1/1",
            "a/b/c",
            "zip-1/1/1",
            "json-",
            "json-0/1/1",
            "open-0/0/1",
            "open-1/1/1",
            "open-0/1/2",
            "fanout-7/1/1",
            "fanout-8/1/0",
        ] {
            assert_eq!(text.parse::<Cell>(), Err(ParseCellError), "{text}");
        }
    }
}
