//! The application: counts by channel, counts by user behind a repartition topic, chats and speech in common windows.

use std::{sync::Arc, time::Duration};

use tidemill::{Cogrouped, StreamsBuilder, StreamsConfig, TimeWindows, Topology, TopologyError};

/// What happens at each chat, by its text.
pub(crate) type Look = Arc<dyn Fn(&str) + Send + Sync>;

pub(crate) const INPUTS: [&str; 2] = ["chat", "speech"];
pub(crate) const OUTPUTS: [&str; 4] = ["by-channel", "by-user", "talk", "late"];
pub(crate) const WINDOW_MS: i64 = 4_000;

/// Every record has its place: the grace is as long as all event time. So the right output is unique, whatever comes
/// first: each count once, and each window of talk once, when records far in the future close it.
const GRACE: Duration = Duration::from_hours(1);

/// Names are made by `named`, so that scenarios do not share topics.
pub(crate) fn topology(named: impl Fn(&str) -> String, look: Look) -> Result<Topology, TopologyError> {
    let windows = TimeWindows::of_size_and_grace(Duration::from_millis(WINDOW_MS as u64), GRACE);
    let builder = StreamsBuilder::new();
    let chat = builder.stream::<String, String>(named("chat").as_str()).peek(move |_, text| look(text));
    let speech = builder.stream::<String, String>(named("speech").as_str());
    let late = named("late");

    let mut channels = chat.group_by_key().windowed_by(windows);
    channels.late_records().to(late.as_str());
    channels.count("channel-counts").to_stream().to(named("by-channel").as_str());

    let by_user = chat.select_key(|_, text| user_of(text).to_owned()).repartition("users");
    by_user.group_by_key().count("user-counts").to_stream().to(named("by-user").as_str());

    let mut chats = chat.group_by_key().windowed_by(windows);
    chats.late_records().to(late.as_str());
    let mut speeches = speech.group_by_key().windowed_by(windows);
    speeches.late_records().to(late.as_str());
    let both = |Cogrouped { left, right }: Cogrouped<String, String>| format!("{left:?} {right:?}");
    chats.cogroup(speeches).collect("chats", "speeches").map_values(both).to(named("talk").as_str());
    builder.build()
}

pub(crate) fn user_of(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

pub(crate) fn config(application_id: String, client_id: &str) -> StreamsConfig {
    StreamsConfig {
        client_id: Some(client_id.to_owned()),
        commit_interval: Duration::from_millis(20),
        poll_timeout: Duration::from_millis(10),
        ..StreamsConfig::new(application_id)
    }
}
