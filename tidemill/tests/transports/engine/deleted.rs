//! Somebody deletes a topic that the application reads.

use tidemill::{StreamsState, TaskError};

use super::{input, instance, oracle, topology::INPUTS};
use crate::{Site, Tested, wait_for};

pub(crate) fn an_instance_whose_source_topic_is_deleted_ends_and_names_it(site: &Site) -> Tested {
    instance::create_topics(site)?;
    let streams = instance::start(site, instance::config(site, "a"), instance::undisturbed())?;
    let sent: Vec<_> = input::entries(0..100).collect();
    input::feed(site, sent.clone())?;
    oracle::counted(site, &sent)?;
    let [_, speech] = INPUTS;
    site.transport.admin()?.delete_topic(&site.topic(speech))?;
    wait_for("it ends", || Ok((streams.state() == StreamsState::Error).then_some(())))?;
    let error = streams.wait().err().ok_or("it ended without an error")?;
    let text = error.chain();
    assert!(matches!(error, TaskError::MissingSourceTopic(_)), "{text}");
    assert!(text.contains(&format!("source topic '{}' is gone", site.named(speech))), "{text}");
    Ok(())
}
