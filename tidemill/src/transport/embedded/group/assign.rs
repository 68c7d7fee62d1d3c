//! The range assignment: equal-numbered partitions of equally partitioned topics go to the same member.

use std::ops::Range;

/// The partitions of the member at index `place` of `members`. If the number does not divide evenly, each of the first
/// members gets one more.
pub(in crate::transport::embedded) fn range(partitions: i32, members: usize, place: usize) -> Range<i32> {
    let members = members as i32;
    let place = place as i32;
    let (each, rest) = (partitions / members, partitions % members);
    let start = place * each + place.min(rest);
    start..start + each + i32::from(place < rest)
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn every_partition_has_one_owner_and_shares_differ_by_one() {
        for partitions in 0..40 {
            for members in 1..12 {
                let shares: Vec<_> = (0..members).map(|place| range(partitions, members, place)).collect();
                let all: Vec<i32> = shares.iter().cloned().flatten().collect();
                assert_eq!(all, (0..partitions).collect::<Vec<_>>());
                let sizes = shares.iter().map(ExactSizeIterator::len);
                let spread = sizes.clone().max().unwrap_or(0) - sizes.min().unwrap_or(0);
                assert!(spread <= 1, "{partitions} partitions, {members} members: {shares:?}");
            }
        }
    }
}
