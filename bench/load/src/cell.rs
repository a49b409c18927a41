//! What is measured: how large, how many, how deep.

use std::fmt;
use std::str::FromStr;

/// One load: messages of `size` bytes on `connections`, `in_flight` of them on each at any time.
///
/// Written `SIZE/CONNECTIONS/IN_FLIGHT`, for example `128/100/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cell {
    /// Payload bytes of each message.
    pub size: usize,
    /// Connections open at once.
    pub connections: usize,
    /// Messages that are on their way on each connection.
    pub in_flight: usize,
}

impl Cell {
    /// A cell of its three numbers.
    #[must_use]
    pub const fn new(size: usize, connections: usize, in_flight: usize) -> Self {
        Self {
            size,
            connections,
            in_flight,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            size,
            connections,
            in_flight,
        } = self;
        write!(f, "{size}/{connections}/{in_flight}")
    }
}

/// The text is no cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseCellError;

impl fmt::Display for ParseCellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cell is SIZE/CONNECTIONS/IN_FLIGHT, three numbers above zero")
    }
}

impl std::error::Error for ParseCellError {}

impl FromStr for Cell {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = text.split('/').map(|part| match part.parse() {
            Ok(0) | Err(_) => Err(ParseCellError),
            Ok(number) => Ok(number),
        });
        let mut next = || numbers.next().unwrap_or(Err(ParseCellError));
        let cell = Self::new(next()?, next()?, next()?);
        match numbers.next() {
            None => Ok(cell),
            Some(_) => Err(ParseCellError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let cell = Cell::new(128, 100, 16);
        assert_eq!(cell.to_string().parse(), Ok(cell));
    }

    #[test]
    fn refuses_what_is_no_cell() {
        for text in ["", "128", "128/100", "128/100/0", "128/100/1/1", "a/b/c"] {
            assert_eq!(text.parse::<Cell>(), Err(ParseCellError), "{text}");
        }
    }
}
