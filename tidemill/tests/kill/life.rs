//! One life of the process: both ends of it.

use std::{
    env, fs,
    io::{BufRead, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
};

use tidemill::transport::embedded::EmbeddedLog;

use crate::{
    Tested,
    drive::{self, Event, Progress},
    plan::{Kill, Trigger},
    workload::Work,
};

const PLACE: &str = "KILL_PLACE";
const LIMIT: &str = "KILL_LIMIT";
const SEED: &str = "KILL_SEED";
const PORTIONS: &str = "KILL_PORTIONS";
const APP: &str = "KILL_APP";

/// How far a process came, as far as was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Spawned,
    Opened,
    Started,
    Processing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Killed,
    Finished,
}

/// What is known of a process that has ended.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) stage: Stage,
    pub(crate) ending: Ending,
    /// Records that its predecessor had left; unknown if it died before it could tell.
    pub(crate) found_pending: Option<i64>,
    /// Stores that were not on disk, or not whole, when it ended.
    pub(crate) stores_missing: usize,
}

pub(crate) fn log_path(place: &Path) -> PathBuf {
    place.join("log")
}

pub(crate) fn state_path(place: &Path) -> PathBuf {
    place.join("state")
}

/// Starts the process and kills it as said, or lets it finish.
pub(crate) fn run(work: &Work, place: &Path, limit: i64, kill: Option<&Kill>) -> Tested<Life> {
    let mut process = Command::new(env::current_exe()?)
        .args(["--ignored", "--exact", "child", "--nocapture"])
        .env(PLACE, place)
        .env(LIMIT, limit.to_string())
        .env(SEED, work.seed.to_string())
        .env(PORTIONS, work.portions.to_string())
        .env(APP, work.of.app)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(process.stdout.take().ok_or("no pipe")?).lines();
    let mut life = Life { stage: Stage::Spawned, ending: Ending::Finished, found_pending: None, stores_missing: 0 };
    let triggered = match kill {
        Some(Kill { trigger: Trigger::Spawned, .. }) => true,
        kill => listen(&mut lines, &mut life, kill.map(|kill| kill.trigger))?,
    };
    if let Some(kill) = kill.filter(|_| triggered) {
        thread::sleep(kill.delay);
        process.kill()?;
        // What it had said before.
        listen(&mut lines, &mut life, None)?;
        life.stores_missing = work.of.stores.saturating_sub(stores_created(&state_path(place).join(work.of.app)));
    }
    end(&mut process, life)
}

/// Follows what the process says until the trigger; `false` if it ends before.
fn listen(lines: &mut Lines<BufReader<ChildStdout>>, life: &mut Life, until: Option<Trigger>) -> Tested<bool> {
    for line in lines {
        let line = line?;
        let (event, number) = match line.split_once(' ') {
            Some(("child-opened", pending)) => {
                (life.stage, life.found_pending) = (Stage::Opened, Some(pending.parse()?));
                (Trigger::Opened, 0)
            }
            Some(("child-started", _)) => {
                life.stage = Stage::Started;
                continue;
            }
            Some(("child-done", done)) => {
                life.stage = Stage::Processing;
                (Trigger::Done(0), done.parse()?)
            }
            _ => continue,
        };
        let reached = match until {
            Some(Trigger::Done(target)) => event == Trigger::Done(0) && number >= target,
            until => until == Some(event),
        };
        if reached {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Waits for the end. It must be the one that was asked for: an error of the process is one of the test.
fn end(process: &mut Child, life: Life) -> Tested<Life> {
    let status = process.wait()?;
    match status.code() {
        None => Ok(Life { ending: Ending::Killed, ..life }),
        Some(0) => Ok(life),
        Some(code) => Err(format!("the process ended with {code} in {life:?}").into()),
    }
}

/// `RocksDB` gives a folder its `CURRENT` file last.
fn stores_created(state: &Path) -> usize {
    let folders = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let stores = folders(state.to_owned()).flat_map(folders);
    // One set aside, for it was half created, does not count.
    stores.filter(|store| store.extension().is_none() && store.join("CURRENT").exists()).count()
}

/// The process itself.
pub(crate) fn child() -> Tested {
    let Some(place) = env::var_os(PLACE) else {
        println!("nothing to do: the other test starts this one");
        return Ok(());
    };
    let place = Path::new(&place);
    let app = env::var(APP)?;
    let of = crate::WORKLOADS.into_iter().find(|of| of.app == app).ok_or("no such application")?;
    let work = Work { of, seed: env::var(SEED)?.parse()?, portions: env::var(PORTIONS)?.parse()? };
    let log = EmbeddedLog::open(log_path(place))?;
    println!("\nchild-opened {}", Progress::of(&work, &log)?.pending);
    let limit = env::var(LIMIT)?.parse()?;
    drive::run(&work, &log, work.config(&state_path(place)), limit, &mut |event| match event {
        Event::Started => println!("child-started -"),
        Event::Done(done) => println!("child-done {done}"),
    })
}
