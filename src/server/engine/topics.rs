//! Creates the applications' topics at the start, with the configured retention.

use std::time::Duration;

use tidemill::transport::{Admin, CleanupPolicy, TopicSpec, Transport as _, TransportError};

use crate::{
    apps::App,
    server::{log::Log, settings::Settings, wait::wait_for},
};

/// How long requests to erase are kept.
const ERASURES: Duration = Duration::from_hours(24);

fn specs(app: App, settings: &Settings) -> Vec<TopicSpec> {
    let spec = |name: &str, cleanup, retention| TopicSpec {
        name: name.into(),
        partitions: settings.partitions,
        cleanup,
        retention,
    };
    let raw = app.raw_topics().into_iter();
    let raw = raw.map(|topic| spec(topic, CleanupPolicy::Delete, Some(settings.raw_retention)));
    let results = app.results.iter();
    let results =
        results.map(|results| spec(results.topic, CleanupPolicy::CompactDelete, settings.result_retention.of_topic()));
    let erasures = app.erasure_topics().map(|topic| spec(topic, CleanupPolicy::Delete, Some(ERASURES)));
    // A call's dead letter stays in its task's partition. The notes are about all of them together.
    let dead_letters = app.call_dead_letters();
    let dead_letters = dead_letters.map(|topic| spec(&topic, CleanupPolicy::Delete, Some(settings.raw_retention)));
    let asked_again = app
        .asked_again()
        .map(|topic| TopicSpec { partitions: 1, ..spec(&topic, CleanupPolicy::Delete, Some(settings.raw_retention)) });
    let properties = app.properties.iter().map(|property| spec(property.topic, CleanupPolicy::Compact, None));
    raw.chain(dead_letters).chain(asked_again).chain(results).chain(erasures).chain(properties).collect()
}

/// Creates the missing topics. On an embedded log, the retention of existing topics is set to the configured one; on
/// Kafka, the operator of the brokers decides the retention. Other properties of existing topics stay as they are; a
/// different number of partitions is logged. Returns all lasting refusals, whatever topic they concern.
pub(super) fn create(log: &Log, app: App, settings: &Settings) -> Result<Vec<String>, TransportError> {
    create_all(log, specs(app, settings))
}

/// Creates those of these topics that are missing; see [`create`].
pub(super) fn create_all(log: &Log, specs: impl IntoIterator<Item = TopicSpec>) -> Result<Vec<String>, TransportError> {
    let mut admin = log.transport().admin()?;
    let mut problems = Vec::new();
    for spec in specs {
        match create_one(log, &mut *admin, &spec) {
            Err(TransportError::Invalid(reason)) => problems.push(reason.to_string()),
            created => created?,
        }
    }
    Ok(problems)
}

fn create_one(log: &Log, admin: &mut dyn Admin, spec: &TopicSpec) -> Result<(), TransportError> {
    if let Err(error) = admin.create_topic(spec) {
        // The topic exists, or this instance has no right to create it. An existing topic is used as it is.
        let mut found = found(admin, &spec.name, error)?;
        if log.is_embedded() && found.retention != spec.retention {
            tracing::info!(topic = %spec.name, from = ?found.retention, to = ?spec.retention, "changing the retention");
            admin.alter_retention(&spec.name, spec.retention)?;
            found.retention = spec.retention;
        }
        if found.partitions != spec.partitions {
            let remedy = if log.is_embedded() { "`tidemill reset` deletes it" } else { "adapt run.partitions" };
            let (topic, partitions, wanted) = (&spec.name, found.partitions, spec.partitions);
            tracing::warn!(%topic, partitions, wanted, "the topic keeps its number of partitions; {remedy}");
        }
    }
    // The log remembers the number of partitions, so that no request has to ask for it.
    log.partitions(&spec.name).map(drop)
}

/// How long a new topic may take to become known to all brokers.
const SPREAD: Duration = Duration::from_secs(10);

/// Describes a topic that could not be created. If another instance created it a moment ago, some brokers may not know
/// it.
fn found(admin: &mut dyn Admin, topic: &str, refused: TransportError) -> Result<TopicSpec, TransportError> {
    let patience = if matches!(refused, TransportError::TopicExists(_)) { SPREAD } else { Duration::ZERO };
    let found = wait_for(patience, Duration::from_millis(50), || admin.describe_topic(topic).transpose());
    found.unwrap_or(Err(refused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::{APPLICATIONS, Retention};

    #[test]
    fn a_changed_retention_reaches_topics_that_exist() -> Result<(), Box<dyn std::error::Error>> {
        let mut settings = Settings::default();
        let (log, app) = (Log::open(&settings)?, APPLICATIONS[0]);
        let (raw_topic, result_topic) = (app.inputs[0].topic, app.results[0].topic);
        let kept = |topic: &str| {
            log.transport().admin()?.describe_topic(topic).map(|spec| spec.and_then(|spec| spec.retention))
        };
        create(&log, app, &settings)?;
        assert_eq!(kept(raw_topic)?, Some(settings.raw_retention));
        let (raw, results) = (Duration::from_mins(5), Duration::from_hours(48));
        (settings.raw_retention, settings.result_retention) = (raw, Retention::For(results));
        create(&log, app, &settings)?;
        assert_eq!((kept(raw_topic)?, kept(result_topic)?), (Some(raw), Some(results)));
        settings.result_retention = Retention::Forever;
        create(&log, app, &settings)?;
        assert_eq!(kept(result_topic)?, None, "for ever");
        assert_eq!(kept(app.erasures)?, Some(ERASURES));
        Ok(())
    }
}
