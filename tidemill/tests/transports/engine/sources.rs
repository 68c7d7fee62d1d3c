//! Sources and sinks that find their topics on the log, and where sources begin.

use std::{slice::from_ref, time::Duration};

use tidemill::{AutoOffsetReset, Consumed, Produced, Streams, StreamsBuilder, StreamsConfig, state::Utf8};

use crate::{Site, Tested, wait_for};

/// Reads topics by a pattern and writes each record to the topic that its value names.
fn start(site: &Site, reset: AutoOffsetReset) -> Tested<Streams> {
    let builder = StreamsBuilder::new();
    let pattern = format!("{}[12]", site.named("in-").replace('.', "\\."));
    let source = builder.stream_pattern::<String, String>(Consumed::with(pattern, Utf8, Utf8).with_offset_reset(reset));
    let prefix = site.named("");
    source.to_by(Produced::any_topic_with(Utf8, Utf8), move |record| format!("{prefix}{}", record.value));
    // The same topic once more, as another source of the same task.
    let again = Consumed::with(site.named("in-1"), Utf8, Utf8).with_offset_reset(reset);
    let again = builder.stream::<String, String>(again).merge(&source);
    again.to(Produced::with(site.named("all"), Utf8, Utf8));
    Ok(Streams::start(&builder.build()?, StreamsConfig::new(site.named("group")), site.transport.clone())?)
}

pub(crate) fn sources_begin_where_they_should_and_sinks_write_what_records_choose(site: &Site) -> Tested {
    for (topic, partitions) in [("in-1", 2), ("in-2", 1), ("in-3", 1), ("left", 1), ("right", 1), ("all", 1)] {
        site.create(topic, partitions)?;
    }
    for (topic, partition) in [("in-1", 0), ("in-1", 1), ("in-2", 0), ("in-3", 0)] {
        site.send(topic, partition, &["left"])?;
    }
    let streams = start(site, AutoOffsetReset::Latest)?;
    let mut outsider = site.outsider("b", Duration::from_secs(45))?;
    for partition in [site.partition("in-1", 0), site.partition("in-1", 1), site.partition("in-2", 0)] {
        wait_for("the start is committed", || {
            Ok(outsider.committed_now(from_ref(&partition)).is_ok_and(|found| found[0].is_some()).then_some(()))
        })?;
    }
    streams.close()?;
    // What comes while no instance runs is not skipped.
    site.send("in-1", 1, &["right"])?;
    site.send("in-2", 0, &["left", "right"])?;
    site.send("in-3", 0, &["left"])?;
    let streams = start(site, AutoOffsetReset::Latest)?;
    wait_for("all of it is copied", || Ok((site.values("all")?.len() == 4).then_some(())))?;
    streams.close()?;
    assert_eq!((site.values("left")?.len(), site.values("right")?.len()), (1, 2));
    Ok(())
}
