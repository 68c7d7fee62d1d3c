//! A request tells what its task had taken of each input.

mod common;

use std::time::Duration;

use common::{
    calls::{answer, header, request, requests},
    driver,
};
use tidemill::{
    AsyncCall, EmitStrategy, InputOffset, StreamsBuilder, TimeWindows, Windowed, testing::TopologyTestDriver,
};

/// Lists of a second from two inputs → call `grade` → `out`: each answer's inputs.
fn lists() -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let one = builder.stream::<String, String>("one");
    let both = one.merge(&builder.stream::<String, String>("two"));
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(20));
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let lists = both.group_by_key().windowed_by(windows).emit(emit).collect("lists");
    let call = AsyncCall::<Windowed<String>, String, String>::named("grade");
    let answered = lists.map_values(|list| list.concat()).map_async(&call);
    answered.map_values(|it| told(&it.report.inputs)).to("out");
    driver(&builder)
}

fn told(inputs: &[InputOffset]) -> String {
    let mut texts: Vec<_> = inputs.iter().map(|it| format!("{}-{}@{}", it.topic, it.partition, it.offset)).collect();
    texts.sort();
    texts.join(" ")
}

fn pipe(driver: &TopologyTestDriver, topic: &str, text: &str, time: i64) {
    driver.input::<String, String>(topic).pipe("k".into(), text.into(), time).expect("processes");
}

fn inputs(driver: &TopologyTestDriver, text: &str) -> String {
    let json = header(&request(driver, text).headers, "tidemill.call.inputs").expect("it tells");
    let inputs: Vec<InputOffset> = serde_json::from_str(&json).expect("it is JSON");
    told(&inputs.into_iter().filter(|it| !it.topic.contains("grade")).collect::<Vec<_>>())
}

fn out(driver: &TopologyTestDriver) -> Vec<String> {
    driver.output::<Windowed<String>, String>("out").read_values().expect("reads")
}

#[test]
fn a_request_tells_the_last_records_that_its_task_took() {
    let driver = lists();
    pipe(&driver, "one", "a", 0);
    pipe(&driver, "one", "b", 1);
    pipe(&driver, "two", "c", 2);
    // It closes the window, and is taken.
    pipe(&driver, "one", "d", 1_500);
    assert_eq!(inputs(&driver, "abc"), "one-0@2 two-0@0");
    // The answer tells it, though the executor told nothing.
    answer(&driver, "abc", "A");
    assert_eq!(out(&driver), ["one-0@2 two-0@0"]);
}

#[test]
fn a_window_that_time_closes_tells_it_too_also_after_a_crash() {
    let driver = lists();
    pipe(&driver, "one", "a", 0);
    pipe(&driver, "two", "b", 1);
    driver.crash();
    assert!(requests(&driver).is_empty());
    driver.advance_wall_clock(Duration::from_secs(30)).expect("runs");
    assert_eq!(inputs(&driver, "ab"), "one-0@0 two-0@0");
}

#[test]
fn a_report_that_tells_inputs_is_left_as_it_is() {
    let driver = lists();
    pipe(&driver, "one", "a", 0);
    pipe(&driver, "one", "b", 1_500);
    let report = r#"{"inputs":[{"topic":"elsewhere","partition":3,"offset":9}]}"#;
    common::calls::respond(&driver, &request(&driver, "a"), Some("A"), &[("report", report)]);
    assert_eq!(out(&driver), ["elsewhere-3@9"]);
}
