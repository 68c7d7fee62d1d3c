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

type Counts = KTable<Windowed<String>, i64>;

/// Counts in windows that can hold two records a millisecond apart.
fn counts(windows: &str, emit: EmitStrategy, builder: &StreamsBuilder) -> Counts {
    let grouped = builder.stream::<String, String>("in").group_by_key();
    match windows {
        "time windows" => grouped.windowed_by(TimeWindows::of_size_with_no_grace(ms(10))).emit(emit).count("counts"),
        "sliding windows" => {
            let windows = SlidingWindows::of_time_difference_with_no_grace(ms(10));
            grouped.windowed_by(windows).emit(emit).count("counts")
        }
        _ => {
            let windows = SessionWindows::of_inactivity_gap_with_no_grace(ms(10));
            grouped.windowed_by(windows).emit(emit).count("counts")
        }
    }
}

/// The traces of the results of two records in one window, and of one that closes it.
fn traces(windows: &str, emit: EmitStrategy) -> Tested<Vec<String>> {
    let builder = StreamsBuilder::new();
    let counts = counts(windows, emit, &builder);
    counts.to_stream().map(|key, count| (key.key, count.map(|count| count.to_string()))).to("out");
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
    for windows in ["time windows", "sliding windows"] {
        let traces = traces(windows, EmitStrategy::on_window_update())?;
        let in_order = traces.iter().map(|trace| ["one", "two", "far"].iter().position(|other| other == trace));
        assert!(in_order.clone().all(|place| place.is_some()) && in_order.is_sorted(), "{windows}: {traces:?}");
        assert!(traces.contains(&"two".to_owned()), "{windows}: {traces:?}");
    }
    Ok(())
}

#[test]
fn an_update_of_a_session_has_no_headers() -> Tested {
    let traces = traces("sessions", EmitStrategy::on_window_update())?;
    assert_eq!(traces, ["none"; 4], "as in Kafka Streams");
    Ok(())
}

#[test]
fn a_final_result_has_no_headers() -> Tested {
    for windows in ["time windows", "sliding windows", "sessions"] {
        let traces = traces(windows, EmitStrategy::on_window_close())?;
        assert!(!traces.is_empty() && traces.iter().all(|trace| trace == "none"), "{windows}: {traces:?}");
    }
    Ok(())
}
