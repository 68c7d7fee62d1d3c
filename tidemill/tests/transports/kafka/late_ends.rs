//! Ends of transactions that librdkafka had to send twice, the first of which arrives after all (KAFKA-17754).

use tidemill::transport::{Producer, kafka::KafkaTransport};
use tidemill_broker::Options;

use super::{brokers::disturbed, config, proxy::Proxy};
use crate::{Site, Tested, wait_for};

/// What a broker answers to a producer that has a successor.
const FENCED: [i16; 2] = [47, 90];

/// Whether a broker refused everything that came late.
fn are_fenced(answers: &[i16]) -> bool {
    !answers.is_empty() && answers.iter().all(|answer| FENCED.contains(answer))
}

/// Sends one record in a transaction, so that it is in the log and not committed.
fn begin(site: &Site, producer: &mut dyn Producer, value: &str) -> Tested {
    let out = site.partition("out", 0);
    let mut reader = site.transport.reader()?;
    let before = reader.end(&out)?;
    producer.begin_transaction()?;
    producer.send(site.record("out", 0, value))?;
    wait_for("the record is in the log", || Ok((reader.end(&out)? > before).then_some(())))
}

/// Commits or aborts a transaction whose end is asked for twice.
fn end_twice(site: &Site, proxy: &Proxy, producer: &mut dyn Producer, commits: bool) -> Tested {
    begin(site, producer, if commits { "committed" } else { "aborted" })?;
    proxy.keep_next_end();
    let ended = if commits { producer.commit_transaction().map(drop) } else { producer.abort_transaction() };
    Ok(ended?)
}

/// Commits a transaction that nothing happens to. Then it is the turn of the other one of a producer's two ids.
fn pass_turn(site: &Site, producer: &mut dyn Producer) -> Tested {
    begin(site, producer, "undisturbed")?;
    Ok(producer.commit_transaction().map(drop)?)
}

#[test]
fn an_end_that_comes_again_does_not_end_the_transaction_of_a_new_producer() -> Tested {
    let Some((proxy, _broker)) = Proxy::before(Options::new())? else { return Ok(()) };
    let site = Site::new(KafkaTransport::new(config(&proxy.bootstrap_servers()))?, "late_ends");
    site.create("out", 1)?;

    // With the same producer it does: this is what must not happen.
    let mut producer = site.transactional("old")?;
    assert!(!producer.may_end_again());
    pass_turn(&site, &mut *producer)?;
    assert!(!producer.may_end_again(), "nothing was sent twice");
    end_twice(&site, &proxy, &mut *producer, true)?;
    assert!(producer.may_end_again(), "the commit was sent twice");
    pass_turn(&site, &mut *producer)?;
    begin(&site, &mut *producer, "half")?;
    assert_eq!(proxy.deliver()?, [0], "the broker takes it for the end of what is open");
    wait_for("half of a transaction is committed", || {
        Ok(site.values("out")?.contains(&"half".to_owned()).then_some(()))
    })?;
    drop(producer);

    for commits in [true, false] {
        let id = format!("guarded-{commits}");
        let mut producer = site.transactional(&id)?;
        end_twice(&site, &proxy, &mut *producer, commits)?;
        assert!(producer.may_end_again(), "its end was sent twice");
        let mut producer = site.transactional(&id)?;
        assert!(!producer.may_end_again());
        begin(&site, &mut *producer, &id)?;
        let answers = proxy.deliver()?;
        assert!(are_fenced(&answers), "{answers:?}");
        producer.abort_transaction()?;
    }
    let values = site.values("out")?;
    assert_eq!(values, ["undisturbed", "committed", "undisturbed", "half", "committed"]);
    Ok(())
}

#[test]
fn an_application_replaces_a_producer_that_sent_an_end_twice() -> Tested {
    let Some((proxy, _broker)) = Proxy::before(Options::new())? else { return Ok(()) };
    let site = Site::new(KafkaTransport::new(config(&proxy.bootstrap_servers()))?, "ends_twice");
    let mut outcome = Ok(());
    disturbed(&site, || outcome = (0..3).try_for_each(|_| disturb(&proxy)))?;
    outcome
}

/// Has an end sent twice, waits until its transactional id is used by a new producer, and lets the first one arrive.
fn disturb(proxy: &Proxy) -> Tested {
    proxy.keep_next_end();
    let id = wait_for("an end is kept", || Ok(proxy.kept()))?;
    wait_for("a new producer commits", || Ok(proxy.commits_anew(&id).then_some(())))?;
    let answers = proxy.deliver()?;
    if are_fenced(&answers) { Ok(()) } else { Err(format!("the broker took it: {answers:?}").into()) }
}
