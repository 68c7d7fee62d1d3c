//! The applications' topics: created at the start, kept as long as configured.

use std::time::{Duration, Instant};

use tidemill::transport::{Admin, CleanupPolicy, TopicSpec, Transport as _, TransportError};

use super::{log::Log, settings::Settings};
use crate::apps::App;

/// How long requests to forget are kept.
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
        results.map(|results| spec(results.topic, CleanupPolicy::CompactDelete, Some(settings.result_retention)));
    let erasures = app.erasure_topics().map(|topic| spec(topic, CleanupPolicy::Delete, Some(ERASURES)));
    let properties = app.properties.iter().map(|property| spec(property.topic, CleanupPolicy::Compact, None));
    raw.chain(results).chain(erasures).chain(properties).collect()
}

/// Creates what is missing. On a log of ours the retention of what is there is brought to what is configured; how long
/// brokers keep records is for whoever runs them to say. Everything else stays as it was created, and a line in the log
/// says so. Returns what is refused for good, whatever topic it is.
pub(super) fn create(log: &Log, app: App, settings: &Settings) -> Result<Vec<String>, TransportError> {
    let mut admin = log.transport().admin()?;
    let mut problems = Vec::new();
    for spec in specs(app, settings) {
        match create_one(log, &mut *admin, &spec) {
            Err(TransportError::Invalid(reason)) => problems.push(reason),
            created => created?,
        }
    }
    Ok(problems)
}

fn create_one(log: &Log, admin: &mut dyn Admin, spec: &TopicSpec) -> Result<(), TransportError> {
    if let Err(error) = admin.create_topic(spec) {
        // There is one already, or this instance may not create any: then it uses what others created.
        let mut found = found(admin, &spec.name, error)?;
        if log.is_embedded() && found.retention != spec.retention {
            tracing::info!(topic = %spec.name, from = ?found.retention, to = ?spec.retention, "another retention");
            admin.alter_retention(&spec.name, spec.retention)?;
            found.retention = spec.retention;
        }
        if found.partitions != spec.partitions {
            let remedy = if log.is_embedded() { "`tidemill reset` begins anew" } else { "set run.partitions to them" };
            let (topic, partitions, wanted) = (&spec.name, found.partitions, spec.partitions);
            tracing::warn!(%topic, partitions, wanted, "the topic keeps the partitions that it has; {remedy}");
        }
    }
    // Known from now on, so that no request has to ask.
    log.partitions(&spec.name).map(drop)
}

/// How long brokers may take to tell each other of a topic.
const SPREAD: Duration = Duration::from_secs(10);

/// The topic that could not be created. Another instance may have done so a moment ago; then not every broker knows.
fn found(admin: &mut dyn Admin, topic: &str, refused: TransportError) -> Result<TopicSpec, TransportError> {
    let started = Instant::now();
    loop {
        match admin.describe_topic(topic)? {
            Some(found) => return Ok(found),
            None if matches!(refused, TransportError::TopicExists(_)) && started.elapsed() < SPREAD => {
                std::thread::park_timeout(Duration::from_millis(50));
            }
            None => return Err(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::APPLICATIONS;

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
        (settings.raw_retention, settings.result_retention) = (raw, results);
        create(&log, app, &settings)?;
        assert_eq!((kept(raw_topic)?, kept(result_topic)?), (Some(raw), Some(results)));
        assert_eq!(kept(app.erasures)?, Some(ERASURES));
        Ok(())
    }
}
