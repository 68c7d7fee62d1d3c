//! Tidemill's operators answer as Kafka Streams does. What Kafka Streams answers is recorded in `tests/golden`, by
//! `make goldens`; the same inputs are replayed here.
//!
//! Where Tidemill differs on purpose:
//! - **Final results are never lost.** With the default retention, Kafka Streams loses those of windows that a record
//!   far ahead closes, because its store has hidden them by then. The recordings keep rows for longer, but for those
//!   named `forgetful`.
//! - **A cogroup has one stream time**, not one for each input. So it answers as Kafka Streams does when the inputs are
//!   merged first.
//! - **What a null means is up to the type.** An `Option` takes nulls, and operators process them as Kafka Streams'
//!   windowed ones do. Any other type drops them at the source as undecodable, as Kafka Streams' other aggregates and
//!   joins do; a record dropped there is counted once, not once for each operator below.
//! - **A windowed key's bytes hold both bounds of its window**, unless a topic has the `TimeWindowedCodec`: it writes
//!   those of Java's `TimeWindowedSerializer`, the start alone, and its readers must be told the size. The recordings
//!   flatten windowed keys to text on both sides.
//! - **What found no partner comes out as soon as its join window has closed.** Kafka Streams has a guard that keeps it
//!   from looking, and that waits for another record's window. So a join of two streams gives the same, but sooner.
//! - **A pair of a join is joined or not, and nothing comes out both alone and joined.** Kafka Streams emits a record
//!   that comes out of order alone, and may join it later (KAFKA-19536); and it joins records that are late as long as
//!   others are still stored (KAFKA-16123).
//! - **A session that ended exactly gap and grace ago is open, for every record.** The store of Kafka Streams hides it if
//!   a session of another key has ended since (`session-hidden`).
//! - **Operators remember time.** After a crash everything goes on as if there had been none; in Kafka Streams late
//!   records are taken again until new ones come.

mod golden;
mod replay;
mod topologies;
mod versioned;

use std::collections::BTreeMap;

use golden::{cases, read_case};
use replay::{Answer, Pace, replay};
use tidemill::{murmur2, partition_for};

/// Recordings of what Tidemill does in another way.
fn differs(case: &str) -> bool {
    case.contains("-forgetful.")
        || case.starts_with("streams-")
        || case == "cogroup-tumbling.two-topics"
        || case.ends_with(".session-hidden")
}

/// Drops that Kafka Streams counts again: a null value, by each of the joins that see it.
const COUNTED_AGAIN: [(&str, u64); 2] = [("joins.table-edges", 1), ("versioned-joins.table-edges", 2)];

