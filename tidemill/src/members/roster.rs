//! The instances of an application, read from the members topic.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Member;
use crate::{names::TaskId, transport::Offset};

/// All instances that sent a record and have not deleted it.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    members: BTreeMap<Arc<str>, KnownMember>,
}

#[derive(Debug)]
struct KnownMember {
    member: Member,
    /// The time of the last record, by the reader's clock, because the clocks of two machines never agree.
    heard_ms: i64,
    /// For each of its tasks, the offset of the record that first claimed the task.
    since: BTreeMap<TaskId, Offset>,
}

impl Roster {
    /// Takes in an instance's record or tombstone.
    pub(crate) fn hear(&mut self, id: &[u8], value: Option<&[u8]>, offset: Offset, heard_ms: i64) {
        let Ok(id) = std::str::from_utf8(id) else { return };
        let Some(value) = value else {
            self.members.remove(id);
            return;
        };
        let Some(member) = Member::decode(value) else {
            tracing::warn!(member = id, offset, "the members topic has a record that cannot be decoded");
            return;
        };
        let before = self.members.get(id);
        // A second read of the topic returns old records again. The later time counts.
        let heard_ms = before.map_or(heard_ms, |entry| entry.heard_ms.max(heard_ms));
        let since = |task: &TaskId| before.and_then(|entry| entry.since.get(task)).copied().unwrap_or(offset);
        let since = member.active.iter().map(|task| (*task, since(task))).collect();
        self.members.insert(id.into(), KnownMember { member, heard_ms, since });
    }

    /// The instances that were heard within the time-out, by id.
    pub(crate) fn live(&self, now_ms: i64, timeout_ms: i64) -> impl Iterator<Item = (&Arc<str>, &Member)> {
        let live = move |(_, entry): &(_, &KnownMember)| now_ms - entry.heard_ms <= timeout_ms;
        self.members.iter().filter(live).map(|(id, entry)| (id, &entry.member))
    }

    /// The instances that were last heard before `before_ms`. Their records can be deleted.
    pub(crate) fn silent_since(&self, before_ms: i64) -> Vec<Arc<str>> {
        self.members.iter().filter(|(_, entry)| entry.heard_ms < before_ms).map(|(id, _)| id.clone()).collect()
    }

    /// The owner of each task among the live instances. If two instances claim a task, because one does not know yet
    /// that it lost the task, the later claim counts. The tasks of `me` come from `mine`, not from the topic.
    pub(crate) fn owners(
        &self,
        me: &Arc<str>,
        mine: &BTreeSet<TaskId>,
        now_ms: i64,
        timeout_ms: i64,
    ) -> BTreeMap<TaskId, Arc<str>> {
        let mut latest = BTreeMap::<TaskId, (Offset, Arc<str>)>::new();
        for (id, _) in self.live(now_ms, timeout_ms).filter(|(id, _)| *id != me) {
            for (task, since) in &self.members[id].since {
                let claim = latest.entry(*task).or_insert_with(|| (*since, id.clone()));
                if *since > claim.0 {
                    *claim = (*since, id.clone());
                }
            }
        }
        let mut owners: BTreeMap<_, _> = latest.into_iter().map(|(task, (_, id))| (task, id)).collect();
        owners.extend(mine.iter().map(|task| (*task, me.clone())));
        owners
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT_MS: i64 = 100;

    fn task(partition: i32) -> TaskId {
        TaskId { subtopology: 0, partition }
    }

    fn says(roster: &mut Roster, id: &str, tasks: &[i32], offset: Offset, heard_ms: i64) {
        let member = Member { active: tasks.iter().copied().map(task).collect(), ..Member::default() };
        roster.hear(id.as_bytes(), Some(&member.encode()), offset, heard_ms);
    }

    fn owner(roster: &Roster, partition: i32, now_ms: i64) -> Option<String> {
        let owners = roster.owners(&"me".into(), &[task(9)].into(), now_ms, TIMEOUT_MS);
        owners.get(&task(partition)).map(ToString::to_string)
    }

    #[test]
    fn whoever_is_silent_for_too_long_or_says_goodbye_is_gone() {
        let mut roster = Roster::default();
        says(&mut roster, "a", &[0], 0, 0);
        says(&mut roster, "b", &[1], 1, 60);
        let live = |roster: &Roster, now_ms| roster.live(now_ms, TIMEOUT_MS).map(|(id, _)| id.to_string()).collect();
        let all: Vec<String> = live(&roster, 100);
        assert_eq!(all, ["a", "b"]);
        let later: Vec<String> = live(&roster, 101);
        assert_eq!(later, ["b"]);
        assert_eq!((owner(&roster, 0, 101), owner(&roster, 1, 101).as_deref()), (None, Some("b")));
        assert_eq!(roster.silent_since(60), ["a".into()]);
        roster.hear(b"b", None, 2, 101);
        let none: Vec<String> = live(&roster, 101);
        assert!(none.is_empty());
    }

    #[test]
    fn of_two_that_claim_a_task_the_later_one_owns_it() {
        let mut roster = Roster::default();
        says(&mut roster, "a", &[0, 1], 0, 0);
        says(&mut roster, "b", &[1], 1, 0);
        says(&mut roster, "a", &[0, 1], 2, 0);
        assert_eq!(owner(&roster, 1, 0).as_deref(), Some("b"), "a only repeats itself");
        says(&mut roster, "b", &[], 3, 0);
        assert_eq!(owner(&roster, 1, 0).as_deref(), Some("a"));
    }

    #[test]
    fn what_is_owned_here_needs_no_topic() {
        let mut roster = Roster::default();
        says(&mut roster, "a", &[9], 0, 0);
        says(&mut roster, "me", &[3], 1, 0);
        assert_eq!(owner(&roster, 9, 0).as_deref(), Some("me"));
        assert_eq!(owner(&roster, 3, 0), None, "what was said before is not what is");
    }
}
