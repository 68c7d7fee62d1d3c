//! Three processes share the work; they are killed, stopped and woken.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tidemill_broker::Broker;

use super::{transport, worker::Worker};
use crate::{
    Site, Tested,
    engine::{input, instance, oracle},
};

/// A scenario with processes, fed while they are disturbed.
pub(super) struct Scene {
    servers: String,
    scenario: &'static str,
    state: TempDir,
}

impl Scene {
    fn worker(&self, name: &str) -> Tested<Worker> {
        Worker::start(&self.servers, self.scenario, name, self.state.path(), false)
    }

    pub(super) fn static_worker(&self, name: &str) -> Tested<Worker> {
        Worker::start(&self.servers, self.scenario, name, self.state.path(), true)
    }
}

pub(super) fn disturbed(
    broker: &Broker,
    scenario: &'static str,
    disturb: impl FnOnce(&Scene) -> Tested<Vec<Worker>>,
) -> Tested {
    let scene = Scene { servers: broker.bootstrap_servers(), scenario, state: tempfile::tempdir()? };
    let site = Site::new(transport(&scene.servers)?, scenario);
    instance::create_topics(&site)?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| input::feed_until(&site, &stop));
        let workers = disturb(&scene);
        stop.store(true, Ordering::SeqCst);
        let sent = sender.join().map_err(|_| "the sender panicked")??;
        let workers = workers?;
        oracle::all(&site, sent)?;
        workers.into_iter().try_for_each(Worker::close)
    })
}

pub(super) fn a_while() {
    thread::sleep(Duration::from_millis(1500));
}

#[test]
fn killed_processes_lose_nothing_and_repeat_nothing() -> Tested {
    let Some(broker) = Broker::shared() else { return Ok(()) };
    disturbed(broker, "killed_processes", |scene| {
        let mut workers = Vec::new();
        for name in ["a", "b", "c"] {
            workers.push(scene.worker(name)?);
        }
        a_while();
        for round in 0..6 {
            // The one that was started last but two.
            let name = ["a", "b", "c"][round % 3];
            workers.remove(0).kill()?;
            workers.push(scene.worker(name)?);
            a_while();
        }
        // This one never comes back; what it left open and what it owned falls to the others.
        workers.remove(0).kill()?;
        a_while();
        Ok(workers)
    })
}

#[test]
fn a_process_that_was_stopped_for_too_long_does_no_harm() -> Tested {
    let Some(broker) = Broker::shared() else { return Ok(()) };
    disturbed(broker, "stopped_process", |scene| {
        let (zombie, heir) = (scene.worker("a")?, scene.worker("b")?);
        a_while();
        zombie.signal("STOP")?;
        // The broker gives a silent member up after six seconds.
        thread::sleep(Duration::from_secs(8));
        zombie.signal("CONT")?;
        a_while();
        Ok(vec![zombie, heir])
    })
}
