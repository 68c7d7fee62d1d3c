//! The placement of standbys: a function of the live instances, so all instances agree without messages.

use std::{cmp::Reverse, sync::Arc};

use crate::{names::TaskId, partitioner::murmur2};

/// The instances that keep standbys of a task: at most `replicas`, and never the owner.
///
/// Rendezvous hashing: an instance's rank for a task depends only on the two ids. A new instance takes only the tasks
/// for which its rank is high enough. If an instance goes, only its own standbys move.
pub(crate) fn standbys_of<'a>(
    task: TaskId,
    owner: &str,
    members: impl IntoIterator<Item = &'a Arc<str>>,
    replicas: usize,
) -> Vec<Arc<str>> {
    let others = members.into_iter().filter(|member| ***member != *owner);
    let mut ranked: Vec<_> = others.map(|member| (Reverse(rank(task, member)), member.clone())).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(replicas).map(|(_, member)| member).collect()
}

fn rank(task: TaskId, member: &str) -> u32 {
    murmur2(format!("{task}@{member}").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const TASKS: i32 = 300;

    fn members(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    /// The standbys of each task. The owners alternate between two members that are always there.
    fn place(members: &[Arc<str>], replicas: usize) -> BTreeMap<i32, Vec<Arc<str>>> {
        let place = |partition| {
            let owner = if partition % 2 == 0 { "a" } else { "b" };
            (partition, standbys_of(TaskId { subtopology: 0, partition }, owner, members, replicas))
        };
        (0..TASKS).map(place).collect()
    }

    #[test]
    fn the_owner_is_never_its_own_standby_and_nobody_stands_by_twice() {
        for (partition, standbys) in place(&members(&["a", "b", "c"]), 5) {
            let owner = if partition % 2 == 0 { "a" } else { "b" };
            let mut names: Vec<_> = standbys.iter().map(|name| &**name).collect();
            names.sort_unstable();
            let others: Vec<_> = ["a", "b", "c"].into_iter().filter(|name| *name != owner).collect();
            assert_eq!(names, others, "as many as there are, if more are asked for");
        }
        assert_eq!(standbys_of(TaskId { subtopology: 0, partition: 0 }, "a", &members(&["a"]), 1), members(&[]));
    }

    #[test]
    fn the_order_in_which_members_are_known_does_not_matter() {
        assert_eq!(place(&members(&["a", "b", "c", "d"]), 2), place(&members(&["d", "b", "a", "c"]), 2));
    }

    #[test]
    fn a_member_that_comes_or_goes_moves_only_what_is_its_own() {
        let (few, more) = (members(&["a", "b", "c", "d"]), members(&["a", "b", "c", "d", "e"]));
        let (before, after) = (place(&few, 1), place(&more, 1));
        let moved = before.iter().filter(|(partition, standbys)| after[partition] != **standbys);
        let moved: Vec<_> = moved.map(|(partition, _)| &*after[partition][0]).collect();
        assert!(moved.iter().all(|to| *to == "e"), "nothing moves between those that stay");
        assert!(
            (TASKS as usize / 10..TASKS as usize / 2).contains(&moved.len()),
            "a fair share moves: {}",
            moved.len()
        );
    }

    #[test]
    fn tasks_spread_over_the_members() {
        let mut counts = BTreeMap::<Arc<str>, i32>::new();
        for standby in place(&members(&["a", "b", "c", "d", "e"]), 2).into_values().flatten() {
            *counts.entry(standby).or_default() += 1;
        }
        let fair = TASKS * 2 / 5;
        assert!(counts.values().all(|count| (fair / 2..fair * 2).contains(count)), "{counts:?}");
    }
}
