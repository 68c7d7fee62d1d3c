//! Answers of a lane come in the order of its requests, whatever happens meanwhile.

mod common;

use bytes::Bytes;
use common::{
    calls::{
        answer, call, dropped, fail, graded, grading, out, pending, pipe, request, requests, respond, response,
        skipping,
    },
    driver,
    not_bad::NotBad,
    windowed,
};
use tidemill::{
    AsyncCall, CallOrder, StreamsBuilder, Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::{BoxError, RawBytes},
    transport::embedded::Entry,
};

#[test]
fn an_early_answer_waits_for_those_before_it() {
    let driver = graded(&call());
    pipe(&driver, "k", &["one", "two", "three"]);
    pipe(&driver, "other", &["four"]);
    answer(&driver, "three", "C");
    answer(&driver, "two", "B");
    answer(&driver, "four", "D");
    assert_eq!(out(&driver), ["four: D"], "other keys do not wait");
    answer(&driver, "one", "A");
    assert_eq!(out(&driver), ["four: D", "one: A", "two: B", "three: C"]);
    assert_eq!(pending(&driver), 0);
}

#[test]
fn a_failure_keeps_its_place_and_lets_the_next_one_out() {
    let driver = graded(&call());
    pipe(&driver, "k", &["one", "two", "three"]);
    fail(&driver, "two", "error");
    answer(&driver, "three", "C");
    assert!(out(&driver).is_empty());
    fail(&driver, "one", "timeout");
    assert_eq!(out(&driver), ["one: timeout", "two: error", "three: C"]);
}

#[test]
fn the_latest_of_a_lane_comes_after_those_that_it_supersedes() {
    let driver = graded(&call().ordered(CallOrder::LatestWins));
    pipe(&driver, "k", &["one", "two", "three"]);
    answer(&driver, "three", "C");
    fail(&driver, "two", "superseded");
    fail(&driver, "one", "superseded");
    assert_eq!(out(&driver), ["one: superseded", "two: superseded", "three: C"]);
}

#[test]
fn an_unordered_step_emits_each_answer_at_once() {
    let driver = graded(&call().ordered(CallOrder::Unordered));
    pipe(&driver, "k", &["one", "two", "three"]);
    for text in ["three", "one", "two"] {
        answer(&driver, text, "A");
    }
    assert_eq!(out(&driver), ["three: A", "one: A", "two: A"]);
    assert_eq!(pending(&driver), 0);
}

#[test]
fn keys_that_begin_alike_are_lanes_of_their_own() {
    let driver = graded(&call());
    // If a lane's rows were told by the key's bytes alone, these would lie between each other's.
    let keys = ["a", "a\0\0\0\0\0\0\0", "a\0\0\0\0\0\0\0\0", "", "a\0"];
    for (number, key) in keys.iter().enumerate() {
        pipe(&driver, key, &[&format!("first {number}"), &format!("second {number}")]);
    }
    for number in 0..keys.len() {
        answer(&driver, &format!("second {number}"), "B");
    }
    assert!(out(&driver).is_empty());
    for number in (0..keys.len()).rev() {
        let before = out(&driver).len();
        answer(&driver, &format!("first {number}"), "A");
        assert_eq!(out(&driver)[before..], [format!("first {number}: A"), format!("second {number}: B")]);
    }
}

#[test]
fn windows_of_a_key_are_one_lane_in_the_order_of_requests() {
    let builder = StreamsBuilder::new();
    let call = AsyncCall::<Windowed<String>, String, String>::named("grade");
    let answered = builder.stream::<Windowed<String>, String>("in").map_async(&call);
    answered.map_values(|it| it.request).to("out");
    let driver = driver(&builder);
    // A later window may be asked before an earlier one, for example after an update of the earlier one.
    for (start, text) in [(2_000, "late"), (0, "early"), (2_000, "late again")] {
        driver
            .input::<Windowed<String>, String>("in")
            .pipe(windowed("k", start, start + 1_000), text.into(), 0)
            .expect("processes");
    }
    answer(&driver, "early", "A");
    answer(&driver, "late again", "A");
    assert!(driver.output::<Windowed<String>, String>("out").read().expect("reads").is_empty());
    answer(&driver, "late", "A");
    let values = driver.output::<Windowed<String>, String>("out").read_values().expect("reads");
    assert_eq!(values, ["late", "early", "late again"]);
}

#[test]
fn answers_that_wait_survive_crashes_and_count_once() {
    let driver = graded(&call());
    let texts: Vec<_> = (0..50).map(|number| format!("text {number}")).collect();
    pipe(&driver, "k", &texts.iter().map(String::as_str).collect::<Vec<_>>());
    for text in texts.iter().skip(1) {
        answer(&driver, text, "A");
    }
    assert!(out(&driver).is_empty());
    driver.crash();
    // An executor that began anew answers again.
    answer(&driver, &texts[7], "Z");
    assert!(out(&driver).is_empty());
    driver.crash();
    answer(&driver, &texts[0], "A");
    let expected: Vec<_> = texts.iter().map(|text| format!("{text}: A")).collect();
    assert_eq!(out(&driver), expected);
    answer(&driver, &texts[3], "Z");
    assert_eq!(out(&driver), expected);
    assert_eq!(dropped(&driver), [("duplicate", 1)], "since the last crash");
    assert_eq!(pending(&driver), 0);
}

