//! Settings of changelog topics reach the brokers, which refuse what they do not know.

use tidemill::{Materialized, Streams, StreamsBuilder, StreamsConfig, Topology};
use tidemill_broker::{Broker, Options};

use super::site;
use crate::{Site, Tested};

/// Counts by key, in a store whose changelog has one setting.
fn counting(site: &Site, setting: (&str, &str)) -> Tested<Topology> {
    let builder = StreamsBuilder::new();
    let counts = Materialized::named("counts").with_logging([setting]);
    builder.stream::<String, String>(&*site.named("in")).group_by_key().count(counts);
    Ok(builder.build()?)
}

#[test]
fn a_changelog_is_created_with_its_settings() -> Tested {
    let Some(broker) = Broker::start(Options::new()) else { return Ok(()) };
    let site = site(&broker, "changelog_settings")?;
    site.create("in", 1)?;
    let start = |application: &str, setting| -> Tested<_> {
        let config = StreamsConfig::new(site.named(application));
        Ok(Streams::start(&counting(&site, setting)?, config, site.transport.clone()))
    };
    let streams = start("app", ("max.message.bytes", "20000"))??;
    let most = site.transport.admin()?.max_record_bytes(&site.named("app-counts-changelog"))?;
    assert!(most.is_some_and(|bytes| (1..=20_000).contains(&bytes)), "{most:?}");
    streams.close()?;

    let refused = start("typo", ("min.insync.replica", "1"))?.err().ok_or("no broker knows that name")?;
    assert!(refused.to_string().contains("typo-counts-changelog"), "{refused}");
    Ok(())
}
