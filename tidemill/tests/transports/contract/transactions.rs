//! Transactions.

use std::time::Duration;

use tidemill::transport::{Consumed, TransportError};

use super::on_its_way::OnItsWay;
use crate::{Site, Tested, member::at, wait_for};

pub(crate) fn a_transaction_happens_whole_or_not_at_all(site: &Site) -> Tested {
    site.create("in", 1)?;
    site.create("out", 2)?;
    let mut member = site.member("a", &["in"])?;
    member.until_it_owns(1)?;
    let mut outsider = site.outsider("b", Duration::from_secs(45))?;
    let input = site.partition("in", 0);
    let mut producer = site.transactional("id")?;
    for (number, commits) in [(1, false), (2, true), (3, false), (4, true)] {
        let value = number.to_string();
        producer.begin_transaction()?;
        producer.send(site.record("out", 0, &value))?;
        producer.send(site.record("out", 1, &value))?;
        let before = site.values("out")?;
        producer.send_offsets(Consumed {
            offsets: &[(input.clone(), at(number))],
            member: &member.consumer.group_metadata(),
        })?;
        if commits {
            producer.commit_transaction()?;
        } else {
            producer.abort_transaction()?;
        }
        let after = site.values("out")?;
        assert_eq!(after.len(), before.len() + if commits { 2 } else { 0 }, "{before:?} {after:?}");
        let expected = [None, None, Some(at(2)), Some(at(2)), Some(at(4))][number as usize].clone();
        wait_for("the offset is settled", || match outsider.committed(std::slice::from_ref(&input)) {
            Err(TransportError::Retriable(_)) => Ok(None),
            committed => Ok((committed? == [expected.clone()]).then_some(())),
        })?;
    }
    assert_eq!(site.values("out")?, ["2", "4", "2", "4"]);
    Ok(())
}

pub(crate) fn the_next_transaction_may_be_filled_while_one_commits(site: &Site) -> Tested {
    site.create("in", 1)?;
    site.create("out", 1)?;
    let mut member = site.member("a", &["in"])?;
    member.until_it_owns(1)?;
    let mut producer = site.transactional("id")?;
    let input = site.partition("in", 0);
    let mut expected = Vec::new();
    for (number, keeps) in [(1, true), (2, false), (3, true), (4, true)] {
        let (first, next) = (format!("first {number}"), format!("next {number}"));
        producer.begin_transaction()?;
        producer.send(site.record("out", 0, &first))?;
        let consumed = Consumed { offsets: &[(input.clone(), at(number))], member: &member.consumer.group_metadata() };
        let mut commit = OnItsWay::begun(producer.begin_commit(Some(consumed))?);
        wait_for("the next one may be sent to", || commit.lets_more_be_sent())?;
        producer.begin_transaction()?;
        producer.send(site.record("out", 0, &next))?;
        let acknowledged: Vec<_> = commit.end()?.into_keys().collect();
        assert_eq!(acknowledged, [site.partition("out", 0)]);
        expected.push(first);
        assert_eq!(site.values("out")?, expected, "what was sent ahead is not committed");
        if keeps {
            producer.commit_transaction()?;
            expected.push(next);
        } else {
            producer.abort_transaction()?;
        }
        assert_eq!(site.values("out")?, expected);
    }
    let mut outsider = site.outsider("b", Duration::from_secs(45))?;
    wait_for("the offset is settled", || match outsider.committed(std::slice::from_ref(&input)) {
        Err(TransportError::Retriable(_)) => Ok(None),
        committed => Ok((committed? == [Some(at(4))]).then_some(())),
    })
}

pub(crate) fn a_newer_producer_fences_the_older(site: &Site) -> Tested {
    site.create("out", 1)?;
    // However many transactions the older one has behind it.
    for commits in 0..=2 {
        let mut old = site.transactional("id")?;
        for _ in 0..commits {
            old.begin_transaction()?;
            old.send(site.record("out", 0, "whole"))?;
            old.commit_transaction()?;
        }
        old.begin_transaction()?;
        old.send(site.record("out", 0, "old"))?;
        let mut new = site.transactional("id")?;
        new.begin_transaction()?;
        new.send(site.record("out", 0, "new"))?;
        let fenced = old.commit_transaction();
        assert!(matches!(fenced, Err(TransportError::Fenced(_))), "{commits}: {fenced:?}");
        new.commit_transaction()?;
    }
    assert_eq!(site.values("out")?, ["new", "whole", "new", "whole", "whole", "new"]);
    Ok(())
}

pub(crate) fn what_a_producer_left_open_is_aborted_by_its_successor(site: &Site) -> Tested {
    site.create("in", 1)?;
    site.create("out", 1)?;
    let mut member = site.member("a", &["in"])?;
    member.until_it_owns(1)?;
    let input = site.partition("in", 0);
    let mut old = site.transactional("id")?;
    old.begin_transaction()?;
    old.send(site.record("out", 0, "left open"))?;
    old.send_offsets(Consumed { offsets: &[(input.clone(), at(1))], member: &member.consumer.group_metadata() })?;
    drop(old);
    let mut new = site.transactional("id")?;
    new.begin_transaction()?;
    new.send(site.record("out", 0, "whole"))?;
    new.commit_transaction()?;
    assert_eq!(site.values("out")?, ["whole"]);
    let committed =
        wait_for("the offset is settled", || match member.consumer.committed(std::slice::from_ref(&input)) {
            Err(TransportError::Retriable(_)) => Ok(None),
            committed => Ok(Some(committed?)),
        })?;
    assert_eq!(committed, [None]);
    Ok(())
}

pub(crate) fn a_member_that_was_replaced_cannot_commit_in_a_transaction(site: &Site) -> Tested {
    site.create("in", 1)?;
    site.create("out", 1)?;
    let session = Duration::from_secs(2);
    let mut zombie = site.member_with_session("a", &["in"], session)?;
    zombie.until_it_owns(1)?;
    let stale = zombie.consumer.group_metadata();
    let mut heir = site.member_with_session("b", &["in"], session)?;
    // Nobody polls the zombie meanwhile.
    heir.until_it_owns(1)?;
    let mut producer = site.transactional("zombie")?;
    producer.begin_transaction()?;
    producer.send(site.record("out", 0, "stale"))?;
    let committed = producer
        .send_offsets(Consumed { offsets: &[(site.partition("in", 0), at(1))], member: &stale })
        .and_then(|()| producer.commit_transaction());
    assert!(matches!(committed, Err(TransportError::Fenced(_))), "{committed:?}");
    drop(producer);
    let mut successor = site.transactional("zombie")?;
    // Who does not poll for a session's length has left, and has to come back.
    heir.until_it_owns(1)?;
    successor.begin_transaction()?;
    successor.send(site.record("out", 0, "fresh"))?;
    successor.send_offsets(Consumed {
        offsets: &[(site.partition("in", 0), at(0))],
        member: &heir.consumer.group_metadata(),
    })?;
    successor.commit_transaction()?;
    assert_eq!(site.values("out")?, ["fresh"]);
    Ok(())
}
