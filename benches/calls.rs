//! Calls without latency: what `map_async` and its executor cost, beside the same topology without a call.
//!
//! Task and executor take turns on one thread. The caller answers at once, so only the engine's own work is measured:
//! the request and its pending entry, the executor's queue, routes, limits, the response, the effect.

mod common;

use std::{sync::Arc, time::Duration};

use common::{BenchResult, load, report::Report};
use tidemill::{
    AsyncCall, BreakerPolicy, CallExecutor, CallOrder, CallPolicy, CallRequest, Limit, Reply, Route, StreamsBuilder,
    StreamsConfig, SystemClock, Topology, Usage,
    testing::InlineStreams,
    transport::embedded::{EmbeddedLog, Entry},
};

const KEYS: usize = 1_000;
const RECORDS: usize = 200_000;
const RUNS: usize = 5;
/// About as long as the request of a window with few messages.
const BYTES: usize = 400;

type Call = AsyncCall<String, String, String>;

fn main() -> BenchResult<()> {
    let mut report = Report::default();
    let ordered = AsyncCall::named("call");
    let unordered = AsyncCall::named("call").ordered(CallOrder::Unordered);
    let plain = CallPolicy { max_in_flight: 1_000, ..CallPolicy::default() };
    let route = Route { breaker: Some(BreakerPolicy::default()), ..Route::named("model") };
    let limits = vec![Limit::in_flight(1_000), Limit::tokens_per_day(u64::MAX / 2)];
    let limited = CallPolicy { limits, routes: vec![route], ..plain.clone() };
    for _ in 0..RUNS {
        without(&mut report)?;
        with(&mut report, "a call, answers in any order", &unordered, &plain)?;
        with(&mut report, "a call, answers in order of the key", &ordered, &plain)?;
        with(&mut report, "a call in order, breaker, limits in the log", &ordered, &limited)?;
    }
    report.print();
    Ok(())
}

fn answer(request: &str) -> String {
    request[..8].to_owned()
}

fn input() -> BenchResult<(EmbeddedLog, usize)> {
    let (log, records) = (EmbeddedLog::in_memory(), load(RECORDS));
    log.create("in", 1)?;
    log.create("out", 1)?;
    let text = "x".repeat(BYTES);
    let entries = (0..records).map(|at| Entry::new(format!("key-{}", at % KEYS), text.clone(), at as i64));
    log.append("in", 0, entries)?;
    Ok((log, records))
}

fn without(report: &mut Report) -> BenchResult<()> {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").map_values(|request| answer(&request)).to("out");
    let (log, records) = input()?;
    let mut app = InlineStreams::start(&builder.build()?, StreamsConfig::new("calls"), log)?;
    report.measure("no call", records as u64, || app.run_until_caught_up()).1?;
    Ok(())
}

fn topology(call: &Call) -> BenchResult<Topology> {
    let builder = StreamsBuilder::new();
    let answers = builder.stream::<String, String>("in").map_async(call);
    answers.map_values(|it| it.outcome.unwrap_or_default()).to("out");
    Ok(builder.build()?)
}

fn with(report: &mut Report, name: &str, call: &Call, policy: &CallPolicy) -> BenchResult<()> {
    let (log, records) = input()?;
    let mut app = InlineStreams::start(&topology(call)?, StreamsConfig::new("calls"), log.clone())?;
    // The call's topics come with the first step.
    let (transport, policy, clock) = (Arc::new(log.clone()), policy.clone(), Arc::new(SystemClock));
    let mut caller = |request: CallRequest<String, String>, reply: Reply<String>| {
        let usage = Usage { input_tokens: 100, output_tokens: 2, cost_micros: 30 };
        reply.with_usage(usage).send(Ok(answer(&request.value)));
    };
    let run = || -> BenchResult<()> {
        app.run_until_caught_up()?;
        let mut executor = CallExecutor::open(call, "calls", transport, policy, clock)?;
        while log.end_offsets("out")? != [records as i64] {
            executor.step(&mut caller, Duration::ZERO)?;
            app.run_until_caught_up()?;
        }
        Ok(())
    };
    report.measure(name, records as u64, run).1
}
