//! What a window keeps for longer time frames: who wrote, and the entries behind the short lists.

use tidemill_schemas::{Chatters, HotTopic, Remainder, UserActivity};

use super::reading::Reading;
use super::shifts::fingerprint;

/// A sample has at most this many authors. A smaller crowd is in it whole.
const SAMPLE: usize = 256;

/// The remainder of a window. `active_users` are all authors behind those that are shown, the most active first.
pub(super) fn remainder(
    reading: &Reading<'_>,
    mut active_users: Vec<UserActivity>,
    kept_users: usize,
    hot_topics: Vec<HotTopic>,
) -> Remainder {
    let others_at_most = active_users.get(kept_users).map_or(0, |user| user.chats);
    active_users.truncate(kept_users);
    let chatters = chatters(reading.users.iter().map(|user| user.user_id.as_str()));
    Remainder { chatters, active_users, others_at_most, hot_topics }
}

/// The sample of some authors.
fn chatters<'a>(ids: impl Iterator<Item = &'a str>) -> Chatters {
    let mut hashes: Vec<u32> = ids.map(author_hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    let below = hashes.get(SAMPLE).map_or(Chatters::ALL, |hash| u64::from(*hash));
    hashes.truncate(SAMPLE);
    Chatters { below, hashes }
}

/// The hash of an author in samples. Its values are spread evenly, also for ids that resemble each other.
pub(in crate::apps::live_insight) fn author_hash(user_id: &str) -> u32 {
    let mut mixed = fingerprint(user_id);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_crowd_is_in_the_sample_whole_and_a_large_one_in_part() {
        let crowd =
            |size: usize| chatters((0..size).map(|at| format!("u{at}")).collect::<Vec<_>>().iter().map(String::as_str));
        let small = crowd(SAMPLE);
        assert_eq!((small.below, small.hashes.len()), (Chatters::ALL, SAMPLE));
        let large = crowd(20_000);
        assert_eq!(large.hashes.len(), SAMPLE);
        assert!(large.hashes.iter().all(|hash| u64::from(*hash) < large.below));
        let estimate = SAMPLE as f64 * Chatters::ALL as f64 / large.below as f64;
        assert!((estimate / 20_000.0 - 1.0).abs() < 0.15, "{estimate}");
    }
}
