//! What a store's rows mean is known on the log: also an instance that has none of them is told when it would read them
//! as something else.

use std::{sync::Arc, time::Duration};

use tidemill::{Streams, StreamsBuilder, SystemClock, TimeWindows};

use super::{input, instance};
use crate::{Site, Tested, wait_for};

fn start(site: &Site, size: Duration) -> Tested<Streams> {
    let builder = StreamsBuilder::new();
    let chats = builder.stream::<String, String>(site.named("chat").as_str()).group_by_key();
    drop(chats.windowed_by(TimeWindows::of_size_with_no_grace(size)).count("windows"));
    let (topology, config) = (builder.build()?, instance::config(site, "a"));
    Ok(Streams::start_with_clock(&topology, config, site.transport.clone(), Arc::new(SystemClock))?)
}

pub(crate) fn windows_of_another_size_are_refused(site: &Site) -> Tested {
    let (minutes, seconds) = (Duration::from_mins(1), Duration::from_secs(10));
    instance::create_topics(site)?;
    let streams = start(site, minutes)?;
    input::feed(site, input::entries(0..50))?;
    wait_for("windows are counted", || Ok((!site.read_all("app-windows-changelog")?.is_empty()).then_some(())))?;
    streams.close()?;
    let refused = start(site, seconds).err().ok_or("windows of a minute became windows of seconds")?.to_string();
    assert!(
        refused.contains("its window-size-ms was 60000 and is 10000 now. Give the store another name"),
        "{refused}"
    );
    Ok(start(site, minutes)?.close()?)
}
