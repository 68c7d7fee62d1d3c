//! Whether a program that ended is started again.

use std::time::Duration;

use tidemill_remote::Backoff;

use crate::error::MediaError;

/// What happens after an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Wait, then start again.
    Again {
        /// How long to wait.
        after: Duration,
    },
    /// Give this error to the caller.
    GiveUp(MediaError),
}

/// Counts attempts that brought nothing.
#[derive(Debug, Clone)]
pub struct Restarts {
    backoff: Backoff,
    attempts_max: u32,
    failed: u32,
}

impl Restarts {
    /// At most `attempts_max` attempts in a row without any output.
    pub fn new(backoff: Backoff, attempts_max: u32) -> Self {
        Self { backoff, attempts_max: attempts_max.max(1), failed: 0 }
    }

    /// An attempt brought something: the count and the waiting times begin again.
    pub fn worked(&mut self) {
        self.failed = 0;
        self.backoff.succeeded();
    }

    /// An attempt failed.
    pub fn failed(&mut self, error: MediaError) -> Next {
        self.failed += 1;
        if !error.is_transient() || self.failed >= self.attempts_max {
            return Next::GiveUp(error);
        }
        let told = match &error {
            MediaError::Transient { retry_after, .. } => *retry_after,
            _ => None,
        };
        Next::Again { after: self.backoff.failed(told) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trouble_that_may_pass_is_tried_again_and_not_for_ever() {
        let mut restarts = Restarts::new(Backoff::new(Duration::from_secs(1), Duration::from_secs(9), 0), 3);
        let trouble = || MediaError::transient("busy");
        assert!(matches!(restarts.failed(trouble()), Next::Again { .. }));
        assert!(matches!(restarts.failed(trouble()), Next::Again { .. }));
        restarts.worked();
        assert!(matches!(restarts.failed(trouble()), Next::Again { .. }));
        assert!(matches!(restarts.failed(trouble()), Next::Again { .. }));
        assert_eq!(restarts.failed(trouble()), Next::GiveUp(trouble()));
        restarts.worked();
        let private = MediaError::refused("It is private.", "Log in.");
        assert_eq!(restarts.failed(private.clone()), Next::GiveUp(private));
    }

    #[test]
    fn a_waiting_time_that_the_other_side_told_is_kept() {
        let mut restarts = Restarts::new(Backoff::new(Duration::from_secs(1), Duration::from_secs(9), 0), 3);
        let busy = MediaError::Transient { reason: "busy".into(), retry_after: Some(Duration::from_secs(40)) };
        let Next::Again { after } = restarts.failed(busy) else { panic!("it is busy for a while") };
        assert!((40.0..41.0).contains(&after.as_secs_f64()), "{after:?}");
    }
}