#[test]
fn more_answers_than_fit_into_a_turn_come_out_in_order() {
    let driver = graded(&call());
    let count = 20_000;
    let entries = (0..count).map(|number| Entry::new("k", format!("{number}"), 0));
    driver.log().append("in", 0, entries).expect("appends");
    assert!(out(&driver).is_empty());
    let asked = requests(&driver);
    let answers = asked.iter().skip(1).map(|request| response(request, Some("A"), &[]));
    driver.log().append("test-grade-responses", 0, answers.collect::<Vec<_>>()).expect("appends");
    assert!(out(&driver).is_empty());
    respond(&driver, &asked[0], Some("A"), &[]);
    let expected: Vec<_> = (0..count).map(|number| format!("{number}: A")).collect();
    assert!(out(&driver) == expected);
    assert_eq!(pending(&driver), 0);
}

/// Withdraws the requests of the windows that come.
struct Withdraw(AsyncCall<Windowed<String>, String, String>);

impl Processor<Windowed<String>, String, Windowed<String>, i64> for Withdraw {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, i64>,
        record: Record<Windowed<String>, String>,
    ) -> Result<(), BoxError> {
        let withdrawn = self.0.withdraw(ctx, |key| *key == record.key)?;
        ctx.forward(record.with_value(withdrawn as i64));
        Ok(())
    }
}

#[test]
fn a_withdrawn_request_lets_the_younger_answers_out() {
    let builder = StreamsBuilder::new();
    let call = AsyncCall::<Windowed<String>, String, String>::named("grade");
    builder.stream::<Windowed<String>, String>("in").map_async(&call).map_values(|it| it.request).to("out");
    let store = call.pending_store();
    let withdraw = move || Withdraw(call.clone());
    builder.stream::<Windowed<String>, String>("withdraw").process("withdraws", &[&store], withdraw).to("withdrawn");
    let driver = driver(&builder);
    for (start, text) in [(0, "one"), (1, "two"), (2, "three"), (3, "four")] {
        driver
            .input::<Windowed<String>, String>("in")
            .pipe(windowed("k", start, start + 1), text.into(), 0)
            .expect("processes");
    }
    for text in ["two", "three"] {
        answer(&driver, text, "A");
    }
    let values = || driver.output::<Windowed<String>, String>("out").read_values().expect("reads");
    assert!(values().is_empty());
    let withdraw = |start| {
        let input = driver.input::<Windowed<String>, String>("withdraw");
        input.pipe(windowed("k", start, start + 1), String::new(), 0).expect("processes");
    };
    // An answer that waits is withdrawn with its request.
    withdraw(1);
    assert!(values().is_empty());
    withdraw(0);
    assert_eq!(values(), ["three"]);
    answer(&driver, "one", "A");
    answer(&driver, "four", "A");
    assert_eq!(values(), ["three", "four"]);
    assert_eq!(pending(&driver), 0);
}

#[test]
fn an_answer_that_an_operator_refuses_is_left_out_and_holds_back_no_other() {
    let builder = StreamsBuilder::new();
    let answered = builder.stream::<String, String>("in").map_async(&call());
    answered.map_values(|it| it.outcome.unwrap_or_default()).process("not-bad", &[], || NotBad).to("out");
    let driver = skipping(&builder);
    pipe(&driver, "k", &["one", "two", "three"]);
    answer(&driver, "three", "C");
    answer(&driver, "two", "bad");
    answer(&driver, "one", "A");
    assert_eq!(out(&driver), ["A", "C"]);
    pipe(&driver, "k", &["four", "five"]);
    answer(&driver, "four", "bad");
    answer(&driver, "five", "E");
    assert_eq!(out(&driver), ["A", "C", "E"]);
    assert_eq!(pending(&driver), 0);
}

#[test]
fn a_record_that_another_branch_refuses_asks_nothing_and_holds_back_no_answer() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.map_async(&call()).map_values(|it| it.request).to("out");
    stream.process("not-bad", &[], || NotBad).to("good");
    let driver = skipping(&builder);
    pipe(&driver, "k", &["bad", "one", "bad too", "two"]);
    let asked: Vec<_> = requests(&driver).into_iter().filter_map(|record| record.value).collect();
    assert_eq!(asked, ["one", "two"]);
    answer(&driver, "two", "B");
    answer(&driver, "one", "A");
    assert_eq!(out(&driver), ["one", "two"]);
}

