//! What an application may take: memory while much waits, time until a result is there, and nothing while it is idle.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{
    EmitStrategy, KStream, StreamsBuilder, StreamsConfig,
    testing::{FaultRates, Simulator, SimulatorOptions},
    transport::Transport,
};

use super::scenario::windows;

fn simulator(builder: &StreamsBuilder, config: StreamsConfig, faults: FaultRates) -> Simulator {
    let options = SimulatorOptions::new(7);
    let config = StreamsConfig { session_timeout: options.config.session_timeout, ..config };
    let options = SimulatorOptions { instances: 1, default_partitions: 1, config, faults, ..options };
    Simulator::new(&builder.build().expect("it is valid"), options).expect("it starts")
}

fn text(length: usize) -> String {
    "x".repeat(length)
}

#[test]
fn changes_wait_within_their_budget_while_commits_are_slow() {
    let builder = StreamsBuilder::new();
    let stream: KStream<String, String> = builder.stream("in");
    stream.group_by_key().windowed_by(windows()).emit(EmitStrategy::on_window_close()).collect("lists").to("out");
    let config = StreamsConfig { max_uncommitted_bytes: 20_000, max_buffered_records: 10, ..StreamsConfig::new("sim") };
    let mut simulator = simulator(&builder, config, FaultRates { slow_commit: 1.0, ..FaultRates::NONE });
    for wave in 0..100 {
        for number in 0..10 {
            simulator.append("in", &format!("key-{number}"), &text(500), wave).expect("appends");
        }
        simulator.run_in_order(1).expect("runs");
    }
    simulator.settle().expect("settles");
    let peak = simulator.peaks().uncommitted_bytes;
    // What one turn adds to what was still allowed.
    assert!(peak > 10_000 && peak < 40_000, "{peak} bytes waited for commits");
}

#[test]
fn an_input_whose_task_waits_is_not_fetched_beyond_its_bound() {
    let builder = StreamsBuilder::new();
    let left: KStream<String, i64> = builder.stream("left");
    left.merge(&builder.stream("right")).to("out");
    // It waits for the other input as good as for ever.
    let max_task_idle = Some(Duration::from_secs(10_000));
    let config = StreamsConfig { max_buffered_records: 100, max_task_idle, ..StreamsConfig::new("sim") };
    let mut simulator = simulator(&builder, config, FaultRates::NONE);
    for id in 0..10_000 {
        simulator.append("left", &"k".to_owned(), &id, id).expect("appends");
    }
    simulator.run_in_order(50).expect("runs");
    let peak = simulator.peaks().buffered_records;
    assert!((100..=1_100).contains(&peak), "{peak} records of one input were held");
}

#[test]
fn a_result_is_there_soon_after_the_commit_that_it_waits_for() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").map_values(|id| id + 1).to("out");
    let faults = FaultRates { slow_commit: 1.0, ..FaultRates::NONE };
    let mut simulator = simulator(&builder, StreamsConfig::new("sim"), faults);
    simulator.run_in_order(10).expect("runs");
    for id in 0..50 {
        simulator.append("in", &"k".to_owned(), &id, id).expect("appends");
        let began_ms = simulator.now_ms();
        while simulator.read::<String, i64>("out").expect("reads").len() <= id as usize {
            simulator.run_in_order(1).expect("runs");
        }
        let took_ms = simulator.now_ms() - began_ms;
        // The poll that the record ends, the commit interval, and some looks at a slow commit.
        assert!(took_ms <= 50 + 100 + 30, "result {id} took {took_ms} ms");
    }
}

/// The records of every topic but the one on which instances tell that they live.
fn lengths(simulator: &Simulator) -> BTreeMap<String, Vec<i64>> {
    let topics = simulator.log().admin().and_then(|mut admin| admin.list_topics()).expect("there are topics");
    let topics = topics.iter().filter(|topic| !topic.ends_with("-members"));
    topics.map(|topic| (topic.to_string(), simulator.log().end_offsets(topic).expect("it is there"))).collect()
}

/// Runs some records, and then nothing.
fn idle(builder: &StreamsBuilder) {
    let mut simulator = simulator(builder, StreamsConfig::new("sim"), FaultRates::NONE);
    for id in 0..20 {
        simulator.append("in", &format!("key-{}", id % 3), &id, id * 10).expect("appends");
        simulator.run(5).expect("runs");
    }
    simulator.settle().expect("settles");
    // The last windows close, if they close by themselves.
    simulator.rest(Duration::from_secs(5)).expect("rests");
    let (before, commits) = (lengths(&simulator), simulator.commits());
    simulator.rest(Duration::from_secs(200)).expect("rests");
    assert_eq!(lengths(&simulator), before, "nothing came, and something was written");
    assert_eq!(simulator.commits(), commits, "nothing came, and something was committed");
}

#[test]
fn an_idle_application_is_silent() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in");
    stream.group_by_key().count("counts").to_stream().to("counts-out");
    let rekeyed = stream.select_key(|_, id| format!("{}", id % 2)).repartition("parity").group_by_key();
    rekeyed.windowed_by(windows()).count("windows").to_stream().to("windows-out");
    stream.group_by_key().windowed_by(windows()).emit(EmitStrategy::on_window_close()).collect("lists").to("lists-out");
    idle(&builder);
}

#[test]
fn an_idle_application_whose_windows_close_by_themselves_is_silent() {
    let builder = StreamsBuilder::new();
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_millis(300));
    let stream = builder.stream::<String, i64>("in");
    stream.group_by_key().windowed_by(windows()).emit(emit).count("counts").to_stream().to("counts-out");
    stream.group_by_key().windowed_by(windows()).emit(emit).collect("lists").to("lists-out");
    idle(&builder);
}
