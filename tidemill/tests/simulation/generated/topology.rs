//! A topology of a few parts, each of which the seed chooses: what they are fed, and what they make of it.

mod tables;

use std::time::Duration;

use tidemill::{
    EmitStrategy, JoinWindows, KStream, StreamsBuilder, TimeWindows, Windowed,
    processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record},
    state::{BoxError, KeyValueStore},
    testing::SimulationRandom,
};

/// What of an output is the same in every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The values of each key, in order.
    InOrder,
    /// The same, and at least once which values there are.
    Stateless,
    /// The values of each key.
    Bag,
    /// The last value of each key.
    Last,
}

/// A topic that the topology writes.
pub(super) struct Output {
    pub(super) topic: String,
    pub(super) answer: Answer,
    /// What writes it, in words.
    pub(super) what: String,
}

type Texts = KStream<String, String>;

struct Maker<'a> {
    builder: &'a StreamsBuilder,
    random: &'a mut SimulationRandom,
    outputs: Vec<Output>,
}

pub(super) fn build(builder: &StreamsBuilder, random: &mut SimulationRandom) -> Vec<Output> {
    let (left, right) = (builder.stream::<String, String>("left"), builder.stream::<String, String>("right"));
    // Both streams always belong to the same tasks.
    left.merge(&right).to("merged");
    let mut maker = Maker { builder, random, outputs: Vec::new() };
    maker.outputs.push(Output { topic: "merged".into(), answer: Answer::Stateless, what: "merge".into() });
    let table = maker.random.happens(0.5).then(|| builder.table::<String, String>("table", "table"));
    if let Some(table) = &table {
        maker.write(&table.to_stream().drop_null_values(), Answer::InOrder, "table");
    } else {
        maker.write(&builder.stream("table"), Answer::Stateless, "pass");
    }
    for _ in 0..2 + maker.random.below(4) {
        let (left, right) = (maker.chain(&left), maker.chain(&right));
        let kind = maker.random.below(17);
        match (kind, &table) {
            (0, Some(table)) => {
                maker.write(&left.join(table, |_, value, row| value + "/" + &row), Answer::InOrder, "join");
            }
            (1, Some(table)) => {
                let joined = left.left_join(table, |_, value, row| value + "/" + &row.unwrap_or_default());
                maker.write(&joined, Answer::InOrder, "left-join");
            }
            (0 | 1, None) => maker.write(&left, Answer::Stateless, "stateless"),
            (2, _) => maker.keyed(&left),
            (3 | 4, _) => maker.windowed(&left),
            (5, _) => maker.collect(&left),
            (6, _) => maker.cogroup(&left, &right),
            (7, _) => maker.fold_both(&left, &right),
            (8, _) => maker.join(&left, &right),
            (9, _) => maker.punctuated(&left),
            (10, _) => maker.rekeyed(&left),
            (11, _) => maker.sessions(&left),
            (12, _) => maker.sliding(&left),
            (13, _) => maker.suppressed(&left),
            (14, _) => maker.joined_tables(&left, &right),
            (15, _) => maker.joined_by_foreign_key(&left, &right),
            _ => maker.regrouped(&left),
        }
    }
    maker.outputs
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)) >> 7
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn place(key: &Windowed<String>) -> String {
    format!("{}@{}", key.key, key.window.start)
}

