//! Tables, sessions and what is held back: where the order of several inputs is open, the last results are the same.

use std::{thread, time::Duration};

use tidemill::{
    BufferConfig, EmitStrategy, Joined, KTable, Materialized, SessionWindows, StreamsBuilder, Suppressed, TimeWindows,
    Topology, TopologyError, Windowed, partition_for,
    processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord},
    state::BoxError,
};

use crate::{
    answers::Answer,
    workload::{DISORDER_MS, PARTITIONS, Place, SPAN_MS, Workload},
};

pub(crate) const TABLES: Workload = Workload {
    app: "tables",
    inputs: &["chat", "left", "right", "prices"],
    globals: &["names"],
    internal: &[
        "tables-by-group-repartition",
        "tables-foreign-subscription-registration-repartition",
        "tables-foreign-subscription-response-repartition",
    ],
    outputs: &[
        "visits",
        "visits-so-far",
        "finals",
        "seen",
        "before",
        "priced",
        "named",
        "held",
        "joined",
        "foreign",
        "groups",
        "counts",
    ],
    stores: 14 * PARTITIONS as usize,
    topology,
    record,
};

/// What of each output is the same in every run.
pub(crate) const ANSWERS: [(&str, Answer); 12] = [
    ("visits", Answer::Once),
    ("visits-so-far", Answer::InOrder),
    ("finals", Answer::Once),
    ("seen", Answer::InOrder),
    ("before", Answer::InOrder),
    ("priced", Answer::InOrder),
    ("named", Answer::Found),
    ("held", Answer::InOrder),
    ("joined", Answer::Last),
    ("foreign", Answer::Last),
    ("groups", Answer::LastOfMany),
    ("counts", Answer::LastOfMany),
];

/// Rows of each table.
const ROWS: u64 = 24;

fn ms(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}

/// Some records delete their row.
pub(crate) fn stored(id: String) -> Option<String> {
    (!id.ends_with('5')).then_some(id)
}

/// The row that a left value refers to.
pub(crate) fn foreign_key(id: &str) -> String {
    format!("row-{}", id.bytes().fold(0_u64, |sum, byte| sum * 7 + u64::from(byte)) % ROWS)
}

pub(crate) fn joined(left: Option<String>, right: Option<String>) -> String {
    format!("{}+{}", left.unwrap_or_default(), right.unwrap_or_default())
}

fn topology() -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    of_streams(&builder);
    of_tables(&builder);
    builder.build()
}

/// Each output but the global join's depends on the order of the chat alone.
fn of_streams(builder: &StreamsBuilder) {
    // Slow enough that a kill finds records half way through.
    let chat = builder.stream::<String, String>("chat").peek(|_, _| thread::sleep(Duration::from_micros(20)));
    let text = |key: &Windowed<String>| format!("{}@{}", key.key, key.window.start);
    let grace = ms(SPAN_MS + DISORDER_MS);
    let sessions = SessionWindows::of_inactivity_gap_and_grace(ms(150), grace);
    let add = |_: &String, text: String, texts: &mut Vec<String>| texts.push(text);
    let both = |_: &String, one: Vec<String>, other: Vec<String>| [one, other].concat();
    let visits = chat.group_by_key().windowed_by(sessions).emit(EmitStrategy::on_window_close());
    let visits = visits.aggregate("visits", Vec::new, add, both).to_stream();
    visits.drop_null_values().select_key(move |key, _| text(key)).to("visits");
    let so_far = chat.group_by_key().windowed_by(sessions).aggregate("visits-so-far", Vec::new, add, both);
    so_far.to_stream().to("visits-so-far");
    let windows = TimeWindows::of_size_and_grace(ms(4_000), grace);
    let texts = chat.group_by_key().windowed_by(windows).aggregate("texts", Vec::new, add);
    let finals = texts.suppress("finals", Suppressed::until_window_closes(BufferConfig::unbounded()));
    finals.to_stream().to("finals");
    let seen = Materialized::<String, i64>::named("seen").time_to_live(ms(2_000));
    chat.group_by_key().count(seen).to_stream().to("seen");
    builder.add_versioned_store::<String, String>("versions", ms(SPAN_MS));
    chat.process_values("look", &["versions"], || Look).to("before");
    // The records that close windows would end the history.
    let prices = builder.stream::<String, String>("prices").filter(|key, _| !key.starts_with("last"));
    let prices = prices.to_table(Materialized::named("prices").versioned(4 * grace));
    let found = |_: &String, text: String, price: Option<String>| format!("{text} for {}", price.unwrap_or_default());
    chat.left_join_with(&prices, Joined::named("priced").grace_period(grace), found).to("priced");
    let names = builder.global_table::<String, String>("names", "names");
    let found = |_: &String, text: String, name: Option<String>| format!("{text}/{}", name.unwrap_or_default());
    chat.left_join_global(&names, |key, _| Some(key.clone()), found).to("named");
}

