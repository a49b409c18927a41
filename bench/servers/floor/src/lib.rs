//! What the floors share: as little of the protocol as a client needs to be satisfied.

pub mod frame;
pub mod upgrade;
