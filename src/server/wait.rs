//! Waits for something that nothing announces.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Looks again after each pause, until something is found or the patience is over. Blocks. Looks at least once.
pub(super) fn wait_for<T>(patience: Duration, pause: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        let found = look();
        if found.is_some() || started.elapsed() >= patience {
            return found;
        }
        thread::park_timeout(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_until_something_is_found_or_the_patience_is_over() {
        let mut looks = 0;
        let mut third = || {
            looks += 1;
            (looks == 3).then_some(looks)
        };
        assert_eq!(wait_for(Duration::from_secs(60), Duration::ZERO, &mut third), Some(3));
        assert_eq!(wait_for(Duration::ZERO, Duration::ZERO, || None::<()>), None);
    }
}
