//! A stop that is spread over some time, so that clients do not all come back at once.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::registry::Registry;

/// Connections that are told one after the other are told no more often than this.
const STEP: Duration = Duration::from_millis(10);

/// Tells the connections of a server to close, those of each worker one after the other, so that the
/// last is told at the end of `window`. If that is too short for steps, this tells nobody.
pub(crate) async fn tell_one_by_one(registries: &[&Registry], window: Duration) {
    let start = Instant::now();
    let keys = |registry: &&Registry| (*registry).keys();
    let keys: Vec<_> = registries.iter().map(keys).collect();
    let most = keys.iter().map(Vec::len).max().unwrap_or(0);
    let fit = usize::try_from(window.as_millis() / STEP.as_millis()).unwrap_or(usize::MAX);
    let steps = most.min(fit);
    for step in 0..steps {
        let part = step as f64 / (steps - 1).max(1) as f64;
        sleep_until(start + window.mul_f64(part)).await;
        for (registry, keys) in registries.iter().zip(&keys) {
            let last = keys.len().saturating_sub(1) * step / (steps - 1).max(1);
            if let Some(last) = keys.get(last) {
                registry.tell(last + 1);
            }
        }
    }
}

/// Waits until a server has no connections.
pub(crate) async fn all_emptied(registries: &[&Registry]) {
    for registry in registries {
        registry.emptied().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use telsiz_proto::CloseCode;
    use tokio::time::sleep;

    use super::*;
    use crate::server::registry::Lease;
    use crate::server::registry::tests::{Woken, second, waiting};

    /// How many of them are to close, and were woken for that and for nothing else.
    fn told(connections: &[(Lease, Arc<Woken>)]) -> usize {
        let is_told = |(lease, woken): &(Lease, Arc<Woken>)| {
            let is_told = lease.stop().is_some();
            assert!(lease.is_stopping(), "whoever has been told");
            assert_eq!(woken.is_woken(), is_told);
            is_told
        };
        connections.iter().filter(|one| is_told(one)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn connections_are_told_evenly_over_the_window() {
        let registries = [(); 3].map(|()| Arc::<Registry>::default());
        let mut connections = registries.each_ref().map(|_| Vec::new());
        for (connections, (registry, count)) in
            connections.iter_mut().zip(registries.iter().zip([5, 2, 0]))
        {
            // Keys have gaps.
            let gone = registry.lease();
            connections.extend((0..count).map(|_| waiting(registry)));
            drop(gone);
            registry.begin_stop(CloseCode::GOING_AWAY.into());
        }
        let all = registries.clone();
        let telling = tokio::spawn(async move {
            tell_one_by_one(&all.each_ref().map(|registry| &**registry), second(8)).await;
        });
        sleep(second(1)).await;
        for (first, second_of) in [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2)] {
            assert_eq!(told(&connections[0]), first);
            assert_eq!(told(&connections[1]), second_of);
            sleep(second(2)).await;
        }
        assert!(telling.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_window_nobody_is_told_alone() {
        let registry = Arc::<Registry>::default();
        let connections = [waiting(&registry)];
        registry.begin_stop(CloseCode::GOING_AWAY.into());
        tell_one_by_one(&[&*registry], Duration::ZERO).await;
        assert_eq!(told(&connections), 0);
        registry.stop(CloseCode::GOING_AWAY.into());
        assert_eq!(told(&connections), 1);
    }
}
