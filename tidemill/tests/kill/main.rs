//! Kills an application more than a hundred times and compares what it wrote with an undisturbed run.
//!
//! The application is this test binary, started again: log, state folder, two threads, exactly once. Input is a
//! function of the seed, so whoever runs it can say what must come out. `KILL_SEED=7 cargo test --test kill` takes
//! another seed than the default.
#![cfg(feature = "rocksdb")]
#![allow(clippy::print_stdout, reason = "it tells its seed and what it hit, and the child speaks to its parent")]

mod drive;
mod life;
mod outputs;
mod plan;
mod workload;

use std::{error::Error, fs, path::Path};

use tidemill::{StreamsConfig, transport::embedded::EmbeddedLog};

use life::{Ending, Life, Stage};
use outputs::Outputs;

type Tested<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[test]
fn a_hundred_kills_change_nothing_in_the_output() -> Tested {
    let seed = std::env::var("KILL_SEED").map_or(Ok(1), |seed| seed.parse())?;
    println!("KILL_SEED={seed}");
    let undisturbed = undisturbed(seed)?;
    undisturbed.check_against_input(seed);

    let place = folder()?;
    workload::create_topics(&EmbeddedLog::open(life::log_path(place.path()))?)?;
    let kills = plan::kills(seed);
    let mut lives = Vec::new();
    for kill in &kills {
        if kill.loses_disk {
            lose_disk(place.path())?;
        }
        lives.push(life::run(place.path(), seed, kill.limit, Some(kill))?);
    }
    lives.push(life::run(place.path(), seed, workload::ALL_PORTIONS, None)?);
    report(&lives);

    let disturbed = Outputs::read(&EmbeddedLog::open(life::log_path(place.path()))?)?;
    disturbed.assert_same_as(&undisturbed);
    let killed = lives.iter().filter(|life| life.ending == Ending::Killed).count();
    assert!(killed >= 100, "{killed} kills");
    let (interrupted, known) = interruptions(&lives);
    assert!(interrupted * 2 > known, "only {interrupted} of {known} restarts found work unfinished");
    Ok(())
}

/// In memory where there is such a folder: a killed process leaves its files as it would on a disk, and the disk's
/// flushes, most of this test's time, are spared.
fn folder() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

/// What the same topology makes of the same input when nobody disturbs it, with everything in memory.
fn undisturbed(seed: u64) -> Tested<Outputs> {
    let log = EmbeddedLog::in_memory();
    workload::create_topics(&log)?;
    let config = StreamsConfig { state_dir: None, ..workload::config(Path::new("")) };
    drive::run(&log, config, seed, workload::ALL_PORTIONS, &mut |_| ())?;
    Outputs::read(&log)
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

fn report(lives: &[Life]) {
    let at = |stage| lives.iter().filter(|life| life.ending == Ending::Killed && life.stage == stage).count();
    let (interrupted, known) = interruptions(lives);
    let creating = lives.iter().filter(|life| (1..workload::STORES).contains(&life.stores_missing)).count();
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
