//! A member that is alone in its group.

use std::{slice::from_ref, time::Duration};

use tidemill::transport::{ProducerRecord, TransportError};

use crate::{Site, Tested, member::at};

pub(crate) fn a_member_goes_on_where_its_predecessor_committed(site: &Site) -> Tested {
    site.create("in", 1)?;
    site.send("in", 0, &["a", "b", "c"])?;
    let partition = site.partition("in", 0);
    let mut first = site.member("first", &["in"])?;
    first.until_it_read(3)?;
    assert_eq!(first.values, ["a", "b", "c"]);
    first.consumer.commit(&[(partition.clone(), at(2))])?;
    drop(first);
    let mut second = site.member("second", &["in"])?;
    second.until_it_read(1)?;
    assert_eq!(second.values, ["c"]);
    assert_eq!(second.consumer.committed(from_ref(&partition))?, [Some(at(2))]);
    Ok(())
}

pub(crate) fn what_is_committed_beside_an_offset_comes_back(site: &Site) -> Tested {
    site.create("in", 2)?;
    let mut member = site.member("a", &["in"])?;
    member.until_it_owns(2)?;
    let both = [site.partition("in", 0), site.partition("in", 1)];
    assert_eq!(member.consumer.committed(&both)?, [None, None]);
    member.consumer.commit(&[(both[1].clone(), at(0))])?;
    let mut outsider = site.outsider("b", Duration::from_secs(45))?;
    assert_eq!(outsider.committed(&both)?, [None, Some(at(0))]);
    assert_eq!(outsider.committed_now(&both)?, [None, Some(at(0))]);
    member.consumer.commit(&[(both[1].clone(), at(1))])?;
    assert_eq!(outsider.committed_now(&both)?, [None, Some(at(1))]);
    member.consumer.commit(&[(both[1].clone(), at(0))])?;
    let [zero, one] = both;
    assert_eq!(outsider.committed(&[one, zero])?, [Some(at(0)), None], "in the order asked");
    Ok(())
}

pub(crate) fn pause_resume_and_seek_move_the_fetch(site: &Site) -> Tested {
    site.create("in", 2)?;
    site.send("in", 0, &["a", "b", "c"])?;
    let paused = site.partition("in", 0);
    let mut member = site.member("a", &["in"])?;
    assert!(matches!(member.consumer.pause(from_ref(&paused)), Err(TransportError::Invalid(_))), "not owned yet");
    member.until_it_owns(2)?;
    let read_before = member.values.len();
    member.consumer.pause(from_ref(&paused))?;
    site.send("in", 1, &["other"])?;
    member.until_it_read(read_before + 1)?;
    assert_eq!(member.values.pop().as_deref(), Some("other"), "the paused one brings nothing");
    site.send("in", 0, &["d"])?;
    for _ in 0..10 {
        member.poll()?;
    }
    assert_eq!(member.values.len(), read_before);
    assert!(!member.consumer.is_caught_up(&paused));
    member.consumer.resume(from_ref(&paused))?;
    member.until_it_read(4)?;
    assert_eq!(member.values, ["a", "b", "c", "d"]);
    member.consumer.seek(&paused, 1)?;
    member.until_it_read(7)?;
    assert_eq!(member.values[4..], ["b", "c", "d"]);
    Ok(())
}

pub(crate) fn a_member_knows_that_it_has_read_everything(site: &Site) -> Tested {
    site.create("in", 2)?;
    let (used, empty) = (site.partition("in", 0), site.partition("in", 1));
    let mut member = site.member("a", &["in"])?;
    member.until("the empty ones are read", |member| {
        member.consumer.is_caught_up(&used) && member.consumer.is_caught_up(&empty)
    })?;
    site.send("in", 0, &["a"])?;
    member.until_it_read(1)?;
    member.until("the end is known", |member| member.consumer.is_caught_up(&used))?;

    // What a committed read does not see is nothing to wait for.
    let mut producer = site.transactional("id")?;
    for commits in [true, false] {
        producer.begin_transaction()?;
        producer.send(site.record("in", 0, "b"))?;
        if commits {
            producer.commit_transaction()?;
        } else {
            producer.abort_transaction()?;
        }
    }
    member.until_it_read(2)?;
    member.until("the aborted one is passed", |member| member.consumer.is_caught_up(&used))?;
    assert_eq!(member.values, ["a", "b"]);
    Ok(())
}

pub(crate) fn a_member_may_seek_as_soon_as_it_owns_a_partition(site: &Site) -> Tested {
    site.create("in", 1)?;
    site.send("in", 0, &["a", "b", "c"])?;
    let partition = site.partition("in", 0);
    let mut member = site.member("a", &["in"])?;
    while member.owned.is_empty() {
        member.poll()?;
    }
    // A poll with a rebalance brings no records, so nothing was read yet.
    member.consumer.seek(&partition, 2)?;
    site.send("in", 0, &["d"])?;
    member.until_it_read(2)?;
    assert_eq!(member.values, ["c", "d"]);
    Ok(())
}

pub(crate) fn an_offset_is_found_by_time(site: &Site) -> Tested {
    site.create("in", 1)?;
    let mut producer = site.producer()?;
    for (value, timestamp) in [("a", 1_000), ("b", 3_000), ("c", 2_000), ("d", 4_000)] {
        producer.send(ProducerRecord { timestamp, ..site.record("in", 0, value) })?;
    }
    producer.flush()?;
    let partition = site.partition("in", 0);
    let mut outsider = site.outsider("a", Duration::from_secs(45))?;
    for (time, offset) in [(0, Some(0)), (1_000, Some(0)), (1_001, Some(1)), (3_001, Some(3)), (4_001, None)] {
        assert_eq!(outsider.offset_at(&partition, time)?, offset, "{time}");
    }
    Ok(())
}
