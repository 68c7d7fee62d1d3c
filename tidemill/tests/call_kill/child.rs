//! One life of the application: both ends of its process.

use std::{
    env,
    io::{BufRead, BufReader, Lines, Read, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tidemill::{
    CallExecutor, Clock, Streams, StreamsConfig, StreamsState,
    transport::{TopicPartition, Transport},
};

use crate::{
    Tested,
    site::{self, Site},
    time::{Fast, real_ms},
    watch::Watched,
    work::{self, APP, OUTPUT, PARTITIONS, Plan},
};

const LIFE: &str = "CALL_KILL_LIFE";
/// How long calls may take when a process is closed.
const GRACE: Duration = Duration::from_secs(5);

/// What a process is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Life {
    pub(crate) number: u32,
    pub(crate) site: Site,
    /// Journals and state are here.
    pub(crate) place: PathBuf,
    /// The state folder's name: lives of one instance share it.
    pub(crate) instance: usize,
    pub(crate) models: String,
    pub(crate) plan: Plan,
    /// When the run began.
    pub(crate) began_real_ms: i64,
    /// The process ends by itself when there are so many effects.
    pub(crate) until: Option<usize>,
}

/// A process that lives, as its parent sees it. Dropped, it is killed.
pub(crate) struct Process {
    pub(crate) number: u32,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// A process that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) number: u32,
    pub(crate) ended_ms: i64,
    pub(crate) killed: bool,
}

impl Process {
    pub(crate) fn start(life: &Life) -> Tested<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["--ignored", "--exact", "child", "--nocapture"])
            .env(LIFE, serde_json::to_string(life)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
        Ok(Self { number: life.number, child, lines })
    }

    /// The number of its life.
    pub(crate) fn is_life(&self, key: &str) -> bool {
        key.parse() == Ok(self.number)
    }

    /// Waits until the process says that it has started.
    pub(crate) fn started(&mut self) -> Tested {
        for line in &mut self.lines {
            if line? == "child-started" {
                return Ok(());
            }
        }
        Err(format!("life {} ended before it started", self.number).into())
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Tested<Past> {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!("life {} had ended by itself with {status}", self.number).into());
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.past(true))
    }

    /// Waits until it ends by itself, as it was told when it started.
    pub(crate) fn wait(mut self) -> Tested<Past> {
        let input = self.child.stdin.take();
        let past = self.close();
        drop(input);
        past
    }

    /// Lets it end as it should.
    pub(crate) fn close(mut self) -> Tested<Past> {
        drop(self.child.stdin.take());
        // The pipe is read to its end, else the process could not write.
        for line in &mut self.lines {
            drop(line?);
        }
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("life {} ended with {status}", self.number).into());
        }
        Ok(self.past(false))
    }

    fn past(&self, killed: bool) -> Past {
        Past { number: self.number, ended_ms: real_ms(), killed }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself. It runs until nobody holds the other end of its input.
pub(crate) fn run() -> Tested {
    let Ok(life) = env::var(LIFE) else {
        println!("nothing to do: the other tests start this one");
        return Ok(());
    };
    let life: Life = serde_json::from_str(&life)?;
    let filter = env::var("LOG").unwrap_or_else(|_| "off".to_owned());
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    let log = life.site.open()?;
    let config = StreamsConfig {
        num_stream_threads: 1,
        commit_interval: Duration::from_millis(20),
        poll_timeout: Duration::from_millis(5),
        store_memory_bytes: 2 << 20,
        state_dir: Some(life.place.join(format!("state-{}", life.instance))),
        ..StreamsConfig::new(APP)
    };
    // A busy broker may not answer at once.
    let streams = site::patiently(|| Ok(Streams::start(&work::topology()?, config.clone(), log.clone())?))?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = stop.clone();
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stopping.store(true, Ordering::SeqCst);
    });
    if let Some(effects) = life.until {
        let (log, stopping) = (log.clone(), stop.clone());
        thread::spawn(move || {
            // A failure shows in the parent's last look.
            let _ = wait_for_effects(&*log, effects);
            stopping.store(true, Ordering::SeqCst);
        });
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let caller = Watched::new(&life, runtime.handle().clone())?;
    if life.plan.speed == 1 {
        caller.openings().note();
        with_handle(&life, log, caller, &stop)?;
    } else {
        with_fast_clock(&life, log, caller, &stop)?;
    }
    if streams.state() != StreamsState::Running {
        streams.close()?;
        return Err("the application stopped by itself".into());
    }
    Ok(streams.close()?)
}

/// As applications do.
fn with_handle(life: &Life, log: Arc<dyn Transport>, caller: Watched, stop: &AtomicBool) -> Tested {
    let openings = caller.openings();
    let executor = CallExecutor::spawn(&work::call(), APP, log, life.plan.policy(), caller)?;
    say("child-started")?;
    let mut failed = false;
    while !stop.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(10));
        // A busy broker may fail it. It reopens a second later.
        if executor.has_failed() && !failed {
            openings.note();
        }
        failed = executor.has_failed();
    }
    executor.close(GRACE);
    Ok(())
}

/// Like the thread of a handle, on another clock.
fn with_fast_clock(life: &Life, log: Arc<dyn Transport>, mut caller: Watched, stop: &AtomicBool) -> Tested {
    let clock: Arc<dyn Clock> = Arc::new(Fast::new(life.began_real_ms, life.plan.speed));
    say("child-started")?;
    while !stop.load(Ordering::SeqCst) {
        caller.openings().note();
        let mut run = || -> Result<(), tidemill::transport::TransportError> {
            let mut executor = CallExecutor::open(&work::call(), APP, log.clone(), life.plan.policy(), clock.clone())?;
            while !stop.load(Ordering::SeqCst) {
                executor.step(&mut caller, Duration::from_millis(20))?;
            }
            Ok(())
        };
        if let Err(error) = run() {
            eprintln!("life {}: the executor reopens: {error}", life.number);
            thread::sleep(Duration::from_millis(200));
        }
    }
    Ok(())
}

/// Waits for so many effects on the embedded log, where every record is committed.
fn wait_for_effects(log: &dyn Transport, effects: usize) -> Tested {
    let mut reader = log.reader()?;
    loop {
        let mut found = 0;
        for number in 0..PARTITIONS {
            found += reader.watermarks(&TopicPartition::new(OUTPUT, number))?.high as usize;
        }
        if found >= effects {
            // What the executor has still to note about the last answers.
            thread::sleep(Duration::from_millis(300));
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn say(line: &str) -> Tested {
    println!("\n{line}");
    Ok(std::io::stdout().flush()?)
}
