//! Summaries and files of the recorded streams.

use std::sync::LazyLock;

use parquet::{
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    record::RowAccessor,
};
use tidemill_schemas::{CurrencySum, Insight, Support, TopChat, parse_chat, parse_transcript};

use super::*;
use crate::apps::recordings::{START_MS, insights};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// The recorded stream.
static STREAM: LazyLock<Vec<Insight>> = LazyLock::new(|| {
    let now_ms = START_MS + DAY_MS;
    let chats = include_str!("../recordings/chat.ndjson").lines();
    let chats: Vec<_> = chats.map(|line| parse_chat(line.as_bytes(), now_ms).expect("valid")).collect();
    let said = include_str!("../recordings/transcript.ndjson").lines();
    let said: Vec<_> = said.map(|line| parse_transcript(line.as_bytes(), now_ms).expect("valid")).collect();
    insights(&chats, &said, START_MS, MINUTE_MS)
});

fn moved(insight: &Insight, ms: i64, stream_id: &str) -> Insight {
    Insight {
        stream_id: stream_id.into(),
        window_start_ms: insight.window_start_ms + ms,
        window_end_ms: insight.window_end_ms + ms,
        ..insight.clone()
    }
}

fn file(insights: &[Insight], format: Format) -> Vec<u8> {
    let mut file = Vec::new();
    export(&insights.iter().collect::<Vec<_>>(), format, &mut file).expect("memory takes all");
    file
}

#[test]
fn a_summary_tells_what_was_planted_in_the_stream() {
    let summary = summary(&STREAM.iter().collect::<Vec<_>>()).expect("windows");
    assert_eq!((summary.started_ms, summary.ended_ms), (START_MS, START_MS + 20 * MINUTE_MS));
    assert_eq!(summary.chats, 5704);
    assert_eq!(summary.liveliest.map(|peak| (peak.at_ms - START_MS) / MINUTE_MS), Some(16), "the record");
    assert_eq!(summary.unhappiest.map(|peak| (peak.at_ms - START_MS) / MINUTE_MS), Some(11), "the lag");
    assert!(summary.hot_topics.iter().any(|topic| topic == "water temple"), "{:?}", summary.hot_topics);
    let reasons: Vec<&str> = summary.moments.iter().map(|moment| moment.reason.as_str()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("chicken")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("world record")), "{reasons:?}");
    assert!(["en", "es", "de"].iter().all(|language| summary.languages.iter().any(|spoken| spoken == language)));
}

#[test]
fn streams_of_a_streamer_are_listed_newest_first_also_under_one_id() {
    let first = STREAM.iter().map(|window| moved(window, 0, "ada"));
    let second = STREAM.iter().map(|window| moved(window, DAY_MS, "ada"));
    let other = STREAM.iter().map(|window| moved(window, DAY_MS / 2, "ada-special"));
    let mut all: Vec<Insight> = second.chain(first).chain(other).collect();
    all.push(all[3].clone());
    let listed: Vec<(String, i64)> = past_streams(&all)
        .into_iter()
        .map(|stream| (stream.stream_id, (stream.started_ms - START_MS) / 3_600_000))
        .collect();
    assert_eq!(listed, [("ada".into(), 24), ("ada-special".into(), 12), ("ada".into(), 0)]);
    assert!(past_streams(&all).iter().all(|stream| stream.chats == 5704), "a repeated result counts once");
}

#[test]
fn a_short_pause_belongs_to_the_stream() {
    let paused = |ms: i64| [STREAM[0].clone(), moved(&STREAM[1], ms, &STREAM[1].stream_id)];
    assert_eq!(past_streams(&paused(PAUSE_MS - 1)).len(), 1);
    assert_eq!(past_streams(&paused(PAUSE_MS)).len(), 2);
}

#[test]
fn json_lines_keep_everything() {
    let file = file(&STREAM, Format::JsonLines);
    let read: Vec<Insight> = std::str::from_utf8(&file)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("an insight"))
        .collect();
    assert_eq!(read, *STREAM);
}

#[test]
fn csv_survives_commas_quotes_line_ends_and_formulas() {
    let mut window = STREAM[5].clone();
    let hostile =
        TopChat { text: "=HYPERLINK(\"http://x\", \"a\")\r\nnext, \"line\"".into(), ..window.top_chats[0].clone() };
    window.top_chats.insert(0, hostile);
    window.stream_id = "@ada".into();
    let sum =
        |currency: &str, micros| CurrencySum { currency: currency.into(), micros, messages: 1, supporters: Vec::new() };
    window.support =
        Some(Support { paid: 2, sums: vec![sum("EUR", 4_990_000), sum("USD", 10_000_001)], ..Support::default() });
    let file = file(&[window.clone()], Format::Csv);
    let mut reader = csv::Reader::from_reader(file.as_slice());
    let header = reader.headers().expect("a header").clone();
    let row = reader.records().next().expect("a row").expect("valid");
    let cell = |name: &str| row.get(header.iter().position(|column| column == name).expect(name)).expect("a cell");
    assert_eq!(cell("top_chat"), format!("'{}", window.top_chats[0].text));
    assert_eq!(cell("stream_id"), "'@ada");
    assert_eq!(cell("chats"), window.chats.to_string());
    assert_eq!(cell("mood"), "happy");
    assert_eq!(cell("paid"), "EUR 4.99; USD 10.000001");
    assert!(cell("hot_topics").contains("water temple"));
}

#[test]
fn parquet_has_the_rows_and_types_of_the_table() {
    let file = file(&STREAM, Format::Parquet);
    let reader = SerializedFileReader::new(bytes(&file)).expect("a Parquet file");
    let schema = reader.metadata().file_metadata().schema_descr();
    assert_eq!(schema.num_columns(), columns::COLUMNS.len());
    let rows: Vec<_> = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), STREAM.len());
    for (row, window) in rows.iter().zip(STREAM.iter()) {
        assert_eq!(row.get_string(0).expect("text"), &window.stream_id);
        assert_eq!(row.get_timestamp_millis(1).expect("a time"), window.window_start_ms);
        assert_eq!(row.get_long(4).expect("a number"), window.chats as i64);
        assert!((row.get_double(7).expect("a number") - window.chats_per_second).abs() < f64::EPSILON);
    }
    let none = self::file(&[], Format::Parquet);
    let reader = SerializedFileReader::new(bytes(&none)).expect("a file without rows");
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

fn bytes(file: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(file)
}

#[test]
fn formats_are_read_and_file_names_are_safe() {
    assert_eq!("parquet".parse(), Ok(Format::Parquet));
    assert!("xlsx".parse::<Format>().expect_err("unknown").contains("Write csv, jsonl or parquet"));
    assert_eq!(Format::Csv.file_name("../a\"b\r\nc é"), "___a_b__c__.csv");
    assert_eq!(Format::JsonLines.file_name(""), "stream.jsonl");
}
