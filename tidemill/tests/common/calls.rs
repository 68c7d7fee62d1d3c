//! Answers the calls of an asynchronous step by hand: reads its requests, and writes responses as an executor would.

use bytes::Bytes;
use tidemill::{
    AsyncCall, RecordHandler, StreamsBuilder, StreamsConfig,
    testing::{DriverOptions, TopologyTestDriver},
    transport::{ConsumedRecord, Headers, embedded::Entry},
};

pub(crate) type Call = AsyncCall<String, String, String>;

/// `grade`, with text everywhere.
pub(crate) fn call() -> Call {
    AsyncCall::named("grade")
}

/// `in` → call → `out`. A failure is its kind.
pub(crate) fn grading(call: &Call, builder: &StreamsBuilder) {
    let answered = builder.stream::<String, String>("in").map_async(call);
    answered
        .map_values(|it| match it.outcome {
            Ok(grade) => format!("{}: {grade}", it.request),
            Err(failure) => format!("{}: {}", it.request, failure.kind),
        })
        .to("out");
}

/// A driver of this step alone.
pub(crate) fn graded(call: &Call) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    grading(call, &builder);
    super::driver(&builder)
}

/// A driver that leaves out what operators refuse.
pub(crate) fn skipping(builder: &StreamsBuilder) -> TopologyTestDriver {
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    TopologyTestDriver::with(&builder.build().expect("the topology is valid"), options).expect("the driver starts")
}

pub(crate) fn pipe(driver: &TopologyTestDriver, key: &str, values: &[&str]) {
    for value in values {
        driver.input::<String, String>("in").pipe(key.into(), (*value).into(), 0).expect("processes");
    }
}

pub(crate) fn out(driver: &TopologyTestDriver) -> Vec<String> {
    driver.output::<String, String>("out").read_values().expect("reads")
}

/// The records of the topic with these requests, in order.
pub(crate) fn requests(driver: &TopologyTestDriver) -> Vec<ConsumedRecord> {
    let records = driver.log().read_all("test-grade-requests").expect("the topic is there");
    records.into_iter().map(|(_, record)| record).collect()
}

/// The last request with this text.
pub(crate) fn request(driver: &TopologyTestDriver, text: &str) -> ConsumedRecord {
    let is_it = |record: &ConsumedRecord| record.value.as_deref() == Some(text.as_bytes());
    requests(driver).into_iter().rfind(is_it).expect("it was asked")
}

/// Answers a request with a text.
pub(crate) fn answer(driver: &TopologyTestDriver, text: &str, grade: &str) {
    respond(driver, &request(driver, text), Some(grade), &[]);
}

/// Lets a request fail so.
pub(crate) fn fail(driver: &TopologyTestDriver, text: &str, kind: &str) {
    let failure = [("failure", kind), ("message", "it is too long"), ("attempts", "2")];
    respond(driver, &request(driver, text), None, &failure);
}

/// Writes a response with these headers of calls.
pub(crate) fn respond(
    driver: &TopologyTestDriver,
    request: &ConsumedRecord,
    value: Option<&str>,
    headers: &[(&str, &str)],
) {
    driver.log().append("test-grade-responses", 0, [response(request, value, headers)]).expect("appends");
}

pub(crate) fn response(request: &ConsumedRecord, value: Option<&str>, added: &[(&str, &str)]) -> Entry {
    let mut headers: Headers = request.headers.clone();
    for (name, text) in added {
        headers.push(format!("tidemill.call.{name}"), (*text).to_owned());
    }
    let value = value.map(|text| Bytes::copy_from_slice(text.as_bytes()));
    Entry { timestamp: request.timestamp, key: request.key.clone(), value, headers }
}

/// A header's text.
pub(crate) fn header(headers: &Headers, name: &str) -> Option<String> {
    headers.last(name).map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Why records of the step `grade` were dropped.
pub(crate) fn dropped(driver: &TopologyTestDriver) -> Vec<(&'static str, u64)> {
    let status = driver.status().expect("reports");
    let all = status.tasks.into_iter().flat_map(|task| task.records_dropped);
    all.filter(|(step, ..)| step == "grade").map(|(_, reason, count)| (reason, count)).collect()
}

/// Keys of rows that the store of pending requests still has, apart from its counter.
pub(crate) fn pending(driver: &TopologyTestDriver) -> usize {
    let mut rows = std::collections::BTreeMap::new();
    for (_, record) in driver.log().read_all("test-grade-pending-changelog").expect("the topic is there") {
        rows.insert(record.key, record.value);
    }
    rows.values().flatten().count().saturating_sub(1)
}
