//! What is fuzzed: each target is a function from bytes to nothing that panics when it finds something.
//!
//! The bytes are a script: see [`script`]. The ends, the frames and the receiver by the book are those of the
//! tests of `telsiz-proto`.

pub use self::differential::differential;
pub use self::extensions::extensions;
pub use self::frames::frames;
pub use self::handshake::handshake;
pub use self::inflate::inflate;
pub use self::link::link;
pub use self::pair::pair;

#[path = "../../crates/telsiz-proto/tests/common/mod.rs"]
mod common;
mod differential;
mod extensions;
mod frames;
mod handshake;
mod inflate;
mod link;
mod pair;
mod script;
mod wire;

/// A function that is fuzzed.
pub type Target = fn(&[u8]);

/// All of them, with their names: those of their binaries and of their folders in `corpus/`.
pub const TARGETS: [(&str, Target); 7] = [
    ("differential", differential),
    ("extensions", extensions),
    ("frames", frames),
    ("handshake", handshake),
    ("inflate", inflate),
    ("link", link),
    ("pair", pair),
];

#[global_allocator]
static HEAP: common::heap::Counting = common::heap::Counting;
