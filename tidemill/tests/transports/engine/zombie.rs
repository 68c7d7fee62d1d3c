//! An instance hangs past its session's end, is replaced, and wakes up.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use tidemill::StreamsConfig;

use super::{
    input,
    instance::{self, TASKS},
    oracle,
};
use crate::{Site, Tested, wait_for};

pub(crate) fn an_instance_that_hangs_is_replaced_and_joins_again(site: &Site) -> Tested {
    instance::create_topics(site)?;
    let (entered, has_entered) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let (asleep, gate) = (AtomicBool::new(false), Mutex::new(gate));
    let sleeps = Arc::new(move |text: &str| {
        if text.ends_with("-150") && !asleep.swap(true, Ordering::SeqCst) {
            entered.send(()).expect("the test waits");
            // A test that failed has closed the gate, and waits for this thread to end.
            let _ = gate.lock().expect("nobody panics").recv();
        }
    });
    let config = |name| StreamsConfig { session_timeout: Duration::from_secs(2), ..instance::config(site, name) };
    let mut sent: Vec<_> = input::entries(0..200).collect();
    input::feed(site, sent.clone())?;
    let zombie = instance::start(site, config("zombie"), sleeps)?;
    // Dropped before the zombie, whose end would otherwise wait for ever where a check fails.
    let open = open;
    has_entered.recv_timeout(Duration::from_mins(1))?;

    let heir = instance::start(site, config("heir"), instance::undisturbed())?;
    oracle::counted(site, &sent)?;

    open.send(())?;
    wait_for("the zombie learns that it was replaced", || {
        Ok(zombie.status().iter().any(|thread| thread.fenced + thread.aborts > 0).then_some(()))
    })?;
    let later: Vec<_> = input::entries(200..300).collect();
    input::feed(site, later.clone())?;
    sent.extend(later);
    oracle::counted(site, &sent)?;
    heir.close()?;
    instance::until_they_run(&[&zombie], &[TASKS])?;
    oracle::all(site, sent)?;
    Ok(zombie.close()?)
}
