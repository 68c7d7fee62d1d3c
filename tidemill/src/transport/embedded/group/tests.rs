//! The members of a group: who gets which partitions, and when.

use super::*;

/// A member as it sees itself: the partitions that it believes to own, and those that it must give back.
#[derive(Default)]
struct Believer {
    owned: BTreeSet<TopicPartition>,
    revoked: Vec<TopicPartition>,
    generation: i32,
}

fn counts(topic: &str) -> Option<i32> {
    (!topic.is_empty()).then_some(topic.len() as i32)
}

fn poll(group: &mut Group, id: &str, believer: &mut Believer) {
    let Some(changes) = group.reconcile(id) else { return };
    for change in changes {
        match change {
            Rebalance::Assigned(partitions) => believer.owned.extend(partitions),
            Rebalance::Revoked(partitions) => believer.revoked.extend(partitions),
            Rebalance::Lost(_) => unreachable!("no topic is deleted here"),
        }
    }
    let generation = group.member(id).map_or(0, |member| member.generation);
    assert!(generation >= believer.generation);
    believer.generation = generation;
}

fn release(group: &mut Group, id: &str, believer: &mut Believer) {
    for partition in std::mem::take(&mut believer.revoked) {
        group.release(id, std::slice::from_ref(&partition));
        believer.owned.remove(&partition);
    }
}

fn speaker(id: &str, generation: i32) -> GroupMetadata {
    GroupMetadata { group: "g".to_owned(), member: id.to_owned(), generation }
}

#[test]
fn no_order_of_events_gives_a_partition_two_owners() {
    for seed in 1..200_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut group = Group::default();
        let mut members: BTreeMap<MemberId, Believer> = BTreeMap::new();
        let topics: Vec<Topic> = vec!["aaaaa".into(), "bbbbb".into(), "ccc".into()];
        for _ in 0..100 {
            let chosen = members.keys().nth(next(5) as usize).cloned();
            match (next(6), chosen) {
                (0, _) => {
                    let topics = &topics[next(2) as usize..];
                    let (id, _) = group.join(["a", "b", "c"][next(3) as usize], 10, topics, 0, &counts);
                    members.insert(id, Believer::default());
                }
                (1, Some(id)) if next(3) == 0 => {
                    group.leave(&id, &counts);
                    members.remove(&id);
                }
                (2, Some(id)) => release(&mut group, &id, members.get_mut(&id).expect("it is a member")),
                (_, Some(id)) => poll(&mut group, &id, members.get_mut(&id).expect("it is a member")),
                (_, None) => {}
            }
            let all: Vec<_> = members.values().flat_map(|member| &member.owned).collect();
            let distinct: BTreeSet<_> = all.iter().collect();
            assert_eq!(all.len(), distinct.len(), "seed {seed}");
            for (id, believer) in &members {
                let admitted = group.admits(&speaker(id, believer.generation), believer.owned.iter());
                assert!(admitted.is_ok(), "seed {seed}: {admitted:?}");
            }
        }
        for _ in 0..3 {
            for (id, believer) in &mut members {
                poll(&mut group, id, believer);
                release(&mut group, id, believer);
            }
        }
        for (id, believer) in &members {
            let target = &group.members[id].target;
            assert_eq!(&believer.owned, target, "seed {seed}: the group settles");
        }
    }
}

#[test]
fn who_is_no_member_may_commit_only_while_there_is_none() {
    let mut group = Group::default();
    let partition = TopicPartition::new("a", 0);
    assert!(group.admits(&speaker("", -1), [&partition].into_iter()).is_ok());
    let (id, _) = group.join("a", 10, &["a".into()], 0, &counts);
    assert!(group.admits(&speaker("", -1), [&partition].into_iter()).is_err());
    assert!(group.admits(&speaker(&id, 0), [&partition].into_iter()).is_err());
    group.reconcile(&id);
    assert!(group.admits(&speaker(&id, 1), [&partition].into_iter()).is_ok());
    assert!(group.admits(&speaker(&id, 2), [&partition].into_iter()).is_err());
}

#[test]
fn a_session_ends_at_its_timeout() {
    let mut group = Group::default();
    let (_, heartbeat_ms) = group.join("a", 10, &["a".into()], 0, &counts);
    heartbeat_ms.store(5, Ordering::SeqCst);
    assert!(group.expire(14, &counts).is_empty());
    assert_eq!(group.signal.next_expiry_ms.load(Ordering::SeqCst), 15);
    assert_eq!(group.expire(15, &counts).len(), 1);
    assert!(group.member("a-00000001").is_none());
}
