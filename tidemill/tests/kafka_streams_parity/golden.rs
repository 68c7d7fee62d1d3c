//! The recordings: scripts of input records, and what Kafka Streams answered.

use std::{fs, path::PathBuf};

use crate::replay::Answer;

/// A record to pipe in.
pub(crate) struct Step {
    pub(crate) topic: String,
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) timestamp: i64,
}

/// A topology, its input, and what Kafka Streams answered.
pub(crate) struct Case {
    pub(crate) topology: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) answer: Answer,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A recording's lines without its comments.
pub(crate) fn lines(name: &str) -> Vec<String> {
    let path = folder().join(format!("{name}.txt"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().filter(|line| !line.starts_with('#')).map(ToOwned::to_owned).collect()
}

/// All recordings, `<topology>.<script>`.
pub(crate) fn cases() -> Vec<String> {
    let files = fs::read_dir(folder()).expect("the recordings are there");
    let names = files.map(|file| file.expect("readable").file_name().to_string_lossy().into_owned());
    let cases = names.filter_map(|name| name.strip_suffix(".txt").map(ToOwned::to_owned));
    let mut cases: Vec<_> = cases.filter(|name| name.contains('.') && !name.starts_with("input.")).collect();
    cases.sort();
    cases
}

/// Reads a recording and the script that it belongs to.
pub(crate) fn read_case(name: &str) -> Case {
    let (topology, script) = name.split_once('.').expect("named for topology and script");
    let mut records = lines(name);
    let dropped = records.pop().and_then(|line| line.strip_prefix("dropped ")?.parse().ok());
    let answer = Answer { records, dropped: dropped.expect("ends with what was dropped") };
    let steps = lines(&format!("input.{script}")).iter().map(|line| step(line)).collect();
    Case { topology: topology.to_owned(), steps, answer }
}

fn step(line: &str) -> Step {
    let words: Vec<_> = line.split(' ').collect();
    let [topic, key, value, timestamp] = words[..] else { panic!("not a step: {line}") };
    let text = |word: &str| (word != "-").then(|| word.to_owned());
    let timestamp = timestamp.parse().expect("a timestamp");
    Step { topic: topic.to_owned(), key: text(key), value: text(value), timestamp }
}
