//! Notes: counts the words that each author has written. The smallest application that takes input, has state, shows
//! results and forgets.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill::{
    Consumed, Materialized, Produced, Record, StreamsBuilder, Topology, TopologyError, Window, Windowed, WindowedCodec,
    processor::{Processor, ProcessorContext},
    state::{BoxError, Json, Utf8},
};
use tidemill_apps::apps::{
    Application, Door, File, Format, Incoming, Input, Owner, Property, ReadEvent, ReadProperty, Results, WindowEnds,
    WindowPlace, WindowSetting, Windows, erase, refuse_panics, show_json,
};
use tidemill_schemas::FieldError;

/// The application.
pub(crate) static NOTES: Application = application("word-notes");

/// Another one, with the same topics and addresses.
pub(crate) static TWIN: Application = application("twin-notes");

const fn application(id: &'static str) -> Application {
    Application {
        id,
        section: "notes",
        about: "Run word notes: notes in, counts of words out",
        help: "",
        owner: Owner { word: "author", plural: "authors", field: "author" },
        inputs: INPUTS,
        properties: PROPERTIES,
        results: RESULTS,
        views: &[],
        withdrawals: None,
        reads_streams: false,
        erasures: "note-erasures",
        erased: "note-erased",
        dead_letters: "note-dead-letters",
        windows: Windows {
            ends: WindowEnds::AfterLength,
            window: SECOND,
            grace: SECOND,
            idle_after: SECOND,
            answer_within: SECOND,
        },
        window_settings: SETTINGS,
        topology,
        calls: None,
        owners: WORDS,
        show: show_json,
        door: Door { title: "Word notes", promise: "How much you wrote.", label: "Author", nobody: ["Nobody yet", ""] },
        files: FILES,
    }
}

const INPUTS: &[Input] = &[Input {
    name: "note",
    path: "/v1/notes",
    topic: "notes",
    marks: &["author", "text"],
    subject: None,
    reader: note,
}];
const PROPERTIES: &[Property] = &[Property { name: "goal", topic: "note-goals", subject: None, reader: goal }];
const RESULTS: &[Results] = &[Results::json("note-counts", "counted")];
const SETTINGS: &[WindowSetting] = &[WindowSetting {
    name: "notes.window",
    default: "1s",
    help: "length of a count's window",
    place: WindowPlace::Length(|windows| &mut windows.window),
}];
const FILES: &[File] = &[File { path: "page/index.html", kind: "text/html; charset=utf-8", bytes: b"<h1>Notes</h1>" }];
const SECOND: Duration = Duration::from_secs(1);
const WORDS: &str = "words";
const GOALS: &str = "goals";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    author: String,
    text: String,
    timestamp: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Counted {
    author: String,
    words: u64,
}

fn not_json(error: serde_json::Error) -> Vec<FieldError> {
    vec![FieldError::new("text", error.to_string(), "send author, text and timestamp")]
}

fn note(_: &Format) -> ReadEvent {
    Box::new(|bytes, _| {
        let note: Note = serde_json::from_slice(bytes).map_err(not_json)?;
        Incoming::new(&Json::<Note>::default(), &note.author, &note, note.timestamp)
    })
}

fn goal(_: &Format) -> ReadProperty {
    Box::new(|author, bytes, now_ms| {
        let words: u64 = serde_json::from_slice(bytes).map_err(not_json)?;
        Incoming::new(&Json::<u64>::default(), author, &words, now_ms)
    })
}

fn topology(windows: &Windows, _: &Format) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    let goals = Consumed::with("note-goals", Utf8, Json::<u64>::default());
    builder.table_with(goals, Materialized::with(GOALS, Utf8, Json::<u64>::default()));
    builder.add_key_value_store(Materialized::with(WORDS, Utf8, Json::<u64>::default()));
    let count = Count { window_ms: windows.window.as_millis() as i64 };
    builder
        .stream(Consumed::with("notes", Utf8, Json::<Note>::default()))
        .process("count-words", &[WORDS], move || count)
        .to(Produced::with("note-counts", WindowedCodec::new(Utf8), Json::<Counted>::default()));

    erase(&builder, "erase-author", &[WORDS, GOALS], ["note-erasures", "note-erased"]);
    builder.build()
}

/// The number of words. It has a mistake, as code that counts may have.
fn words(text: &str) -> u64 {
    assert_ne!(text, "boom", "nobody thought of this");
    text.split_whitespace().count() as u64
}

#[derive(Debug, Clone, Copy)]
struct Count {
    window_ms: i64,
}

impl Processor<String, Note, Windowed<String>, Counted> for Count {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, Counted>,
        record: Record<String, Note>,
    ) -> Result<(), BoxError> {
        let Record { key: author, value: note, timestamp, headers } = record;
        let store = ctx.key_value_store_with::<String, u64>(WORDS, Utf8, Json::default())?;
        let words = refuse_panics(|| words(&note.text))? + store.get(&author)?.unwrap_or_default();
        store.put(&author, &words, timestamp)?;
        let start = timestamp - timestamp.rem_euclid(self.window_ms);
        let key = Windowed { key: author.clone(), window: Window { start, end: start + self.window_ms } };
        ctx.forward(Record { key, value: Counted { author, words }, timestamp, headers });
        Ok(())
    }
}

/// A note as an author sends it.
pub(crate) fn written(author: &str, text: &str, timestamp: i64) -> Value {
    serde_json::json!({ "author": author, "text": text, "timestamp": timestamp })
}
