//! Bringing memory into the cache before it is needed.

/// How much a processor brings at once.
const LINE: usize = 64;

/// Asks for `lines` lines of memory from this address on, and waits for nothing.
///
/// It is a hint: what is there is not looked at, so it need not be there any more.
#[inline]
pub(super) fn prefetch<T: ?Sized>(address: *const T, lines: usize) {
    let start: *const i8 = address.cast();
    for line in 0..lines {
        fetch(start.wrapping_add(line * LINE));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[expect(unsafe_code, reason = "there is no other way to ask for it")]
fn fetch(address: *const i8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: it is part of every such processor, and does nothing but move memory between caches;
    // where there is no memory it does not even that.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
}

/// Elsewhere there is no stable way.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn fetch(_: *const i8) {}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    #[test]
    fn memory_that_is_not_there_may_be_asked_for() {
        let gone = ptr::from_ref(&*Box::new([0_u8; LINE]));
        for address in [
            gone.cast(),
            ptr::null(),
            ptr::without_provenance(usize::MAX),
        ] {
            prefetch::<u8>(address, 4);
        }
    }

    #[test]
    fn memory_that_is_there_stays_as_it_is() {
        let memory: Vec<u8> = (0..=255).collect();
        prefetch(memory.as_ptr(), memory.len() / LINE);
        assert!(memory.into_iter().eq(0..=255));
    }
}