#[test]
fn an_erased_key_has_no_answers_and_begins_anew() {
    let builder = StreamsBuilder::new();
    grading(&call(), &builder);
    builder
        .stream::<String, ()>("forget")
        .erase("forgets", &["grade"])
        .map_values(|it| it.calls as i64)
        .to("forgotten");
    let driver = driver(&builder);
    pipe(&driver, "k", &["one", "two", "three"]);
    pipe(&driver, "ka", &["four", "five"]);
    for text in ["two", "five"] {
        answer(&driver, text, "A");
    }
    driver.input::<String, ()>("forget").pipe("k".into(), (), 0).expect("processes");
    assert_eq!(driver.output::<String, i64>("forgotten").read_values().expect("reads"), [3]);
    let last = requests(&driver).pop().expect("a record");
    assert_eq!((last.key.as_deref(), last.value), (Some(&b"k"[..]), None), "executors are told to forget the key");
    answer(&driver, "one", "A");
    assert!(out(&driver).is_empty());
    answer(&driver, "four", "A");
    pipe(&driver, "k", &["six"]);
    answer(&driver, "six", "A");
    assert_eq!(out(&driver), ["four: A", "five: A", "six: A"]);
    assert_eq!(pending(&driver), 0);
}

#[test]
fn a_dropped_request_emits_nothing_and_is_counted() {
    let driver = graded(&call());
    pipe(&driver, "k", &["one", "two", "three"]);
    answer(&driver, "three", "C");
    fail(&driver, "two", "dropped");
    assert!(out(&driver).is_empty());
    fail(&driver, "one", "dropped");
    assert_eq!(out(&driver), ["three: C"]);
    answer(&driver, "one", "A");
    assert_eq!(out(&driver), ["three: C"]);
    assert_eq!(dropped(&driver), [("duplicate", 1), ("dropped", 2)]);
    assert_eq!(pending(&driver), 0);
}

#[test]
fn headers_of_calls_that_an_input_brings_are_no_part_of_the_call() {
    let driver = graded(&call());
    let mut entry = Entry::new("k", "one", 0);
    // As they are on records that were copied from a topic of responses.
    for (name, value) in [("tidemill.call.failure", "error"), ("tidemill.call.again", "1"), ("trace", "t")] {
        entry.headers.push(name, value);
    }
    driver.log().append("in", 0, [entry]).expect("appends");
    assert!(out(&driver).is_empty());
    answer(&driver, "one", "A");
    let records = driver.output::<String, String>("out").read_records().expect("reads");
    assert_eq!(records[0].value, "one: A");
    let names: Vec<_> = records[0].headers.iter().map(|header| header.key.as_str()).collect();
    assert_eq!(names, ["trace"]);
}

/// Writes a pending request as programs did that knew no order.
struct AsBefore;

impl Processor<String, String, String, String> for AsBefore {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        let store = ctx.key_value_store_with::<Bytes, Bytes>("grade-pending", RawBytes, RawBytes)?;
        let row = [&[1], record.key.as_bytes(), &100_u64.to_be_bytes()].concat();
        store.put(&row.into(), &record.value.into(), record.timestamp)?;
        Ok(())
    }
}

#[test]
fn requests_of_an_older_program_are_answered_erased_and_expire() {
    let builder = StreamsBuilder::new();
    grading(&call().deadline(std::time::Duration::from_secs(3)), &builder);
    builder.stream::<String, String>("before").process("before", &["grade-pending"], || AsBefore).to("nothing");
    builder
        .stream::<String, ()>("forget")
        .erase("forgets", &["grade"])
        .map_values(|it| it.calls as i64)
        .to("forgotten");
    let driver = driver(&builder);
    for key in ["k", "l", "m"] {
        driver.input::<String, String>("before").pipe(key.into(), format!("old {key}"), 7).expect("processes");
    }
    pipe(&driver, "k", &["new"]);
    driver.crash();
    answer(&driver, "new", "A");
    let id = [b"k".as_slice(), &100_u64.to_be_bytes()].concat();
    let mut old = Entry::new(id, "B", 7);
    old.headers.push("trace", "t");
    driver.log().append("test-grade-responses", 0, [old]).expect("appends");
    let records = driver.output::<String, String>("out").read_records().expect("reads");
    let found: Vec<_> = records.iter().map(|it| (it.value.as_str(), it.timestamp, it.headers.iter().count())).collect();
    assert_eq!(found, [("new: A", 0, 0), ("old k: B", 7, 1)], "they do not wait for each other");
    driver.input::<String, ()>("forget").pipe("l".into(), (), 0).expect("processes");
    assert_eq!(driver.output::<String, i64>("forgotten").read_values().expect("reads"), [1]);
    driver.advance_wall_clock(std::time::Duration::from_secs(3)).expect("runs");
    assert_eq!(out(&driver)[2..], ["old m: expired"]);
    assert_eq!(request(&driver, "new").timestamp, 0);
}