impl Maker<'_> {
    fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.outputs.len())
    }

    fn write(&mut self, stream: &Texts, answer: Answer, what: &str) {
        let topic = self.name("out");
        stream.to(topic.as_str());
        self.outputs.push(Output { topic, answer, what: what.to_owned() });
    }

    fn write_windows(&mut self, stream: &KStream<Windowed<String>, String>, answer: Answer, what: &str) {
        self.write(&stream.select_key(|key, _| place(key)), answer, what);
    }

    /// A few steps without state.
    fn chain(&mut self, stream: &Texts) -> Texts {
        let mut stream = stream.clone();
        for _ in 0..self.random.below(4) {
            let number = self.random.below(7) + 2;
            stream = match self.random.below(6) {
                0 => stream.map_values(move |value| format!("{value}+{number}")),
                1 => stream.filter(move |_, value| !hash(value).is_multiple_of(number)),
                2 => stream.flat_map_values(move |value| {
                    (0..hash(&value) % 3).map(|part| format!("{value}.{part}")).collect::<Vec<_>>()
                }),
                3 => stream.peek(|_, _| {}),
                4 => {
                    let parts = stream.split().branch(move |_, value| hash(value).is_multiple_of(2)).default_branch();
                    parts[0].merge(&parts[1].map_values(|value| value + "'"))
                }
                _ => {
                    let name = format!("refuse-{}-{}", self.outputs.len(), self.random.below(1 << 40));
                    stream.process(&name, &[], || Refuser).mark_as_partitioned()
                }
            };
        }
        stream
    }

    fn windows(&mut self) -> TimeWindows {
        let size = [50, 100, 200][self.random.below(3) as usize];
        let windows = TimeWindows::of_size_and_grace(ms(size), ms([0, 50, 300][self.random.below(3) as usize]));
        let windows = if self.random.happens(0.35) { windows.advance_by(ms(size / 2)) } else { windows };
        if self.random.happens(0.25) { windows.event_time_by_key() } else { windows }
    }

    fn emit(&mut self) -> EmitStrategy {
        match self.random.below(3) {
            0 => EmitStrategy::on_window_update(),
            1 => EmitStrategy::on_window_close(),
            _ => EmitStrategy::on_window_close().idle_after(ms(300)),
        }
    }

    fn keyed(&mut self, stream: &Texts) {
        let name = self.name("keyed");
        let grouped = stream.group_by_key();
        let out = match self.random.below(3) {
            0 => grouped.count(name.as_str()).to_stream().drop_null_values().map_values(|count| count.to_string()),
            1 => grouped.reduce(name.as_str(), |all, value| all + "," + &value).to_stream().drop_null_values(),
            _ => {
                let longest = |_: &String, value: String, longest: &mut String| {
                    if value.len() >= longest.len() {
                        *longest = value;
                    }
                };
                grouped.aggregate(name.as_str(), String::new, longest).to_stream().drop_null_values()
            }
        };
        self.write(&out, Answer::InOrder, "aggregate");
    }

    fn windowed(&mut self, stream: &Texts) {
        let (name, windows, emit) = (self.name("windowed"), self.windows(), self.emit());
        let mut windowed = stream.group_by_key().windowed_by(windows).emit(emit);
        let late = windowed.late_records();
        let out = if self.random.happens(0.5) {
            windowed.count(name.as_str()).to_stream().drop_null_values().map_values(|count| count.to_string())
        } else {
            windowed.reduce(name.as_str(), |all, value| all + "," + &value).to_stream().drop_null_values()
        };
        self.write_windows(&out, Answer::InOrder, &format!("windows {windows:?} {emit:?}"));
        self.write(&late, Answer::InOrder, "late");
    }

    fn collect(&mut self, stream: &Texts) {
        let (name, windows, emit) = (self.name("lists"), self.windows(), self.emit());
        let out = stream.group_by_key().windowed_by(windows).emit(emit).collect(name.as_str());
        self.write_windows(&out.map_values(|list| list.join(",")), Answer::InOrder, &format!("collect {emit:?}"));
    }

    fn cogroup(&mut self, left: &Texts, right: &Texts) {
        let (name, windows, emit) = (self.name("cogroup"), self.windows(), self.emit());
        let side = |stream: &Texts| stream.group_by_key().windowed_by(windows).emit(emit);
        let both = side(left).cogroup(side(right)).collect(format!("{name}-l").as_str(), format!("{name}-r").as_str());
        let out = both.map_values(|both| format!("{}|{}", both.left.join(","), both.right.join(",")));
        self.write_windows(&out, Answer::InOrder, "cogroup");
    }

    fn fold_both(&mut self, left: &Texts, right: &Texts) {
        let (name, windows, emit) = (self.name("folded"), self.windows(), self.emit());
        let add = |mark: &'static str| {
            move |_: &String, value: String, all: &mut String| {
                all.push_str(mark);
                all.push_str(&value);
            }
        };
        let folded = left.group_by_key().cogroup(add("<")).cogroup(&right.group_by_key(), add(">"));
        let out =
            folded.windowed_by(windows).emit(emit).aggregate(name.as_str(), String::new).to_stream().drop_null_values();
        self.write_windows(&out, Answer::InOrder, "fold both");
    }

    fn join(&mut self, left: &Texts, right: &Texts) {
        let name = self.name("joined");
        let (apart, grace) = (ms(5 + self.random.below(60)), ms(self.random.below(3) * 50));
        let windows = JoinWindows::of_time_difference_and_grace(apart, grace);
        let kind = self.random.below(3);
        let windows = if self.random.happens(0.3) { windows.idle_after(ms(300)) } else { windows };
        let by_key = self.random.happens(0.25);
        let windows = if by_key { windows.event_time_by_key() } else { windows };
        let out = match kind {
            0 => left.join_stream(right, windows, name.as_str(), |_, left, right| format!("{left}&{right}")),
            1 => left.left_join_stream(right, windows, name.as_str(), |_, left, right| format!("{left}&{right:?}")),
            _ => left.outer_join_stream(right, windows, name.as_str(), |_, left, right| format!("{left:?}&{right:?}")),
        };
        self.write(&out, Answer::Bag, "stream join");
    }

    fn punctuated(&mut self, stream: &Texts) {
        let name = self.name("kept");
        self.builder.add_key_value_store::<String, String>(name.as_str());
        let store = name.clone();
        let out = stream
            .process(&format!("{name}-keeper"), &[name.as_str()], move || Keeper { name: store.clone(), store: None });
        self.write(&out, Answer::Bag, "stream-time punctuation");
    }

    /// Behind a repartition topic the order of records is chance.
    fn rekeyed(&mut self, stream: &Texts) {
        let name = self.name("rekeyed");
        let grouped = stream
            .select_key(|_, value| format!("group-{}", hash(value) % 4))
            .repartition(name.as_str())
            .group_by_key();
        let union = |all: String, more: String| {
            let mut parts: Vec<_> = all.split(',').chain(more.split(',')).collect();
            parts.sort_unstable();
            parts.join(",")
        };
        let store = format!("{name}-store");
        match self.random.below(3) {
            0 => {
                let out =
                    grouped.count(store.as_str()).to_stream().drop_null_values().map_values(|count| count.to_string());
                self.write(&out, Answer::Last, "rekeyed count");
            }
            1 => self.write(
                &grouped.reduce(store.as_str(), union).to_stream().drop_null_values(),
                Answer::Last,
                "rekeyed union",
            ),
            _ => {
                // Longer open than any record is late.
                let windows = TimeWindows::of_size_and_grace(ms(100), ms(2_000_000));
                let out = grouped.windowed_by(windows).reduce(store.as_str(), union).to_stream().drop_null_values();
                self.write_windows(&out, Answer::Last, "rekeyed windows");
            }
        }
    }
}

