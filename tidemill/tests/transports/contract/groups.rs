//! Members that share.

use std::time::Duration;

use tidemill::transport::{Rebalance, TransportError};

use crate::{
    Site, Tested,
    member::{Member, at},
    wait_for,
};

/// Polls all and releases what is asked back until each owns its count.
fn settle(members: &mut [Member], counts: &[usize]) -> Tested {
    wait_for(&format!("{counts:?} are owned"), || {
        for member in members.iter_mut() {
            member.poll()?;
            if !member.revoked.is_empty() {
                member.release()?;
            }
        }
        let owned: Vec<_> = members.iter().map(|member| member.owned.len()).collect();
        Ok((owned == counts).then_some(()))
    })
}

pub(crate) fn same_numbered_partitions_stay_together(site: &Site) -> Tested {
    site.create("left", 6)?;
    site.create("right", 6)?;
    let mut members = Vec::new();
    for (client, counts) in [("a", &[12][..]), ("b", &[6, 6]), ("c", &[4, 4, 4])] {
        members.push(site.member(client, &["left", "right"])?);
        settle(&mut members, counts)?;
        let mut numbers = Vec::new();
        for member in &members {
            let of = |topic: &str| -> Vec<i32> {
                let topic = site.topic(topic);
                member.owned.iter().filter(|owned| owned.topic == topic).map(|owned| owned.partition).collect()
            };
            assert_eq!(of("left"), of("right"));
            numbers.extend(of("left"));
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    }
    assert!(members.iter().all(|member| member.lost.is_empty()));
    members.truncate(1);
    settle(&mut members, &[12])
}

pub(crate) fn a_revoked_partition_waits_for_its_release(site: &Site) -> Tested {
    site.create("in", 2)?;
    for partition in 0..2 {
        site.send("in", partition, &["a", "b"])?;
    }
    let mut first = site.member("a", &["in"])?;
    first.until_it_owns(2)?;
    first.until_it_read(4)?;
    let mut second = site.member("b", &["in"])?;
    wait_for("one is asked back", || {
        second.poll()?;
        first.poll()?;
        Ok((!first.revoked.is_empty()).then_some(()))
    })?;
    for _ in 0..20 {
        second.poll()?;
        first.poll()?;
    }
    assert!(second.owned.is_empty(), "it is not released yet");
    // It can be committed still.
    let moves = first.revoked[0].clone();
    assert_eq!(first.revoked.len(), 1);
    first.consumer.commit(&[(moves.clone(), at(1))])?;
    first.release()?;
    wait_for("the other gets it", || {
        first.poll()?;
        second.poll()?;
        Ok((second.values.len() == 1).then_some(()))
    })?;
    assert_eq!(second.owned.iter().collect::<Vec<_>>(), [&moves]);
    assert_eq!(second.values, ["b"], "it goes on where the first committed");
    drop(second);
    first.until_it_owns(2)
}

pub(crate) fn a_zombie_loses_everything_and_joins_anew(site: &Site) -> Tested {
    site.create("in", 2)?;
    let session = Duration::from_secs(2);
    let mut zombie = site.member_with_session("a", &["in"], session)?;
    zombie.until_it_owns(2)?;
    // Nobody polls it any more.
    let mut heir = site.member_with_session("b", &["in"], session)?;
    heir.until_it_owns(2)?;
    let partition = site.partition("in", 0);
    let stale = zombie.consumer.commit(&[(partition.clone(), at(1))]);
    assert!(matches!(stale, Err(TransportError::Fenced(_))), "{stale:?}");
    heir.consumer.commit(&[(partition.clone(), at(0))])?;
    let is_told = wait_for("the zombie learns that it lost all", || {
        heir.poll()?;
        match zombie.consumer.poll(Duration::from_millis(20)) {
            Ok(polled) => Ok(polled.rebalances.into_iter().find_map(|rebalance| match rebalance {
                Rebalance::Lost(partitions) => Some(partitions.len() == 2),
                _ => None,
            })),
            // A member that cannot go on says so; whoever runs it opens another.
            Err(TransportError::Fenced(_)) => {
                zombie = site.member_with_session("a", &["in"], session)?;
                Ok(Some(true))
            }
            Err(error) => Err(error.into()),
        }
    })?;
    assert!(is_told, "of both at once");
    zombie.owned.clear();
    let mut members = [zombie, heir];
    settle(&mut members, &[1, 1])?;
    let [zombie, heir] = &mut members;
    let committed = zombie.consumer.committed(std::slice::from_ref(&partition))?;
    assert_eq!(committed, [Some(at(0))]);
    assert!(heir.lost.is_empty());
    Ok(())
}
