//! Brokers that go and come back, that go for good, that are old, that are strict.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use tidemill::{StreamsState, transport::kafka::KafkaTransport};
use tidemill_broker::{Broker, Cluster, Options, Security};

use super::{config, site, transport};
use crate::{
    Site, Tested, contract,
    engine::{input, instance, oracle, scaling, undisturbed},
};

/// Runs the application under load while `disturb` does something to its brokers.
pub(super) fn disturbed(site: &Site, disturb: impl FnOnce()) -> Tested {
    instance::create_topics(site)?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| input::feed_until(site, &stop));
        let streams = instance::start(site, instance::config(site, "a"), instance::undisturbed())?;
        thread::sleep(Duration::from_secs(1));
        disturb();
        thread::sleep(Duration::from_secs(1));
        stop.store(true, Ordering::SeqCst);
        let sent = sender.join().map_err(|_| "the sender panicked")??;
        oracle::all(site, sent)?;
        assert_eq!(streams.state(), StreamsState::Running);
        Ok(streams.close()?)
    })
}

/// Between transactions, because of a fault of brokers (seen with 4.4.0). If the only broker goes after it has decided a
/// transaction and before it has written the markers, its next start may note the transaction as complete without any
/// marker. Its offsets then stay pending for ever, or the next transaction of the same producer ends it the other way.
/// No client can do anything about that. Brokers that go in the middle of a transaction are one of three, below.
#[test]
fn the_only_broker_may_restart_and_may_be_killed() -> Tested {
    let Some(mut broker) = Broker::start(Options::new()) else { return Ok(()) };
    let site = Site::new(KafkaTransport::new(config(&broker.bootstrap_servers()))?, "restarts");
    instance::create_topics(&site)?;
    let streams = instance::start(&site, instance::config(&site, "a"), instance::undisturbed())?;
    let feed = |numbers: Range<i64>| {
        input::feed(&site, input::entries(numbers.clone()))?;
        oracle::counted(&site, &input::entries(0..numbers.end).collect::<Vec<_>>())?;
        // The markers of the partitions that nobody waits for.
        thread::sleep(Duration::from_secs(1));
        Tested::Ok(())
    };
    feed(0..100)?;
    broker.stop();
    broker.restart();
    feed(100..200)?;
    broker.kill();
    broker.restart();
    input::feed(&site, input::entries(200..300))?;
    oracle::all(&site, input::entries(0..300).collect())?;
    assert_eq!(streams.state(), StreamsState::Running);
    Ok(streams.close()?)
}

#[test]
fn one_of_three_brokers_may_restart_and_may_be_killed() -> Tested {
    let Some(mut cluster) = Cluster::start(3, Options::new()) else { return Ok(()) };
    let site = Site::new(transport(&cluster.bootstrap_servers())?, "cluster");
    disturbed(&site, || {
        cluster.broker(1).stop();
        cluster.broker(1).restart();
        thread::sleep(Duration::from_secs(1));
        cluster.broker(2).kill();
    })
}

#[test]
fn a_broker_without_the_new_group_protocol_will_do() -> Tested {
    let Some(broker) = Broker::start(Options::new().classic_groups()) else { return Ok(()) };
    undisturbed::results_are_those_of_the_oracle(&site(&broker, "classic")?)?;
    contract::groups::same_numbered_partitions_stay_together(&site(&broker, "classic_groups")?)?;
    scaling::instances_come_and_go_under_load(&site(&broker, "classic_scaling")?)
}

#[test]
fn a_broker_may_ask_for_a_password_over_tls() -> Tested {
    let Some(broker) = Broker::start(Options::new().secured(Security::SaslScramTls)) else { return Ok(()) };
    undisturbed::results_are_those_of_the_oracle(&site(&broker, "secured")?)
}