fn of_tables(builder: &StreamsBuilder) {
    let table = |topic: &str| -> KTable<String, String> {
        builder.stream::<String, String>(topic).map_values(stored).to_table_with_tombstones(topic)
    };
    let (left, right) = (table("left"), table("right"));
    let few = BufferConfig::max_records(5).emit_early_when_full();
    left.suppress("held", Suppressed::until_time_limit(ms(1_000), few)).to_stream().to("held");
    left.outer_join(&right, |_, left, right| joined(left, right)).to_stream().to("joined");
    let foreign = left.left_join_foreign_key(
        &right,
        "foreign",
        |_, id| Some(foreign_key(id)),
        |_, left, right| joined(Some(left), right),
    );
    foreign.to_stream().to("foreign");
    let groups = left.group_by("by-group", |key, id| (group_of(&id), vec![format!("{key} {id}")]));
    let with = |all: Vec<String>, more: Vec<String>| [all, more].concat();
    let without = |mut all: Vec<String>, less: Vec<String>| {
        // What was not there shows: it was taken away twice, or never added.
        match all.iter().position(|known| *known == less[0]) {
            Some(at) => drop(all.remove(at)),
            None => all.push(format!("no {}", less[0])),
        }
        all
    };
    let sorted = |mut all: Vec<String>| {
        all.sort_unstable();
        all
    };
    groups.reduce("groups", with, without).map_values(sorted).to_stream().to("groups");
    groups.count("counts").to_stream().to("counts");
}

pub(crate) fn group_of(id: &str) -> String {
    format!("group-{}", id.bytes().last().unwrap_or_default() % 7)
}

/// Tells which version was valid two seconds before each record.
struct Look;

impl FixedKeyProcessor<String, String, String> for Look {
    fn process(
        &mut self,
        ctx: &mut FixedKeyProcessorContext<'_, String, String>,
        record: FixedKeyRecord<String, String>,
    ) -> Result<(), BoxError> {
        let versions = ctx.versioned_store::<String, String>("versions")?;
        let before = versions.get_as_of(record.key(), record.timestamp - 2_000)?;
        versions.put(record.key(), &record.value, record.timestamp)?;
        let before = before.map_or_else(String::new, |version| version.value);
        let seen = format!("{} after {before}", record.value);
        ctx.forward(record.with_value(seen));
        Ok(())
    }
}

fn record(Place { topic, partition, index, random, is_last }: &Place<'_>) -> (String, String) {
    if matches!(*topic, "chat" | "names" | "prices") {
        let key =
            if *is_last { format!("last-{partition}-{index}") } else { format!("channel-{partition}-{}", random % 4) };
        return (key, format!("{topic}-{partition}-{index}"));
    }
    // The tables' rows lie where whoever looks for them looks.
    let is_here = |row: &String| partition_for(Some(row.as_bytes()), PARTITIONS) == *partition;
    let rows: Vec<_> = (0..ROWS).map(|row| format!("row-{row}")).filter(is_here).collect();
    let row = rows[((random >> 8) % rows.len() as u64) as usize].clone();
    (row, format!("{topic}-{partition}-{index}"))
}