/// Hands on what it does not refuse.
struct Refuser;

impl Processor<String, String, String, String> for Refuser {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        let refused = hash(&record.value) % 11 == 5;
        ctx.forward(record);
        if refused { Err("this one not".into()) } else { Ok(()) }
    }
}

/// Keeps records until stream time has passed, and then hands them on one by one.
struct Keeper {
    name: String,
    store: Option<KeyValueStore<String, String>>,
}

impl Keeper {
    fn store(&self) -> Result<&KeyValueStore<String, String>, BoxError> {
        self.store.as_ref().ok_or_else(|| "init comes first".into())
    }
}

impl Processor<String, String, String, String> for Keeper {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        self.store = Some(ctx.key_value_store(&self.name)?);
        ctx.schedule(ms(40), PunctuationType::StreamTime);
        Ok(())
    }

    fn process(
        &mut self,
        _ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        let kept = self.store()?.get(&record.key)?.map_or_else(String::new, |kept| kept + ",");
        Ok(self.store()?.put(&record.key, &(kept + &record.value), record.timestamp)?)
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        _punctuation: Punctuation,
        time_ms: i64,
    ) -> Result<(), BoxError> {
        for entry in self.store()?.all() {
            let (key, kept) = entry?;
            self.store()?.delete(&key)?;
            for value in kept.split(',') {
                ctx.forward(Record::new(key.clone(), value.to_owned(), time_ms));
            }
        }
        Ok(())
    }
}
