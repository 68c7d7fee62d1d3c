//! Producers, but for what transactions promise.

use tidemill::transport::{Acknowledged, ProducerConfig, TransportError};

use super::on_its_way::OnItsWay;
use crate::{Site, Tested, wait_for};

pub(crate) fn what_is_acknowledged_is_told_once(site: &Site) -> Tested {
    site.create("out", 3)?;
    let mut plain = site.producer()?;
    let mut transactional = site.transactional("id")?;
    for round in 0..2 {
        for value in ["a", "b"] {
            plain.send(site.record("out", 0, value))?;
        }
        assert_eq!(plain.flush()?, Acknowledged::from([(site.partition("out", 0), 2 + 2 * round)]));
        assert_eq!(plain.flush()?, Acknowledged::new());

        transactional.begin_transaction()?;
        transactional.send(site.record("out", 1, "c"))?;
        let acknowledged = transactional.commit_transaction()?;
        let (_, last) =
            site.read_all("out")?.into_iter().rfind(|(partition, _)| *partition == 1).ok_or("it is there")?;
        assert_eq!(acknowledged, Acknowledged::from([(site.partition("out", 1), last.offset + 1)]));

        transactional.begin_transaction()?;
        transactional.send(site.record("out", 2, "d"))?;
        transactional.abort_transaction()?;
        transactional.begin_transaction()?;
        let acknowledged = transactional.commit_transaction()?;
        assert_eq!(acknowledged, Acknowledged::new(), "what was aborted is nothing to remember");
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
        let mut flush = OnItsWay::begun(producer.begin_flush()?);
        wait_for("more may be sent", || flush.lets_more_be_sent())?;
        producer.send(site.record("out", 0, "c"))?;
        assert_eq!(flush.end()?, Acknowledged::from([(out.clone(), 3 * round + 2)]));
        assert_eq!(producer.flush()?, Acknowledged::from([(out.clone(), 3 * round + 3)]));
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
    assert_eq!(producer.flush()?, Acknowledged::new());
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
    assert!(refused(producer.commit_transaction().map(drop)), "without one");
    producer.begin_transaction()?;
    assert!(refused(producer.begin_transaction()), "in another");
    producer.send(site.record("out", 0, "b"))?;
    producer.commit_transaction()?;
    assert_eq!(site.values("out")?, ["b"]);
    let mut plain = site.producer()?;
    assert!(refused(plain.begin_transaction()), "without an id");
    Ok(())
}
