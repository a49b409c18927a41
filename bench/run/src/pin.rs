//! Which processor runs what.

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Error;

/// Keeps this thread, and every process it starts from now on, on one processor.
pub(crate) fn to(cpu: usize) -> Result<(), Error> {
    if cpu >= CpuSet::MAX_CPU {
        return Err(format!("there is no processor {cpu}").into());
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)
        .map_err(|error| format!("cannot run on processor {cpu} (two are needed): {error}").into())
}
