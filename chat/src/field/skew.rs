//! Clocks of platforms that are wrong.

use std::collections::VecDeque;

/// Estimates how far a platform's clock is ahead, from messages whose time lies after their arrival.
///
/// A message cannot arrive before it was written. Where nearly all of the latest messages lead their arrival, the clock
/// is ahead, and the lower quartile of their leads is taken off every time. Where few of them lead, they alone are wrong:
/// a time that still lies ahead becomes its arrival, and moves no other message.
///
/// An estimate that is too small only costs a part of the distances between messages, because of the arrival. One that
/// is too large makes messages late. So delays, history and a small number of messages all make it smaller. Times that
/// lie back are left alone: history and delay look the same as a clock that is behind.
#[derive(Debug, Clone)]
pub struct Skew {
    largest_ms: i64,
    /// How far the latest messages led their arrival, the oldest first.
    leads_ms: VecDeque<i64>,
}

/// So many of the latest messages count. A clock that was set right is trusted again after a quarter of them.
const LATEST: usize = 32;
/// Fewer messages tell nothing of a clock.
const FEWEST: usize = 8;

impl Skew {
    /// Corrects up to this many milliseconds. A message that leads by more says nothing of the clock.
    pub fn up_to(largest_ms: i64) -> Self {
        Self { largest_ms, leads_ms: VecDeque::with_capacity(LATEST) }
    }

    /// The event time of a message that arrived now.
    pub fn correct(&mut self, timestamp_ms: i64, now_ms: i64) -> i64 {
        let lead_ms = timestamp_ms.saturating_sub(now_ms);
        if lead_ms <= self.largest_ms {
            if self.leads_ms.len() == LATEST {
                self.leads_ms.pop_front();
            }
            self.leads_ms.push_back(lead_ms.max(0));
        }
        timestamp_ms.saturating_sub(self.ahead_ms()).min(now_ms)
    }

    fn ahead_ms(&self) -> i64 {
        if self.leads_ms.len() < FEWEST {
            return 0;
        }
        let mut leads_ms: Vec<i64> = self.leads_ms.iter().copied().collect();
        let quarter = leads_ms.len() / 4;
        *leads_ms.select_nth_unstable(quarter).1
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
        for now_ms in (90_000..120_000).step_by(1_000) {
            // The network takes up to two seconds.
            let delay_ms = now_ms / 1_000 % 3 * 1_000;
            let corrected = skew.correct(now_ms + 100_000 - delay_ms, now_ms);
            assert!((now_ms - 2_000..=now_ms).contains(&corrected), "{corrected} at {now_ms}");
        }
        let [first, second] = [219_000, 219_400].map(|timestamp_ms| skew.correct(timestamp_ms, 121_500));
        assert_eq!(second - first, 400, "the distance of messages that were under way longer stays");
    }

    #[test]
    fn history_and_a_right_clock_are_left_alone() {
        let mut skew = Skew::default();
        for now_ms in 90_000..90_100 {
            assert_eq!(skew.correct(1_000, now_ms), 1_000);
            assert_eq!(skew.correct(now_ms - 100, now_ms), now_ms - 100);
        }
    }

    #[test]
    fn a_clock_that_is_behind_is_left_alone() {
        let mut skew = Skew::default();
        assert!((90_000..90_100).all(|now_ms| skew.correct(now_ms - 60_000, now_ms) == now_ms - 60_000));
    }

    #[test]
    fn a_time_beyond_the_bound_becomes_its_arrival_and_moves_no_other_message() {
        let mut skew = Skew::up_to(60_000);
        assert!((0..100).all(|_| skew.correct(10_000_000, 1_000_000) == 1_000_000));
        assert_eq!(skew.correct(i64::MAX, -1), -1);
        assert_eq!(skew.correct(1_000_000, 1_000_000), 1_000_000);
    }

    #[test]
    fn a_single_time_from_tomorrow_moves_no_other_message() {
        let mut skew = Skew::default();
        assert_eq!(skew.correct(1_000_000, 1_000_000), 1_000_000);
        assert_eq!(skew.correct(90_000_000, 1_000_100), 1_000_100);
        assert_eq!(skew.correct(1_000_200, 1_000_200), 1_000_200);
    }

    #[test]
    fn the_few_whose_clocks_are_ahead_move_no_other_message() {
        let mut skew = Skew::default();
        for now_ms in 1_000_000..1_000_500 {
            let ahead = now_ms % 3 == 0;
            assert_eq!(skew.correct(if ahead { now_ms + 120_000 } else { now_ms }, now_ms), now_ms);
        }
    }

    #[test]
    fn history_that_is_told_again_makes_no_later_message_late() {
        let mut skew = Skew::default();
        for age_ms in (0..300).rev().map(|age_s| age_s * 1_000) {
            assert!(skew.correct(1_100_000 - age_ms, 1_000_000) <= 1_000_000);
        }
        for now_ms in 1_000_000..1_000_100 {
            let corrected = skew.correct(now_ms + 100_000, now_ms);
            assert_eq!(corrected, now_ms);
        }
    }

    #[test]
    fn a_clock_that_was_set_right_is_trusted_again_soon() {
        let mut skew = Skew::default();
        for _ in 0..2 * LATEST {
            skew.correct(100_000, 90_000);
        }
        let late = (0..LATEST).filter(|_| skew.correct(90_000, 90_000) != 90_000).count();
        assert!(late <= LATEST / 4, "{late}");
    }
}
