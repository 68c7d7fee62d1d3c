//! When to kill: seeded, and told by progress rather than by time, so that a slow machine is hit where a fast one is.

use std::time::Duration;

use crate::workload::{Work, mix};

/// One kill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kill {
    pub(crate) trigger: Trigger,
    /// Waited after the trigger.
    pub(crate) delay: Duration,
    /// The state folder is gone before the process starts.
    pub(crate) loses_disk: bool,
    /// How many portions the process may append: there is always more to do than it gets to.
    pub(crate) limit: i64,
}

/// What a kill waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// The process was spawned.
    Spawned,
    /// It has opened the log and is about to start threads, open stores, restore.
    Opened,
    /// So many input records are processed.
    Done(i64),
}

/// The kills, in order. The input's last fifth is left for the end, so that none comes when all is done.
pub(crate) fn kills(work: &Work, kills: u64) -> Vec<Kill> {
    let total = work.portions * work.portion_records() * 4 / 5;
    let kill = |number: u64| {
        let random = mix(mix(work.seed) ^ number);
        let upto = |ms: u64| Duration::from_micros((random >> 20) % (ms * 1000));
        // Evenly over the input, each somewhere in its share.
        let share = total / kills as i64;
        let target = number as i64 * share + (random >> 8) as i64 % share;
        let (trigger, delay) = match number % 5 {
            0 => (Trigger::Spawned, upto(100)),
            1 => (Trigger::Opened, upto(100)),
            _ => (Trigger::Done(target), upto(10)),
        };
        // Early in start-up, so that most of these find stores half created or half rebuilt.
        let loses_disk = number % 10 == 1;
        let delay = if loses_disk { delay / 2 } else { delay };
        Kill { trigger, delay, loses_disk, limit: target / work.portion_records() + 4 }
    };
    (0..kills).map(kill).collect()
}
