//! Grades essays with a model that is limited, sometimes busy and sometimes wrong, and says how each grade came about.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::time::Duration;

use tidemill::{
    AsyncCall, BreakerPolicy, CallError, CallExecutor, CallPolicy, CallRequest, Caller, Limit, Reply, Route, Streams,
    StreamsBuilder, StreamsConfig, Usage, WhenExhausted,
    transport::embedded::{EmbeddedLog, Entry},
};

/// Stands in for a service with two models. A real caller asks over HTTP: see the module `tidemill::llm`.
struct Models;

impl Caller<String, String, i64> for Models {
    fn call(&mut self, essay: CallRequest<String, String>, reply: Reply<i64>) {
        let words = essay.value.split_whitespace().count() as u64;
        let usage = Usage { input_tokens: words, output_tokens: 1, cost_micros: 10 * words };
        match (&*essay.route, essay.attempt) {
            // Nothing was consumed, so say so. Otherwise, the most counts.
            ("large", 1) if words == 2 => {
                reply.with_usage(Usage::default()).send(Err(CallError::retry_after("busy", Duration::from_millis(20))));
            }
            ("large", _) if essay.value.contains("forbidden") => {
                reply.with_usage(usage).send(Err(CallError::permanent("the model declines")));
            }
            _ => reply.with_usage(usage).send(Ok(words as i64)),
        }
    }

    fn most(&self, essay: &CallRequest<String, String>) -> Usage {
        let words = essay.value.split_whitespace().count() as u64;
        Usage { input_tokens: words, output_tokens: 1, cost_micros: 10 * words }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = EmbeddedLog::in_memory();
    log.create("essays", 1)?;
    log.create("grades", 1)?;

    let call = AsyncCall::<String, String, i64>::named("grade").deadline(Duration::from_secs(30));
    let builder = StreamsBuilder::new();
    let graded = builder.stream::<String, String>("essays").map_async(&call);
    graded
        .map_values(|it| {
            let grade = it.outcome.map_or_else(|failure| failure.to_string(), |grade| format!("grade {grade}"));
            let report = it.report;
            format!(
                "{grade} ({} attempts, by {:?}, {} micros)",
                report.attempts, report.route, report.usage.cost_micros
            )
        })
        .to("grades");
    let streams = Streams::start(&builder.build()?, StreamsConfig::new("school"), log.clone())?;

    let breaker = Some(BreakerPolicy::default());
    let large = Route { breaker, ..Route::named("large") };
    let policy = CallPolicy {
        routes: vec![large, Route::named("small")],
        // For all instances together, and kept in the log.
        limits: vec![Limit::in_flight(8), Limit::micros_per_day(130)],
        when_exhausted: WhenExhausted::Fallback,
        first_backoff: Duration::from_millis(10),
        ..CallPolicy::default()
    };
    let executor = CallExecutor::spawn(&call, "school", log.clone(), policy, Models)?;

    for (pupil, essay) in
        [("ann", "to be or not"), ("bob", "too short"), ("cem", "a forbidden text"), ("dia", "one more")]
    {
        log.append("essays", 0, [Entry::new(pupil, essay, 0)])?;
    }
    while log.end_offsets("grades")? != [4] {
        std::thread::yield_now();
    }
    for (_, record) in log.read_all("grades")? {
        let text = |bytes: Option<bytes::Bytes>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        println!("{}: {}", text(record.key), text(record.value));
    }
    println!("{} micros in all", executor.stats().usage.cost_micros);
    executor.close(Duration::from_secs(1));
    streams.close()?;
    Ok(())
}
