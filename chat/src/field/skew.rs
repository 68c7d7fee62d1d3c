//! Clocks of platforms that are wrong.

/// Estimates how far a platform's clock is ahead, from messages whose time lies after their arrival.
///
/// A message cannot arrive before it was written, so the largest lead over the latest messages is a lower bound of the
/// error. It is taken off every time, up to a bound; a time that would still lie ahead becomes its arrival. Times that
/// lie back are left alone: history and delay look the same as a clock that is behind.
#[derive(Debug, Clone)]
pub struct Skew {
    ahead_ms: i64,
    largest_ms: i64,
    window_ms: i64,
    in_window: u32,
}

/// After so many messages an estimate that is too large begins to shrink.
const WINDOW: u32 = 256;

impl Skew {
    /// Corrects up to this many milliseconds.
    pub fn up_to(largest_ms: i64) -> Self {
        Self { ahead_ms: 0, largest_ms, window_ms: 0, in_window: 0 }
    }

    /// The event time of a message that arrived now.
    pub fn correct(&mut self, timestamp_ms: i64, now_ms: i64) -> i64 {
        let lead = timestamp_ms.saturating_sub(now_ms).clamp(0, self.largest_ms);
        self.window_ms = self.window_ms.max(lead);
        self.ahead_ms = self.ahead_ms.max(lead);
        self.in_window += 1;
        if self.in_window >= WINDOW {
            self.ahead_ms = self.window_ms;
            (self.window_ms, self.in_window) = (0, 0);
        }
        timestamp_ms.saturating_sub(self.ahead_ms).min(now_ms)
    }
}

impl Default for Skew {
    /// Corrects up to fifteen minutes.
    fn default() -> Self {
        Self::up_to(15 * 60 * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_is_set_back_for_all_messages() {
        let mut skew = Skew::default();
        assert_eq!(skew.correct(100_000, 90_000), 90_000);
        assert_eq!(skew.correct(100_500, 91_000), 90_500, "the order and the distance of messages stay");
    }

    #[test]
    fn history_and_a_right_clock_are_left_alone() {
        let mut skew = Skew::default();
        assert_eq!(skew.correct(1_000, 90_000), 1_000);
        assert_eq!(skew.correct(89_900, 90_000), 89_900);
    }

    #[test]
    fn a_time_beyond_the_bound_becomes_its_arrival() {
        let mut skew = Skew::up_to(60_000);
        assert_eq!(skew.correct(10_000_000, 1_000_000), 1_000_000);
        assert_eq!(skew.correct(1_000_000, 1_000_000), 940_000, "and nothing is set back by more than the bound");
    }

    #[test]
    fn a_single_time_from_tomorrow_moves_no_other_message() {
        let mut skew = Skew::default();
        assert_eq!(skew.correct(1_000_000, 1_000_000), 1_000_000);
        assert_eq!(skew.correct(90_000_000, 1_000_100), 1_000_100);
        assert_eq!(skew.correct(1_000_200, 1_000_200), 1_000_200);
    }

    #[test]
    fn a_clock_that_was_set_right_is_trusted_again() {
        let mut skew = Skew::default();
        skew.correct(100_000, 90_000);
        for _ in 0..2 * WINDOW {
            skew.correct(90_000, 90_000);
        }
        assert_eq!(skew.correct(90_000, 90_000), 90_000);
    }
}
