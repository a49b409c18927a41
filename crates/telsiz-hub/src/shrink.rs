//! Tables that shrink as they grew.

use std::collections::HashMap;
use std::hash::Hash;

/// To be called after a removal: gives back what a table took when it was much larger.
pub(crate) fn shrink<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
    if table.capacity() > 4 * table.len() + 64 {
        table.shrink_to(2 * table.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_never_much_larger_than_what_is_in_it() {
        let mut table: HashMap<_, _> = (0..10_000).map(|key| (key, ())).collect();
        for key in 0..10_000 {
            table.remove(&key);
            shrink(&mut table);
            assert!(table.capacity() <= 4 * table.len() + 64);
        }
    }
}
