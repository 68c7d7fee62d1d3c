//! Runs a whole application on a log in memory: consumer, task, stores, changelog, output topic and commit.

use std::time::Duration;

use tempfile::TempDir;
use tidemill::{
    StreamsConfig, Topology,
    testing::InlineStreams,
    transport::{
        Transport,
        embedded::{EmbeddedLog, Entry},
    },
};

use super::{BenchResult, input::partition_of, report::Report};

/// The backend of the stores.
#[derive(Clone, Copy)]
pub(crate) enum Backend {
    Memory,
    RocksDb,
}

impl Backend {
    pub(crate) const BOTH: [Self; 2] = [Self::Memory, Self::RocksDb];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::RocksDb => "rocksdb",
        }
    }
}

/// An input topic. Applications read it one after another, each from the beginning.
pub(crate) struct Pipeline {
    log: EmbeddedLog,
    partitions: i32,
    records: u64,
    runs: u32,
}

impl Pipeline {
    /// Creates the topic `in` and fills it.
    pub(crate) fn new(partitions: i32, input: impl Iterator<Item = Entry>) -> BenchResult<Self> {
        let log = EmbeddedLog::in_memory();
        log.create("in", partitions)?;
        let mut queues = vec![Vec::new(); partitions as usize];
        let mut records = 0;
        for entry in input {
            queues[partition_of(&entry, partitions) as usize].push(entry);
            records += 1;
        }
        for (partition, queue) in queues.into_iter().enumerate() {
            log.append("in", partition as i32, queue)?;
        }
        Ok(Self { log, partitions, records, runs: 0 })
    }

    /// Runs a new application until it has read the whole input. Its start and its end are not measured.
    ///
    /// # Panics
    /// If the run fails.
    pub(crate) fn run(&mut self, report: &mut Report, name: &str, backend: Backend, topology: &Topology) -> Duration {
        self.try_run(report, name, backend, topology).expect("the run succeeds")
    }

    fn try_run(
        &mut self,
        report: &mut Report,
        name: &str,
        backend: Backend,
        topology: &Topology,
    ) -> BenchResult<Duration> {
        self.runs += 1;
        self.log.create("out", self.partitions)?;
        let dir = TempDir::new()?;
        let mut config = StreamsConfig::new(format!("bench-{}", self.runs));
        if matches!(backend, Backend::RocksDb) {
            config.state_dir = Some(dir.path().to_owned());
        }
        let mut app = InlineStreams::start(topology, config, self.log.clone())?;
        let (wall, status) = report.measure(name, self.records, || app.run_until_caught_up());
        let processed: u64 = status?.tasks.iter().map(|task| task.records_processed).sum();
        assert_eq!(processed, self.records, "{name}: every record is processed once");
        drop(app);
        self.drop_results()?;
        Ok(wall)
    }

    fn drop_results(&self) -> BenchResult<()> {
        let mut admin = self.log.admin()?;
        for topic in admin.list_topics()?.into_iter().filter(|topic| &**topic != "in") {
            admin.delete_topic(&topic)?;
        }
        Ok(())
    }
}
