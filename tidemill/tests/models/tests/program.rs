//! The program's flags.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tidemill-model-server"))
}

fn refused(flags: &[&str], says: &str) {
    let output = program().args(flags).output().expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(says), "{error}");
}

#[test]
fn wrong_flags_are_refused_in_words() {
    refused(&["--latency", "300"], "Give a unit, for example 300ms or 2s.");
    refused(&["--rate", "hung=0.1"], "There is no fault 'hung'. Write one of: rate_limited,");
    refused(&["--rate", "hang"], "Write FAULT=SHARE, for example hang=0.01.");
    refused(&["--rate", "hang=1.1"], "The rate hang is 1.1. Give a share from 0 to 1.");
    refused(&["--errors", "0.9", "--rate", "hang=0.2"], "The rates of all faults sum to");
    refused(&["--outage", "2s..1s"], "An outage is from 2000 to 1000 ms. Give the smaller number first.");
    refused(&["--price", "small=3"], "Write MODEL=INPUT:OUTPUT");
    refused(&["--schedule", "/nowhere"], "Cannot read the schedule /nowhere");
}

#[test]
fn it_says_where_it_listens() {
    let flags = ["--listen", "127.0.0.1:0", "--seed", "1", "--latency", "300ms", "--errors", "0.05"];
    let mut child = program().args(flags).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("its words")).read_line(&mut line).expect("a line");
    child.kill().expect("it ends");
    child.wait().expect("it has ended");
    assert!(line.starts_with("The stand-in for model providers listens at http://127.0.0.1:"), "{line}");
}
