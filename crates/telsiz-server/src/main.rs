//! telsiz
fn main() {}
