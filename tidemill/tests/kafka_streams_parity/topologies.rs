//! The topologies by name: twins of those in `tests/golden/kafka-streams`.

use std::time::Duration;

use tidemill::{
    EmitStrategy, JoinWindows, KGroupedStream, KTable, Materialized, SessionWindowedKStream, SessionWindows,
    SlidingWindows, StreamsBuilder, TimeWindowedKStream, TimeWindows, Windowed,
};

use crate::versioned;

pub(crate) type Text = Option<String>;

/// Builds one and names the topics that it writes, in order.
pub(crate) fn build(name: &str, builder: &StreamsBuilder) -> &'static [&'static str] {
    let words: Vec<_> = name.split('-').collect();
    let plain = || builder.stream::<Text, String>("in");
    let grouped = || builder.stream::<Text, Text>("in").group_by_key();
    match words[..] {
        ["windowed", operation, kind, emission, ..] => {
            windowed(operation, grouped().windowed_by(windows(kind)).emit(emit(emission)));
        }
        ["sessions", operation, kind, emission] => {
            sessions(operation, grouped().windowed_by(gaps(kind)).emit(emit(emission)));
        }
        ["sliding", operation, kind, emission] => {
            sliding(operation, plain().group_by_key().windowed_by(sliding_windows(kind)).emit(emit(emission)));
        }
        ["collect", kind] => {
            let lists = plain().group_by_key().windowed_by(windows(kind)).collect("store");
            lists.map(|key, list| (flat(&key), format!(",{}", list.join(",")))).to("out");
        }
        ["count"] => plain()
            .group_by_key()
            .count("store")
            .to_stream()
            .drop_null_values()
            .map_values(|count| count.to_string())
            .to("out"),
        ["reduce"] => {
            let reduced = plain().group_by_key().reduce("store", |old, value| mix(&old, &value));
            reduced.to_stream().to("out");
        }
        ["aggregate"] => {
            let last = plain().group_by_key().aggregate("store", String::new, |_, value, list: &mut String| {
                list.extend([",", value.as_str()]);
                list.drain(..list.len().saturating_sub(12));
            });
            last.to_stream().to("out");
        }
        ["joins"] => {
            let (stream, table) = (plain(), builder.table::<Text, String>("table", "table-store"));
            stream.join(&table, |_, left, right| format!("{left}+{right}")).to("out-inner");
            let or_null = |right: Text| right.unwrap_or_else(|| "null".to_owned());
            stream.left_join(&table, move |_, left, right| format!("{left}+{}", or_null(right))).to("out-left");
            table.to_stream().to("out-table");
            return &["out-inner", "out-left", "out-table"];
        }
        ["versioned", kind, ..] => return versioned::build(kind, words.last().copied().unwrap_or_default(), builder),
        ["streams", kind, ..] => {
            let (left, right) = (builder.stream::<Text, Text>("in"), builder.stream::<Text, Text>("in-2"));
            let windows = join_windows(kind);
            let both = |left: Option<&Text>, right: Option<&Text>| {
                let text = |side: Option<&Text>| side.cloned().flatten().unwrap_or_else(|| "null".to_owned());
                format!("{}+{}", text(left), text(right))
            };
            let inner = left.join_stream(&right, windows, "inner", move |_, left, right| both(Some(left), Some(right)));
            inner.to("out-inner");
            left.left_join_stream(&right, windows, "left", move |_, left, right| both(Some(left), right))
                .to("out-left");
            left.outer_join_stream(&right, windows, "outer", move |_, left, right| both(left, right)).to("out-outer");
            return &["out-inner", "out-left", "out-outer"];
        }
        ["steps"] => return steps(builder),
        ["merged"] => {
            let merged = builder.stream::<Text, Text>("in").merge(&builder.stream::<Text, Text>("in-2"));
            windowed("count", merged.group_by_key().windowed_by(windows("tumbling")).emit(emit("close")));
        }
        ["cogroup", kind, ..] => {
            let right: KGroupedStream<Text, String> = builder.stream("in-2").group_by_key();
            let left = plain().group_by_key().cogroup(|_, value, list: &mut String| list.extend([",", value.as_str()]));
            let both = left.cogroup(&right, |_, value, list| list.extend([";", value.as_str()]));
            let table = both.windowed_by(windows(kind)).aggregate("store", String::new);
            table.to_stream().drop_null_values().map(|key, list| (flat(&key), list)).to("out");
        }
        ["rekeyed"] => {
            let rekeyed = plain().select_key(|_, value| format!("k{}", number(value) % 5)).repartition("by-remainder");
            rekeyed
                .group_by_key()
                .count("store")
                .to_stream()
                .drop_null_values()
                .map_values(|count| count.to_string())
                .to("out");
        }
        ["stages"] => {
            let first = grouped()
                .windowed_by(windows("tumbling"))
                .emit(emit("close"))
                .count("first")
                .to_stream()
                .drop_null_values();
            let by_count = first.map(|key, count| (Some(format!("n{count}")), key.key)).repartition("by-count");
            windowed("aggregate", by_count.group_by_key().windowed_by(windows("hopping")));
        }
        _ => panic!("there is no topology '{name}'"),
    }
    &["out"]
}

