//! Runs both engines as processes, with the same arguments and the same format of results.

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::{BenchResult, site::Site};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Tidemill,
    KafkaStreams,
}

impl Engine {
    pub(crate) const BOTH: [Self; 2] = [Self::Tidemill, Self::KafkaStreams];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tidemill => "tidemill",
            Self::KafkaStreams => "kafka-streams",
        }
    }

    fn command(self) -> BenchResult<Command> {
        let mut command = Command::new(if self == Self::Tidemill { env::current_exe()? } else { "java".into() });
        match self {
            Self::Tidemill => command.arg("child"),
            Self::KafkaStreams => {
                let folder = java_folder()?;
                let class_path = format!("{0}/classes:{0}/lib/*", folder.display());
                command.args(["-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", &class_path, "Bench"])
            }
        };
        Ok(command)
    }
}

/// The folder with Kafka Streams' program, which `make bench-kafka` builds beside this program.
fn java_folder() -> BenchResult<PathBuf> {
    let program = env::current_exe()?;
    let mut folders = program.ancestors().map(|folder| folder.join("kafka-streams"));
    let found = folders.find(|folder| folder.join("classes/Bench.class").exists());
    Ok(found.ok_or("Kafka Streams' program is not built: run `make bench-kafka`")?)
}

/// The guarantees, with Kafka Streams' names.
pub(crate) const GUARANTEES: [&str; 2] = ["at_least_once", "exactly_once_v2"];

/// A job for an engine.
pub(crate) struct Job<'a> {
    pub(crate) workload: &'a str,
    pub(crate) guarantee: &'a str,
    /// The application id.
    pub(crate) application: &'a str,
    pub(crate) input: &'a str,
    pub(crate) output: &'a str,
    /// Settings as `name=value`, with Kafka Streams' names.
    pub(crate) settings: Vec<String>,
}

/// The measurements that a process printed at its end, by name.
pub(crate) type Told = BTreeMap<String, f64>;

impl Job<'_> {
    /// Runs an engine until it has processed `records` records.
    pub(crate) fn run(&self, engine: Engine, site: &Site, records: u64) -> BenchResult<Told> {
        let mut command = self.command(engine, site, "run")?;
        command.arg(records.to_string()).args(&self.settings);
        told(command.stdout(Stdio::piped()).spawn()?)
    }

    /// Runs an engine until [`Served::end`].
    pub(crate) fn serve(&self, engine: Engine, site: &Site) -> BenchResult<Served> {
        let mut command = self.command(engine, site, "serve")?;
        command.args(&self.settings);
        Ok(Served(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?))
    }

    fn command(&self, engine: Engine, site: &Site, what: &str) -> BenchResult<Command> {
        let mut command = engine.command()?;
        command.args([what, &site.servers, self.workload, self.guarantee, self.application, self.input, self.output]);
        Ok(command)
    }
}

/// A running engine. It ends when its standard input is closed, so it also ends with this process.
pub(crate) struct Served(Child);

impl Served {
    pub(crate) fn end(mut self) -> BenchResult<Told> {
        drop(self.0.stdin.take());
        told(self.0)
    }
}

fn told(child: Child) -> BenchResult<Told> {
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{}: {text}", output.status).into());
    }
    let last = text.lines().last().unwrap_or_default();
    let pairs = last.split_whitespace().filter_map(|pair| pair.split_once('='));
    Ok(pairs
        .map(|(name, value)| Ok((name.to_owned(), value.parse()?)))
        .collect::<Result<_, std::num::ParseFloatError>>()?)
}
