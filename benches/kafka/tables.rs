//! The topologies of sessions, sliding windows and tables.

use std::time::Duration;

use bytes::Bytes;
use tidemill::{
    BufferConfig, Joined, Materialized, SessionWindows, SlidingWindows, StreamsBuilder, Suppressed, TimeWindows,
    state::Coded,
};

use crate::{
    data::SEGMENTS,
    values::{both, inner, other},
};

/// Adds the workload of this name, if there is one.
pub(crate) fn add(builder: &StreamsBuilder, workload: &str, topics: [&str; 2], cache_max_bytes: usize) -> bool {
    let [input, output] = topics;
    let second = Duration::from_secs(1);
    let grouped = || builder.stream::<Bytes, Bytes>(input).group_by_key();
    let table = |topic: &str, store| builder.table::<Bytes, Bytes>(topic, kept(store, cache_max_bytes));
    match workload {
        "session-count" => {
            let windows = SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(150), second);
            inner(&grouped().windowed_by(windows).count("sessions").to_stream()).to(output);
        }
        "sliding-count" => {
            let windows = SlidingWindows::of_time_difference_and_grace(Duration::from_millis(300), second);
            inner(&grouped().windowed_by(windows).count("sliding").to_stream()).to(output);
        }
        "suppress" => {
            let counts = grouped().windowed_by(TimeWindows::of_size_and_grace(second, second)).count("counts");
            let finals = counts.suppress("finals", Suppressed::until_window_closes(BufferConfig::unbounded()));
            inner(&finals.to_stream()).to(output);
        }
        "table-group" => {
            let groups = table(input, "chats").group_by("by-user", |_, chat: Bytes| (chat.slice(9..11), chat));
            groups.count(kept("groups", cache_max_bytes)).to_stream().to(output);
        }
        "table-join" => {
            let joined =
                table(input, "chats").join(&table(SEGMENTS, "segments"), |_, chat, segment| both(&chat, &segment));
            joined.to_stream().to(output);
        }
        "foreign-key" => {
            let segments = table(SEGMENTS, "segments");
            let chats = table(input, "chats");
            chats
                .join_foreign_key(&segments, "named", |_, chat| other(chat), |_, chat, segment| both(&chat, &segment))
                .to_stream()
                .to(output);
        }
        "global-join" => {
            let segments = builder.global_table::<Bytes, Bytes>(SEGMENTS, "segments");
            let chats = builder.stream::<Bytes, Bytes>(input);
            chats.join_global(&segments, |_, chat| other(chat), |_, chat, segment| both(&chat, &segment)).to(output);
        }
        "as-of-join" => {
            let kept = Materialized::named("segments").versioned(Duration::from_mins(1));
            let segments = builder.table::<Bytes, Bytes>(SEGMENTS, kept);
            let joined = Joined::named("as-of").grace_period(Duration::from_millis(500));
            let chats = builder.stream::<Bytes, Bytes>(input);
            chats.join_with(&segments, joined, |_, chat, segment| both(&chat, &segment)).to(output);
        }
        "cogroup" => {
            let segments = builder.stream::<Bytes, Bytes>(SEGMENTS).group_by_key();
            let both = grouped().cogroup(|_, _: Bytes, count: &mut i64| *count += 1);
            let both = both.cogroup(&segments, |_, _: Bytes, count: &mut i64| *count += 1);
            both.aggregate(kept("both", cache_max_bytes), || 0).to_stream().to(output);
        }
        _ => return false,
    }
    true
}

/// A store, with a cache of so many bytes if they are more than 0.
fn kept<K: Coded, V: Coded>(name: &str, cache_max_bytes: usize) -> Materialized<K, V> {
    let kept = Materialized::named(name);
    if cache_max_bytes == 0 { kept } else { kept.cache_max_bytes(cache_max_bytes) }
}
