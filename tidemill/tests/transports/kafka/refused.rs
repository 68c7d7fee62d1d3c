//! What brokers refuse for good: an error each, and no loop.

use std::time::Duration;

use tidemill::{
    Streams, StreamsBuilder, StreamsConfig, StreamsState, Topology,
    transport::kafka::{GroupProtocol, KafkaTransport},
};
use tidemill_broker::{Broker, Options};

use super::{config, site};
use crate::{Site, Tested, wait_for};

/// Makes every value a thousand times as long.
fn growing(site: &Site) -> Tested<Topology> {
    let builder = StreamsBuilder::new();
    let values = builder.stream::<String, String>(&*site.named("in"));
    values.map_values(|value| value.repeat(1000)).to(&*site.named("out"));
    Ok(builder.build()?)
}

/// What an instance ended with.
fn end(streams: Streams) -> Tested<String> {
    wait_for("it ends", || Ok((streams.state() == StreamsState::Error).then_some(())))?;
    Ok(streams.close().err().ok_or("it ended without an error")?.chain())
}

#[test]
fn a_result_that_is_too_large_for_its_topic_ends_the_instance() -> Tested {
    let Some(broker) = Broker::start(Options::new().set("message.max.bytes", 20_000)) else { return Ok(()) };
    let site = site(&broker, "too_large")?;
    for topic in ["in", "out"] {
        site.create(topic, 1)?;
    }
    let streams = Streams::start(&growing(&site)?, StreamsConfig::new(site.named("app")), site.transport.clone())?;
    site.send("in", 0, &["small", &"large".repeat(10)])?;
    let problem = end(streams)?;
    assert!(problem.contains("max.message.bytes"), "{problem}");
    Ok(())
}

#[test]
fn a_session_that_is_too_short_for_the_brokers_is_told() -> Tested {
    let options = Options::new().set("group.min.session.timeout.ms", 6000);
    let Some(broker) = Broker::start(options) else { return Ok(()) };
    let classic = config(&broker.bootstrap_servers()).group_protocol(GroupProtocol::Classic);
    let site = Site::new(KafkaTransport::new(classic)?, "short_session");
    for topic in ["in", "out"] {
        site.create(topic, 1)?;
    }
    let config = StreamsConfig { session_timeout: Duration::from_secs(2), ..StreamsConfig::new(site.named("app")) };
    let problem = match Streams::start(&growing(&site)?, config, site.transport.clone()) {
        Ok(streams) => end(streams)?,
        Err(refused) => refused.to_string(),
    };
    assert!(problem.contains("session"), "{problem}");
    Ok(())
}
