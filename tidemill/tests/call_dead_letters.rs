//! Requests that failed are kept with the reason, once, and can be asked again.

mod common;

use std::time::Duration;

use common::{
    calls::{
        Call, answer, call, dropped, fail, graded, grading, header, out, pending, pipe, request, requests, skipping,
    },
    driver,
};
use tidemill::{
    CallOrder, Plan, Streams, StreamsBuilder, StreamsConfig,
    state::{Codec, CodecError, Utf8},
    testing::TopologyTestDriver,
    transport::{
        ConsumedRecord, ProducerConfig, Transport as _,
        embedded::{EmbeddedLog, Entry},
    },
};

const TOPIC: &str = "test-grade-dead-letters";

fn kept() -> Call {
    call().dead_letters()
}

fn letters(driver: &TopologyTestDriver) -> Vec<ConsumedRecord> {
    driver.log().read_all(TOPIC).expect("the topic is there").into_iter().map(|(_, record)| record).collect()
}

fn ask_again(driver: &TopologyTestDriver, call: &Call, letter: &ConsumedRecord) {
    let again = call.ask_again("test", 0, letter).expect("it is a dead letter");
    let mut producer = driver.log().producer(&ProducerConfig::default()).expect("opens");
    producer.send(again).expect("sends");
    producer.flush().expect("flushes");
}

fn names(record: &ConsumedRecord) -> Vec<&str> {
    record.headers.iter().map(|header| header.key.as_str()).collect()
}

const REASON: [&str; 5] = [
    "__streams.errors.message",
    "tidemill.dead-letter.kind",
    "tidemill.dead-letter.message",
    "tidemill.dead-letter.attempts",
    "tidemill.dead-letter.report",
];

#[test]
fn a_failed_request_is_kept_with_the_reason_and_its_own_headers() {
    let driver = graded(&kept());
    let mut entry = Entry::new("k", "one", 7);
    entry.headers.push("schema", "v1");
    driver.log().append("in", 0, [entry]).expect("appends");
    assert!(out(&driver).is_empty());
    fail(&driver, "one", "timeout");
    assert_eq!(out(&driver), ["one: timeout"], "it is told all the same");
    let letters = letters(&driver);
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!((letter.key.as_deref(), letter.value.as_deref()), (Some(&b"k"[..]), Some(&b"one"[..])));
    assert_eq!(letter.timestamp, 7);
    assert_eq!(names(letter), [&["schema"][..], &REASON].concat());
    let told = |name: &str| header(&letter.headers, name).expect("it is there");
    assert_eq!(told("tidemill.dead-letter.kind"), "timeout");
    assert_eq!(told("tidemill.dead-letter.message"), "it is too long");
    assert_eq!(told("tidemill.dead-letter.attempts"), "2");
    assert!(told("tidemill.dead-letter.report").contains("\"topic\":\"in\""));
    assert_eq!(told("__streams.errors.message"), "no answer after 2 attempt(s): it is too long");
}

#[test]
fn what_would_come_too_late_and_what_is_dropped_is_not_kept() {
    let driver = graded(&kept().ordered(CallOrder::Unordered).deadline(Duration::from_secs(3)));
    pipe(&driver, "k", &["answered", "superseded", "expired", "dropped", "exhausted", "waits"]);
    answer(&driver, "answered", "A");
    for kind in ["superseded", "expired", "dropped", "exhausted"] {
        fail(&driver, kind, kind);
    }
    driver.advance_wall_clock(Duration::from_secs(3)).expect("runs");
    assert_eq!(out(&driver).len(), 5);
    let values: Vec<_> = letters(&driver).into_iter().filter_map(|letter| letter.value).collect();
    assert_eq!(values, ["exhausted"]);
}

