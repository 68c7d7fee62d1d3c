//! Brokers that go and come back, that go for good, that are old, that are strict.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use tidemill_broker::{Broker, Cluster, Options, PASSWORD, Security, USER};
use tidemill_topology::{StreamsState, transport::kafka::KafkaTransport};

use super::{config, site, transport};
use crate::{
    Site, Tested, contract,
    engine::{input, instance, oracle, scaling, undisturbed},
};

/// Runs the application under load while `disturb` does something to its brokers.
fn disturbed(site: &Site, disturb: impl FnOnce()) -> Tested {
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
/// starts, that broker (4.3.1) notes it as aborted and may write no marker anywhere: offsets stay pending for ever, or
/// the next commit brings out what was aborted. No client can do anything about that.
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

#[test]
fn a_broker_may_ask_for_a_token() -> Tested {
    let Some(broker) = Broker::start(Options::new().secured(Security::SaslOauth)) else { return Ok(()) };
    undisturbed::results_are_those_of_the_oracle(&site(&broker, "token")?)
}

#[test]
fn who_may_not_read_is_told_at_the_start() -> Tested {
    let login = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    let options = Options::new()
        .secured(Security::SaslPlain)
        .set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
        .set("super.users", format!("User:ANONYMOUS;User:{USER}"))
        .set(
            "listener.name.client.plain.sasl.jaas.config",
            format!("{login} user_{USER}=\"{PASSWORD}\" user_guest=\"{PASSWORD}\";"),
        );
    let Some(broker) = Broker::start(options) else { return Ok(()) };
    let owner = site(&broker, "rights")?;
    instance::create_topics(&owner)?;
    let mut guest = config(&broker.bootstrap_servers());
    for (name, value) in broker.client_properties() {
        guest = guest.set(name, value);
    }
    let guest = Site::new(KafkaTransport::new(guest.set("sasl.username", "guest"))?, "rights");
    let refused = instance::start(&guest, instance::config(&guest, "a"), instance::undisturbed());
    let problem = refused.err().ok_or("it started without rights")?.to_string();
    assert!(problem.contains("6 problem(s)") && problem.contains("grant the rights"), "{problem}");
    assert!(!problem.contains("does not exist"), "{problem}");
    Ok(())
}
