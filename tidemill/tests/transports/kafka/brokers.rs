//! Brokers that go and come back, that go for good, that are old, that are strict.

use std::{
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

/// The transaction outlives the outage, and its producer ends it. If its time-out ends it instead while the only broker
/// starts, that broker (seen with 4.3.1) notes it as aborted and may write no marker anywhere: offsets stay pending for
/// ever, or the next commit brings out what was aborted. No client can do anything about that.
#[test]
fn a_broker_may_restart_and_may_be_killed() -> Tested {
    let Some(mut broker) = Broker::start(Options::new()) else { return Ok(()) };
    let config = config(&broker.bootstrap_servers()).transaction_timeout(Duration::from_secs(120));
    let site = Site::new(KafkaTransport::new(config)?, "restarts");
    disturbed(&site, || {
        broker.stop();
        broker.restart();
        thread::sleep(Duration::from_secs(1));
        broker.kill();
        broker.restart();
    })
}

#[test]
fn one_of_three_brokers_may_be_gone() -> Tested {
    let Some(mut cluster) = Cluster::start(3, Options::new()) else { return Ok(()) };
    let site = Site::new(transport(&cluster.bootstrap_servers())?, "cluster");
    disturbed(&site, || cluster.broker(1).kill())
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