/// Its first dead letter is noted as asked. Without another one it would be lost.
#[test]
fn a_request_that_was_asked_again_is_kept_however_it_ends() {
    let call = kept().deadline(Duration::from_secs(3));
    let driver = graded(&call);
    pipe(&driver, "k", &["one"]);
    fail(&driver, "one", "error");
    assert_eq!(out(&driver).len(), 1);
    for (round, kind) in (2..).zip(["superseded", "expired"]) {
        let last = letters(&driver).pop().expect("a dead letter");
        ask_again(&driver, &call, &last);
        assert_eq!(out(&driver).len(), round - 1);
        fail(&driver, "one", kind);
        assert_eq!(out(&driver).len(), round);
        let kinds = header(&letters(&driver)[round - 1].headers, "tidemill.dead-letter.kind");
        assert_eq!(kinds.as_deref(), Some(kind));
    }
}

#[test]
fn steps_that_keep_nothing_have_no_such_topic() {
    let driver = graded(&call());
    pipe(&driver, "k", &["one"]);
    fail(&driver, "one", "error");
    assert_eq!(out(&driver), ["one: error"]);
    assert!(driver.log().read_all(TOPIC).is_err());
}

#[test]
fn a_failure_that_waits_is_kept_when_it_is_told() {
    let builder = StreamsBuilder::new();
    grading(&kept(), &builder);
    builder.stream::<String, ()>("forget").erase("forgets", &["grade"]).map_values(|_| 0_i64).to("forgotten");
    let driver = driver(&builder);
    pipe(&driver, "k", &["one", "two"]);
    pipe(&driver, "l", &["three", "four"]);
    fail(&driver, "two", "error");
    fail(&driver, "four", "error");
    driver.crash();
    assert!(out(&driver).is_empty() && letters(&driver).is_empty());
    driver.input::<String, ()>("forget").pipe("l".into(), (), 0).expect("processes");
    answer(&driver, "three", "C");
    answer(&driver, "one", "A");
    driver.crash();
    assert_eq!(out(&driver), ["one: A", "two: error"]);
    let values: Vec<_> = letters(&driver).into_iter().filter_map(|letter| letter.value).collect();
    assert_eq!(values, ["two"], "nothing of an erased key is kept");
}

/// Only the first word.
struct FirstWord;

impl Codec<String> for FirstWord {
    fn encode_into(&self, value: &String, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value.split(' ').next().unwrap_or_default().as_bytes());
        Ok(())
    }

    fn decode(&self, bytes: bytes::Bytes) -> Result<String, CodecError> {
        Utf8.decode(bytes)
    }
}

#[test]
fn the_whole_request_is_kept_and_asked_again_as_it_was() {
    let call = kept().requests_as(FirstWord);
    let builder = StreamsBuilder::new();
    let answered = builder.stream::<String, String>("in").map_async(&call);
    answered.map_values(|it| format!("{} {} {}", it.request, it.outcome.is_ok(), it.report.repeated)).to("out");
    let driver = driver(&builder);
    let mut entry = Entry::new("k", "good morning", 7);
    entry.headers.push("trace", "t");
    driver.log().append("in", 0, [entry]).expect("appends");
    assert!(out(&driver).is_empty());
    fail(&driver, "good", "error");
    assert_eq!(out(&driver), ["good morning false false"]);
    let letter = letters(&driver).remove(0);
    assert_eq!(letter.value.as_deref(), Some(&b"good morning"[..]));

    ask_again(&driver, &call, &letter);
    driver.crash();
    assert_eq!(out(&driver).len(), 1);
    let asked = requests(&driver);
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0].key, asked[1].key, "it has a new id");
    answer(&driver, "good", "A");
    let records = driver.output::<String, String>("out").read_records().expect("reads");
    let last = records.last().expect("it is answered");
    assert_eq!((last.value.as_str(), last.key.as_str(), last.timestamp), ("good morning true true", "k", 7));
    assert_eq!(last.headers.iter().map(|header| header.key.as_str()).collect::<Vec<_>>(), ["trace"]);
    assert_eq!(pending(&driver), 0);
}

