//! How the binary is called here, and what it left.

use std::{
    collections::BTreeMap,
    process::{Command, Output},
};

use serde_json::Value;
use tidemill_apps::server::Log;

/// The command, with windows of ten seconds.
pub(crate) fn tidemill(brokers: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["--brokers", brokers, "--listen", "127.0.0.1:0", "--set", "run.partitions=4"]);
    // Silence must not close windows: how slow the machine is shall make no difference.
    command.args(["--set", "live.window=10s", "--set", "live.grace=1s", "--set", "live.idle_after=1h"]);
    command.args(["--set", "coach.window=10s", "--set", "coach.grace=1s", "--set", "coach.idle_after=1h"]);
    // Brokers delete by event time.
    command.args(["--set", "data.raw_retention=3650d", "--set", "data.result_retention=3650d"]);
    command.args(["--set", "kafka.transaction_timeout=3s"]);
    command
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// By whose it is and window.
pub(crate) type Results = BTreeMap<(String, i64), Vec<usize>>;

/// Of how many events each result on a topic was made, in the order of the log.
pub(crate) fn results(log: &Log, topic: &str, whose: &str, size: fn(&Value) -> usize) -> Results {
    let mut results = BTreeMap::<_, Vec<_>>::new();
    for value in log.read_all(topic).expect("reads").into_iter().filter_map(|(_, record)| record.value) {
        let value: Value = serde_json::from_slice(&value).expect("JSON");
        let key =
            (value[whose].as_str().expect("text").to_owned(), value["window_start_ms"].as_i64().expect("a number"));
        results.entry(key).or_default().push(size(&value));
    }
    results
}

/// Of how many chats each insight was made.
pub(crate) fn insights(log: &Log) -> Results {
    results(log, "live-insights", "stream_id", |insight| insight["chats"].as_u64().unwrap_or_default() as usize)
}
