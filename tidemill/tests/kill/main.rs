//! Kills applications many times and compares what they wrote with an undisturbed run.
//!
//! An application is this test binary, started again: log, state folder, two threads, exactly once. Input is a
//! function of the seed, so whoever runs it can say what must come out. `KILL_SEED=7 cargo test --test kill` takes
//! another seed than the default; `TIDEMILL_KILLS=200` kills the application of tables more often.
#![cfg(feature = "rocksdb")]
#![allow(clippy::print_stdout, reason = "it tells its seed and what it hit, and the child speaks to its parent")]

mod answers;
mod drive;
mod life;
mod outputs;
mod plan;
mod tables;
mod windows;
mod workload;

use std::{error::Error, fs, path::Path};

use tidemill::{StreamsConfig, transport::embedded::EmbeddedLog};

use answers::Answers;
use life::{Ending, Life, Stage};
use outputs::Outputs;
use tables::TABLES;
use windows::WINDOWS;
use workload::{Work, Workload};

type Tested<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const WORKLOADS: [&Workload; 2] = [&WINDOWS, &TABLES];

fn variable(name: &str, default: u64) -> Tested<u64> {
    Ok(std::env::var(name).map_or(Ok(default), |number| number.parse())?)
}

fn work(of: &'static Workload, portions: i64) -> Tested<Work> {
    let seed = variable("KILL_SEED", 1)?;
    println!("KILL_SEED={seed}");
    Ok(Work { of, seed, portions })
}

#[test]
fn a_hundred_kills_change_nothing_in_the_output() -> Tested {
    let work = work(&WINDOWS, 60)?;
    let undisturbed = undisturbed(&work, Outputs::read)?;
    undisturbed.check_against_input(&work);
    killed(&work, 110, Outputs::read)?.assert_same_as(&undisturbed);
    Ok(())
}

#[test]
fn kills_change_nothing_in_tables_and_sessions() -> Tested {
    let kills = variable("TIDEMILL_KILLS", 15)?;
    let work = work(&TABLES, 3 + kills.cast_signed() / 5)?;
    let undisturbed = undisturbed(&work, Answers::read)?;
    undisturbed.check_against_input(&work)?;
    killed(&work, kills, Answers::read)?.assert_same_as(&undisturbed);
    Ok(())
}

/// Kills the application so often, lets it finish, and reads what it wrote.
fn killed<T>(work: &Work, times: u64, read: impl Fn(&EmbeddedLog) -> Tested<T>) -> Tested<T> {
    let place = folder()?;
    work.create_topics(&EmbeddedLog::open(life::log_path(place.path()))?)?;
    let kills = plan::kills(work, times);
    let mut lives = Vec::new();
    for kill in &kills {
        if kill.loses_disk {
            lose_disk(place.path())?;
        }
        lives.push(life::run(work, place.path(), kill.limit, Some(kill))?);
    }
    lives.push(life::run(work, place.path(), work.all_portions(), None)?);
    report(work, &lives);

    let killed = lives.iter().filter(|life| life.ending == Ending::Killed).count() as u64;
    assert!(killed * 10 >= times * 9, "{killed} kills");
    let (interrupted, known) = interruptions(&lives);
    assert!(interrupted * 2 > known, "only {interrupted} of {known} restarts found work unfinished");
    read(&EmbeddedLog::open(life::log_path(place.path()))?)
}

/// In memory where there is such a folder: a killed process leaves its files as it would on a disk, and the disk's
/// flushes, most of this test's time, are spared.
fn folder() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

/// What the same topology makes of the same input when nobody disturbs it, with everything in memory.
fn undisturbed<T>(work: &Work, read: impl Fn(&EmbeddedLog) -> Tested<T>) -> Tested<T> {
    let log = EmbeddedLog::in_memory();
    work.create_topics(&log)?;
    let config = StreamsConfig { state_dir: None, ..work.config(Path::new("")) };
    drive::run(work, &log, config, work.all_portions(), &mut |_| ())?;
    read(&log)
}

/// The state folder is gone: stores are created and rebuilt from their changelogs.
fn lose_disk(place: &Path) -> Tested {
    match fs::remove_dir_all(life::state_path(place)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// How many restarts found records that were written but not processed, of those that came far enough to tell.
fn interruptions(lives: &[Life]) -> (usize, usize) {
    let found: Vec<_> = lives.iter().skip(1).filter_map(|life| life.found_pending).collect();
    (found.iter().filter(|pending| **pending > 0).count(), found.len())
}

fn report(work: &Work, lives: &[Life]) {
    let at = |stage| lives.iter().filter(|life| life.ending == Ending::Killed && life.stage == stage).count();
    let (interrupted, known) = interruptions(lives);
    let creating = lives.iter().filter(|life| (1..work.of.stores).contains(&life.stores_missing)).count();
    println!(
        "{} lives; killed before the log was open {}, while starting {}, before the first progress {}, while \
         processing {}; {interrupted} of {known} restarts found work unfinished",
        lives.len(),
        at(Stage::Spawned),
        at(Stage::Opened),
        at(Stage::Started),
        at(Stage::Processing),
    );
    println!("{creating} kills came while stores were being created");
}

/// The process that is killed.
#[test]
#[ignore = "started by the test above, as a process of its own"]
fn child() -> Tested {
    life::child()
}
