//! Kafka Streams in a JVM that answers one case after the other.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::case::{Answer, Case};

pub(crate) struct Oracle {
    jvm: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts it from the classes that `TIDEMILL_KAFKA_STREAMS` names.
    pub(crate) fn start() -> Self {
        let folder = env::var("TIDEMILL_KAFKA_STREAMS").expect("`make conformance` builds the Java side and names it");
        let path = format!("{folder}/classes:{folder}/lib/*");
        // Many small topologies: a quick start and little memory matter more than the last bit of speed.
        let mut jvm = Command::new("java")
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-cp", &path, "Interpreter"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("java is installed");
        let (asks, answers) = (jvm.stdin.take().expect("is piped"), jvm.stdout.take().expect("is piped"));
        Self { jvm, asks, answers: BufReader::new(answers) }
    }

    /// Gives it a case to work on. The answer is taken later.
    pub(crate) fn ask(&mut self, case: &Case) {
        let line = serde_json::to_string(case).expect("plain data");
        writeln!(self.asks, "{line}").expect("the JVM runs");
    }

    /// The answer to the first case whose answer was not taken.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the JVM runs");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.jvm.kill();
        let _ = self.jvm.wait();
    }
}