fn compare(pace: Pace, which: impl Fn(&golden::Case) -> bool) {
    let (mut compared, mut wrong) = (0, Vec::new());
    for name in cases().into_iter().filter(|name| !differs(name)) {
        let mut case = read_case(&name);
        if !which(&case) {
            continue;
        }
        let again = COUNTED_AGAIN.iter().find(|(case, _)| *case == name);
        case.answer.dropped -= again.map_or(0, |(_, count)| *count);
        compared += 1;
        let found = replay(&case, pace);
        if let Some(difference) = case.answer.difference(&found, pace) {
            wrong.push(format!("{name}, {pace:?}: {difference}"));
        }
    }
    assert!(compared >= 20, "only {compared} recordings were compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_record_is_answered_as_in_kafka_streams() {
    compare(Pace::Stepwise, |_| true);
}

#[test]
fn crashes_change_no_answer() {
    compare(Pace::CrashingEvery(4), |_| true);
}

#[test]
fn answers_do_not_depend_on_when_work_is_committed() {
    compare(Pace::AtOnce, |case| case.steps.iter().all(|step| step.topic == "in"));
}

#[test]
fn final_results_that_kafka_streams_loses_are_emitted() {
    for name in cases().into_iter().filter(|name| name.contains("-forgetful.")) {
        let case = read_case(&name);
        let found = replay(&case, Pace::Stepwise);
        let mut rest = found.records.iter();
        let all_there = case.answer.records.iter().all(|expected| rest.any(|record| record == expected));
        assert!(all_there, "{name}: what Kafka Streams emits is emitted, in its order");
        assert!(found.records.len() > case.answer.records.len(), "{name}: and more");
        assert_eq!(found.dropped, case.answer.dropped, "{name}");
        let kept = read_case(&name.replace("-forgetful", ""));
        assert_eq!(found.records, kept.answer.records, "{name}: as with a longer retention");
    }
}

#[test]
fn a_session_that_the_store_of_kafka_streams_hides_goes_on() {
    let case = read_case("sessions-aggregate-short-close.session-hidden");
    assert_eq!(case.answer.records, ["3 out a 0 0 ,1 0", "5 out b 10 10 ,2 10", "5 out b 11 11 ,4 11"]);
    let found = replay(&case, Pace::Stepwise);
    assert_eq!(found.records, ["3 out a 0 0 ,1 0", "5 out b 10 11 ,2,4 11"]);
}

/// Records without their steps, and the steps of each.
fn steps_by_record(answer: &Answer, inner: bool) -> BTreeMap<String, Vec<u32>> {
    let mut all = BTreeMap::<_, Vec<u32>>::new();
    for line in answer.records.iter().filter(|line| line.contains(" out-inner ") == inner) {
        let (step, record) = line.split_once(' ').expect("begins with its step");
        all.entry(record.to_owned()).or_default().push(step.parse().expect("a number"));
    }
    all
}

#[test]
fn joined_streams_give_what_kafka_streams_gives_and_no_later() {
    let cases: Vec<_> = cases().into_iter().filter(|name| name.starts_with("streams-")).collect();
    assert_eq!(cases.len(), 8);
    for (name, pace) in cases.iter().flat_map(|name| [(name, Pace::Stepwise), (name, Pace::CrashingEvery(4))]) {
        if name.ends_with(".joined-late") {
            continue;
        }
        let case = read_case(name);
        let found = replay(&case, pace);
        assert_eq!(steps_by_record(&found, true), steps_by_record(&case.answer, true), "{name}, {pace:?}");
        let (sooner, later) = (steps_by_record(&found, false), steps_by_record(&case.answer, false));
        assert!(sooner.keys().eq(later.keys()), "{name}, {pace:?}: {sooner:?}\n{later:?}");
        for (record, steps) in &sooner {
            let theirs = &later[record];
            let no_later = steps.len() == theirs.len() && steps.iter().zip(theirs).all(|(ours, theirs)| ours <= theirs);
            assert!(no_later, "{name}, {pace:?}: {record} at {steps:?}, in Kafka Streams at {theirs:?}");
        }
        if pace == Pace::Stepwise {
            assert_eq!(found.dropped, case.answer.dropped, "{name}");
        }
    }
}

#[test]
fn what_kafka_streams_emits_twice_or_joins_too_late_is_not() {
    let case = read_case("streams-both.joined-late");
    let found = replay(&case, Pace::Stepwise);
    let more = |more: &Answer, than: &Answer| -> Vec<_> {
        let without_step = |line: &String| line.split_once(' ').expect("begins with its step").1.to_owned();
        let than: Vec<_> = than.records.iter().map(without_step).collect();
        more.records.iter().map(without_step).filter(|record| !than.contains(record)).collect()
    };
    assert_eq!(
        more(&case.answer, &found),
        [
            "out-left a 2+null 2",
            "out-outer a 2+null 2",
            "out-inner c 6+4 82",
            "out-left c 6+4 82",
            "out-outer c 6+4 82",
        ]
    );
    assert_eq!(more(&found, &case.answer), [] as [&str; 0]);
    assert_eq!(found.dropped, case.answer.dropped + 3, "the late record is counted by each join");
}

#[test]
fn a_cogroup_has_one_stream_time_where_kafka_streams_has_one_for_each_input() {
    let (separate, merged) =
        (read_case("cogroup-tumbling.two-topics"), read_case("cogroup-tumbling-merged.two-topics"));
    let Answer { records, dropped } = replay(&separate, Pace::Stepwise);
    assert_eq!(records, merged.answer.records);
    assert!(dropped > separate.answer.dropped, "what is late for one input is late for the other");
}

#[test]
fn keys_go_to_the_partitions_that_java_clients_choose() {
    let lines = golden::lines("murmur2");
    assert!(lines.len() > 2_000, "there are only {} keys", lines.len());
    for line in lines {
        let mut words = line.split(' ');
        let hex = words.next().and_then(|word| word.strip_prefix('x')).expect("a key in hex");
        let key: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hex digits"))
            .collect();
        let numbers: Vec<i32> = words.map(|word| word.parse().expect("a number")).collect();
        assert_eq!(murmur2(&key) as i32, numbers[0], "hash of {hex}");
        for (partitions, expected) in [1, 2, 3, 4, 7, 12, 100, 1000].into_iter().zip(&numbers[1..]) {
            assert_eq!(partition_for(Some(&key), partitions), *expected, "{hex} among {partitions}");
        }
        assert_eq!(numbers.len(), 9);
    }
}