#[test]
fn a_dead_letter_that_fails_again_has_one_reason() {
    let driver = graded(&kept());
    pipe(&driver, "k", &["one"]);
    for round in 1..4 {
        fail(&driver, "one", if round == 3 { "timeout" } else { "error" });
        let letters = letters_after(&driver);
        assert_eq!(letters.len(), round);
        let last = &letters[round - 1];
        assert_eq!(names(last), REASON, "the headers do not grow");
        assert_eq!(
            header(&last.headers, "tidemill.dead-letter.kind").as_deref(),
            Some(if round == 3 { "timeout" } else { "error" })
        );
        ask_again(&driver, &kept(), last);
        assert_eq!(out(&driver).len(), round);
    }
}

fn letters_after(driver: &TopologyTestDriver) -> Vec<ConsumedRecord> {
    driver.status().expect("runs");
    letters(driver)
}

#[test]
fn a_request_that_is_asked_again_is_the_last_of_its_lane() {
    let driver = graded(&kept());
    pipe(&driver, "k", &["one"]);
    fail(&driver, "one", "error");
    let letter = letters_after(&driver).remove(0);
    pipe(&driver, "k", &["two"]);
    ask_again(&driver, &kept(), &letter);
    assert_eq!(out(&driver), ["one: error"]);
    answer(&driver, "one", "A");
    assert_eq!(out(&driver), ["one: error"]);
    answer(&driver, "two", "B");
    assert_eq!(out(&driver), ["one: error", "two: B", "one: A"]);
}

#[test]
fn records_that_cannot_be_asked_again_are_left_out() {
    let driver = graded(&kept());
    let mut no_value = Entry { key: Some("k".into()), ..Entry::default() };
    no_value.headers.push("tidemill.call.again", "1");
    let mut no_text = Entry::new("k", vec![0xff, 0xfe], 0);
    no_text.headers.push("tidemill.call.again", "1");
    driver.log().append("test-grade-responses", 0, [no_value, no_text]).expect("appends");
    pipe(&driver, "k", &["one"]);
    answer(&driver, "one", "A");
    assert_eq!(out(&driver), ["one: A"]);
    assert_eq!(dropped(&driver), [("undecodable", 2)]);
    assert_eq!(kept().ask_again("test", 0, &request(&driver, "one")), None, "it is no dead letter");
}

#[test]
fn a_dead_letter_is_kept_though_an_operator_refuses_the_failure() {
    let builder = StreamsBuilder::new();
    let answered = builder.stream::<String, String>("in").map_async(&kept());
    let checked = answered.process("checks", &[], || Refuse);
    checked.to("out");
    let driver = skipping(&builder);
    pipe(&driver, "k", &["one"]);
    fail(&driver, "one", "error");
    assert!(out(&driver).is_empty());
    assert_eq!(letters(&driver).len(), 1);
}

struct Refuse;

impl tidemill::processor::Processor<String, tidemill::Answered<String, String>, String, String> for Refuse {
    fn process(
        &mut self,
        _ctx: &mut tidemill::processor::ProcessorContext<'_, String, String>,
        _record: tidemill::processor::Record<String, tidemill::Answered<String, String>>,
    ) -> Result<(), tidemill::state::BoxError> {
        Err("nobody wants it".into())
    }
}

#[test]
fn the_plan_knows_the_topic() {
    let builder = StreamsBuilder::new();
    grading(&kept(), &builder);
    let topology = builder.build().expect("is valid");
    let plan = Plan::new("school", &topology).resolve(|_| Some(3)).expect("resolves");
    let text = plan.describe();
    let line = "grade-dead-letters (dead-letter-sink, topic: school-grade-dead-letters [3])";
    assert!(text.contains(line), "{text}");
    assert!(plan.internal_topics().iter().any(|topic| &*topic.spec.name == "school-grade-dead-letters"));

    let log = EmbeddedLog::in_memory();
    for (topic, partitions) in [("in", 3), ("out", 3), ("school-grade-dead-letters", 2)] {
        log.create(topic, partitions).expect("the log is empty");
    }
    let refused = Streams::start(&topology, StreamsConfig::new("school"), log).err().expect("the counts differ");
    let text = refused.to_string();
    assert!(text.contains("'school-grade-dead-letters' has 2 partitions, but the topology needs 3"), "{text}");
}
