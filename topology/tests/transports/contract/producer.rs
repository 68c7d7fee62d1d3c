//! Producers, but for what transactions promise.

use std::time::Duration;

use tidemill_topology::transport::{ProducerConfig, TransportError};

use crate::{Site, Tested, wait_for};

pub(crate) fn what_is_acknowledged_is_told_once(site: &Site) -> Tested {
    site.create("out", 3)?;
    let mut plain = site.producer()?;
    let mut transactional = site.transactional("id")?;
    for round in 0..2 {
        for value in ["a", "b"] {
            plain.send(site.record("out", 0, value))?;
        }
        plain.flush()?;
        assert_eq!(plain.take_acknowledged(), [(site.partition("out", 0), 2 + 2 * round)]);
        assert_eq!(plain.take_acknowledged(), []);

        transactional.begin_transaction()?;
        transactional.send(site.record("out", 1, "c"))?;
        transactional.commit_transaction()?;
        let (_, last) =
            site.read_all("out")?.into_iter().rfind(|(partition, _)| *partition == 1).ok_or("it is there")?;
        assert_eq!(transactional.take_acknowledged(), [(site.partition("out", 1), last.offset + 1)]);

        transactional.begin_transaction()?;
        transactional.send(site.record("out", 2, "d"))?;
        transactional.abort_transaction()?;
        assert_eq!(transactional.take_acknowledged(), [], "what was aborted is nothing to remember");
    }
    Ok(())
}

pub(crate) fn a_flush_tells_of_nothing_that_was_sent_after_it_began(site: &Site) -> Tested {
    site.create("out", 1)?;
    let out = site.partition("out", 0);
    let mut producer = site.producer()?;
    let mut expected = Vec::new();
    for round in 0..3 {
        for value in ["a", "b"] {
            producer.send(site.record("out", 0, value))?;
        }
        producer.begin_flush()?;
        let mut done = false;
        wait_for("more may be sent", || {
            done = done || producer.poll_flush(Duration::ZERO)?;
            Ok((done || producer.may_send_ahead()).then_some(()))
        })?;
        producer.send(site.record("out", 0, "c"))?;
        wait_for("it is flushed", || {
            done = done || producer.poll_flush(Duration::from_millis(10))?;
            Ok(done.then_some(()))
        })?;
        assert_eq!(producer.take_acknowledged(), [(out.clone(), 3 * round + 2)]);
        producer.flush()?;
        assert_eq!(producer.take_acknowledged(), [(out.clone(), 3 * round + 3)]);
        expected.extend(["a", "b", "c"]);
        assert_eq!(site.values("out")?, expected);
    }
    Ok(())
}

pub(crate) fn what_was_discarded_or_not_comes_at_most_once(site: &Site) -> Tested {
    site.create("out", 1)?;
    let mut producer = site.producer()?;
    producer.send(site.record("out", 0, "first"))?;
    producer.discard();
    assert_eq!(producer.take_acknowledged(), []);
    producer.send(site.record("out", 0, "second"))?;
    producer.flush()?;
    let values = site.values("out")?;
    assert!(values == ["second"] || values == ["first", "second"], "{values:?}");
    Ok(())
}

pub(crate) fn calls_in_the_wrong_order_are_refused(site: &Site) -> Tested {
    site.create("out", 1)?;
    let config = ProducerConfig { transactional_id: Some(site.named("id")) };
    let mut producer = site.transport.producer(&config)?;
    let refused = |result: Result<(), TransportError>| result.is_err();
    assert!(refused(producer.begin_transaction()), "before it is initialised");
    producer.init_transactions()?;
    assert!(refused(producer.send(site.record("out", 0, "a"))), "outside a transaction");
    assert!(refused(producer.commit_transaction()), "without one");
    producer.begin_transaction()?;
    assert!(refused(producer.begin_transaction()), "in another");
    producer.send(site.record("out", 0, "b"))?;
    producer.commit_transaction()?;
    assert_eq!(site.values("out")?, ["b"]);
    let mut plain = site.producer()?;
    assert!(refused(plain.begin_transaction()), "without an id");
    Ok(())
}
