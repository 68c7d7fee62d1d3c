//! Producers, but for what transactions promise.

use tidemill_topology::transport::{ProducerConfig, TransportError};

use crate::{Site, Tested};

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
