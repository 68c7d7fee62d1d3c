//! The application dies in the middle of a transaction and starts again, with its state and without.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tidemill::{StreamsConfig, StreamsState};

use super::{input, instance, oracle};
use crate::{Site, Tested, wait_for};

const LIVES: i64 = 4;
const PORTION: i64 = 60;

pub(crate) fn a_crash_changes_nothing(site: &Site) -> Tested {
    lives(site, false)
}

pub(crate) fn a_lost_state_folder_changes_nothing(site: &Site) -> Tested {
    lives(site, true)
}

/// Each life is fed a portion and dies half way through it, at least once its work has been committed in part.
fn lives(site: &Site, loses_state: bool) -> Tested {
    instance::create_topics(site)?;
    let folder = tempfile::tempdir()?;
    let mut sent = Vec::new();
    for life in 0..LIVES {
        let left = Arc::new(AtomicI64::new(PORTION * 2));
        let dies = Arc::new(move |_: &str| assert_ne!(left.fetch_sub(1, Ordering::SeqCst), 0, "as was planned"));
        let entries: Vec<_> = input::entries(life * PORTION..(life + 1) * PORTION).collect();
        input::feed(site, entries.clone())?;
        sent.extend(entries);
        // Commits fall between the records of a poll now and then.
        let config = StreamsConfig { commit_interval: Duration::from_millis(1), ..instance::config(site, "a") };
        let streams = instance::start(site, instance::with_state(config, folder.path()), dies)?;
        wait_for("it dies", || Ok((streams.state() == StreamsState::Error).then_some(())))?;
        streams.wait().err().ok_or("it died")?;
        if loses_state {
            fs::remove_dir_all(folder.path())?;
            fs::create_dir(folder.path())?;
        }
    }
    let config = instance::with_state(instance::config(site, "a"), folder.path());
    let streams = instance::start(site, config, instance::undisturbed())?;
    oracle::all(site, sent)?;
    Ok(streams.close()?)
}
