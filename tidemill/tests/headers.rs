//! Which headers windows have: an update those of its record, a session and a final result none.

mod common;

use std::time::Duration;

use tidemill::{
    EmitStrategy, KTable, SessionWindows, SlidingWindows, StreamsBuilder, TimeWindows, Windowed,
    testing::TopologyTestDriver, transport::Headers,
};

use common::Tested;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn traced(trace: &str) -> Headers {
    let mut headers = Headers::new();
    headers.push("trace", trace.to_owned());
    headers
}

/// Counts per window of 10 ms, final or not, in each kind of windows.
fn counts(
    emit: fn() -> EmitStrategy,
) -> [(&'static str, Box<dyn Fn(&StreamsBuilder) -> KTable<Windowed<String>, i64>>); 3] {
    let grouped = |builder: &StreamsBuilder| builder.stream::<String, String>("in").group_by_key();
    [
        (
            "time windows",
            Box::new(move |builder| {
                let windows = TimeWindows::of_size_with_no_grace(ms(10));
                grouped(builder).windowed_by(windows).emit(emit()).count("counts")
            }),
        ),
        (
            "sliding windows",
            Box::new(move |builder| {
                let windows = SlidingWindows::of_time_difference_with_no_grace(ms(10));
                grouped(builder).windowed_by(windows).emit(emit()).count("counts")
            }),
        ),
        (
            "sessions",
            Box::new(move |builder| {
                let windows = SessionWindows::of_inactivity_gap_with_no_grace(ms(10));
                grouped(builder).windowed_by(windows).emit(emit()).count("counts")
            }),
        ),
    ]
}

/// The traces of the results of two records in one window, and of one that closes it.
fn traces(count: impl Fn(&StreamsBuilder) -> KTable<Windowed<String>, i64>) -> Tested<Vec<String>> {
    let builder = StreamsBuilder::new();
    count(&builder).to_stream().map(|key, count| (key.key, count.map(|count| count.to_string()))).to("out");
    let driver = TopologyTestDriver::new(&builder.build()?)?;
    let input = driver.input::<String, String>("in");
    for (key, timestamp, trace) in [("k", 20, "one"), ("k", 21, "two"), ("z", 90, "far")] {
        input.pipe_with_headers(key.to_owned(), "v".to_owned(), timestamp, traced(trace))?;
    }
    let records = driver.output::<String, Option<String>>("out").read_records()?;
    let trace = |headers: &Headers| headers.last("trace").map(|trace| String::from_utf8_lossy(trace).into_owned());
    Ok(records.iter().map(|record| trace(&record.headers).unwrap_or_else(|| "none".to_owned())).collect())
}

#[test]
fn an_update_of_a_window_has_the_headers_of_its_record() -> Tested {
    let [time, sliding, sessions] = counts(EmitStrategy::on_window_update);
    for (windows, count) in [time, sliding] {
        let traces = traces(count)?;
        assert!(traces.contains(&"two".to_owned()), "{windows}: {traces:?}");
        let in_order = traces.iter().map(|trace| ["one", "two", "far"].iter().position(|other| other == trace));
        assert!(in_order.clone().all(|place| place.is_some()) && in_order.is_sorted(), "{windows}: {traces:?}");
    }
    let traces = traces(sessions.1)?;
    assert!(!traces.is_empty() && traces.iter().all(|trace| trace == "none"), "as in Kafka Streams: {traces:?}");
    Ok(())
}

#[test]
fn a_final_result_has_no_headers() -> Tested {
    for (windows, count) in counts(EmitStrategy::on_window_close) {
        let traces = traces(count)?;
        assert!(!traces.is_empty() && traces.iter().all(|trace| trace == "none"), "{windows}: {traces:?}");
    }
    Ok(())
}
