//! What only a real Kafka can do to an application: brokers that restart or die, processes that are killed or stopped,
//! brokers of old, brokers that do not trust everybody.

mod brokers;
mod changelogs;
mod late_ends;
mod processes;
mod proxy;
mod refused;
mod rights;
mod static_members;
mod tokens;
mod undecided;
pub(crate) mod worker;

use tidemill::transport::{
    Transport,
    kafka::{KafkaConfig, KafkaTransport},
};
use tidemill_broker::Broker;

use crate::{Site, Tested};

/// Settings for these brokers. `LOG=librdkafka=debug LIBRDKAFKA_DEBUG=cgrp,eos cargo test …` shows what goes on there.
fn config(bootstrap_servers: &str) -> KafkaConfig {
    let config = KafkaConfig::new(bootstrap_servers);
    match std::env::var("LIBRDKAFKA_DEBUG") {
        Ok(contexts) => config.set("debug", contexts),
        Err(_) => config,
    }
}

/// The transport to these brokers.
fn transport(bootstrap_servers: &str) -> Tested<impl Transport> {
    // What a process leaves open when it is killed for good, nobody waits for long.
    let config = config(bootstrap_servers).transaction_timeout(std::time::Duration::from_secs(5));
    Ok(KafkaTransport::new(config)?)
}

/// A scenario's site on a broker of its own.
fn site(broker: &Broker, scenario: &str) -> Tested<Site> {
    let mut config = config(&broker.bootstrap_servers());
    for (name, value) in broker.client_properties() {
        config = config.set(name, value);
    }
    Ok(Site::new(KafkaTransport::new(config)?, scenario))
}
