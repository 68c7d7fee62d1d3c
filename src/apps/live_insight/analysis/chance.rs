//! Whether a count differs from the usual by more than chance. Messages that nothing causes are a Poisson process.
//!
//! The usual is an observation, too, and has its own chance. So both counts are compared: if both come at one rate, the
//! share of the first in their sum is binomial (Przyborowski and Wilenski 1940).

use statrs::distribution::{Binomial, DiscreteCDF as _};

/// Something is no chance if it happens by chance less than once in a million looks. A stream is looked at a few
/// thousand times in three hours.
pub(super) const NO_CHANCE: f64 = 1e-6;

/// How much came in how many seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Count {
    pub(super) count: f64,
    pub(super) seconds: f64,
}

impl Count {
    pub(super) fn per_second(self) -> f64 {
        self.count / self.seconds.max(f64::MIN_POSITIVE)
    }

    /// How probable so many or more are, if they come as `usual` did.
    pub(super) fn more_than(self, usual: Self) -> f64 {
        let (count, share) = self.in_all(usual);
        share.map_or(1.0, |share| if count == 0 { 1.0 } else { share.sf(count - 1) })
    }

    /// How probable so few or fewer are, if they come as `usual` did.
    pub(super) fn fewer_than(self, usual: Self) -> f64 {
        let (count, share) = self.in_all(usual);
        share.map_or(1.0, |share| share.cdf(count))
    }

    /// The count, and the distribution of its share in both counts.
    fn in_all(self, usual: Self) -> (u64, Option<Binomial>) {
        let (count, other) = (self.count.round().max(0.0) as u64, usual.count.round().max(0.0) as u64);
        (count, Binomial::new(self.seconds / (self.seconds + usual.seconds), count + other).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_likely_depends_on_how_much_was_seen_before() {
        let burst = Count { count: 15.0, seconds: 5.0 };
        let usual = |seconds: f64| Count { count: seconds, seconds };
        assert!(burst.more_than(usual(10.0)) > 0.001, "ten messages are no usual rate");
        assert!(burst.more_than(usual(400.0)) < 0.001);
        assert!(burst.fewer_than(usual(400.0)) > 0.999);
        let silence = Count { count: 0.0, seconds: 60.0 };
        assert!(silence.fewer_than(usual(400.0)) < NO_CHANCE);
        assert!((silence.more_than(usual(400.0)) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn nothing_is_known_from_nothing() {
        let nothing = Count { count: 0.0, seconds: 0.0 };
        assert!((Count { count: 9.0, seconds: 5.0 }.more_than(nothing) - 1.0).abs() < f64::EPSILON);
    }
}