fn steps(builder: &StreamsBuilder) -> &'static [&'static str] {
    let stream = builder.stream::<Text, String>("in");
    stream
        .filter(|_, value| number(value) % 3 != 0)
        .flat_map_values(|value| [value.clone(), value + "b"])
        .map(|key, value| (key.unwrap_or_default() + "m", value))
        .to("out-mapped");
    stream.map_values(|value| value + "l").merge(&stream.map_values(|value| value + "r")).to("out-merged");
    let branches = stream.split().branch(|_, value| number(value) % 2 == 0).branch(|_, value| number(value) > 50);
    for (branch, topic) in branches.default_branch().into_iter().zip(["out-even", "out-large", "out-rest"]) {
        branch.to(topic);
    }
    &["out-even", "out-large", "out-mapped", "out-merged", "out-rest"]
}

fn windows(name: &str) -> TimeWindows {
    let ms = Duration::from_millis;
    let of = |size, grace| TimeWindows::of_size_and_grace(ms(size), ms(grace));
    match name {
        "tumbling" => of(10, 3),
        "strict" => of(10, 0),
        "hopping" => of(10, 5).advance_by(ms(4)),
        "dense" => of(10, 0).advance_by(ms(3)),
        "generous" => of(10, 35).advance_by(ms(5)),
        "minutes" => of(60_000, 5_000),
        _ => panic!("there are no windows '{name}'"),
    }
}

fn gaps(name: &str) -> SessionWindows {
    let ms = Duration::from_millis;
    match name {
        "strict" => SessionWindows::of_inactivity_gap_with_no_grace(ms(10)),
        "short" => SessionWindows::of_inactivity_gap_and_grace(ms(10), ms(5)),
        "generous" => SessionWindows::of_inactivity_gap_and_grace(ms(10), ms(60)),
        _ => panic!("there are no gaps '{name}'"),
    }
}

fn sliding_windows(name: &str) -> SlidingWindows {
    let of = |difference, grace| {
        SlidingWindows::of_time_difference_and_grace(Duration::from_millis(difference), Duration::from_millis(grace))
    };
    match name {
        "strict" => of(10, 0),
        "short" => of(10, 5),
        "generous" => of(10, 60),
        "wide" => of(25, 10),
        _ => panic!("there are no sliding windows '{name}'"),
    }
}

fn join_windows(name: &str) -> JoinWindows {
    let ms = Duration::from_millis;
    let ten = JoinWindows::of_time_difference_and_grace(ms(10), ms(5));
    match name {
        "both" => ten,
        "after" => ten.before(ms(0)),
        "before" => ten.after(ms(0)),
        _ => panic!("there are no join windows '{name}'"),
    }
}

fn emit(name: &str) -> EmitStrategy {
    if name == "close" { EmitStrategy::on_window_close() } else { EmitStrategy::on_window_update() }
}

fn windowed(operation: &str, windows: TimeWindowedKStream<Text, Text>) {
    match operation {
        "count" => out(&windows.count("store"), |count| Some(count.to_string())),
        "reduce" => out(
            &windows.reduce("store", |old, value| {
                let old = old.expect("a null aggregate is none at all");
                value.map(|value| mix(&old, &value))
            }),
            |value| value,
        ),
        "aggregate" => out(
            &windows.aggregate("store", String::new, |_, value, list: &mut String| {
                list.extend([",", value.as_deref().unwrap_or("null")]);
            }),
            Some,
        ),
        _ => panic!("there is no operation '{operation}'"),
    }
}

fn sessions(operation: &str, sessions: SessionWindowedKStream<Text, Text>) {
    match operation {
        "count" => out(&sessions.count("store"), |count| Some(count.to_string())),
        "reduce" => out(
            &sessions.reduce("store", |old, value| {
                let old = old.expect("a null aggregate is none at all");
                value.map(|value| mix(&old, &value))
            }),
            |value| value,
        ),
        "aggregate" => {
            let add = |_: &Text, value: Text, list: &mut String| {
                list.extend([",", value.as_deref().unwrap_or("null")]);
            };
            out(&sessions.aggregate("store", String::new, add, |_, one, other| one + &other), Some);
        }
        _ => panic!("there is no operation '{operation}'"),
    }
}

fn sliding(operation: &str, windows: TimeWindowedKStream<Text, String, SlidingWindows>) {
    // Kafka Streams counts a record as dropped for a closed window that it would open, if it still has the rows.
    let day = Duration::from_hours(24);
    match operation {
        "count" => out(&windows.count(Materialized::named("store").retention(day)), |count| Some(count.to_string())),
        "reduce" => {
            out(&windows.reduce(Materialized::named("store").retention(day), |old, value| mix(&old, &value)), Some);
        }
        "aggregate" => {
            let add = |_: &Text, value: String, list: &mut String| list.extend([",", value.as_str()]);
            out(&windows.aggregate(Materialized::named("store").retention(day), String::new, add), Some);
        }
        _ => panic!("there is no operation '{operation}'"),
    }
}

fn out<V: Clone + 'static>(table: &KTable<Windowed<Text>, V>, text: impl Fn(V) -> Text + Send + Sync + 'static) {
    table.to_stream().map(move |key, value| (flat(&key), value.and_then(&text))).to("out");
}

fn flat(Windowed { key, window }: &Windowed<Text>) -> String {
    format!("{} {} {}", key.as_deref().unwrap_or("null"), window.start, window.end)
}

pub(crate) fn number(value: &str) -> i64 {
    value.parse().expect("scripts have numbers")
}

/// Depends on the order of its values.
pub(crate) fn mix(old: &str, value: &str) -> String {
    ((number(old) * 31 + number(value)) % 1_000_003).to_string()
}
