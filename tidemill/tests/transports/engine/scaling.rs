//! Instances come and go while records keep coming.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{
    input,
    instance::{self, TASKS},
    oracle,
};
use crate::{Site, Tested};

pub(crate) fn instances_come_and_go_under_load(site: &Site) -> Tested {
    instance::create_topics(site)?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| input::feed_until(site, &stop));
        let scaled = scale(site);
        stop.store(true, Ordering::SeqCst);
        let sent = sender.join().map_err(|_| "the sender panicked")??;
        let last = scaled?;
        oracle::all(site, sent)?;
        Ok(last.close()?)
    })
}

/// One, three, and one again; the last one goes on.
fn scale(site: &Site) -> Tested<tidemill::Streams> {
    let start = |name| instance::start(site, instance::config(site, name), instance::undisturbed());
    let goes_on = || thread::sleep(Duration::from_millis(300));
    let first = start("a")?;
    instance::until_they_run(&[&first], &[TASKS])?;
    goes_on();
    let (second, third) = (start("b")?, start("c")?);
    instance::until_they_run(&[&first, &second, &third], &[TASKS / 3; 3])?;
    goes_on();
    first.close()?;
    instance::until_they_run(&[&second, &third], &[4, 2])
        .or_else(|_| instance::until_they_run(&[&second, &third], &[2, 4]))?;
    goes_on();
    second.close()?;
    instance::until_they_run(&[&third], &[TASKS])?;
    goes_on();
    Ok(third)
}
