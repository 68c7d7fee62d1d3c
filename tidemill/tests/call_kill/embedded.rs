//! One process after another, on the embedded log.

use std::{thread, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tidemill::transport::embedded::EmbeddedLog;

use crate::{
    Tested, checks, figures,
    run::{self, Run},
    site::{self, Site},
    work::{self, APP, Plan},
};

#[test]
fn killed_processes_on_the_embedded_log() -> Tested {
    let _alone = crate::alone();
    let (kills, seed) = (crate::kills(12)?, crate::seed()?);
    let folder = run::folder()?;
    let site = Site::Embedded(folder.path().join("log"));
    let tokens_per_hour = 2_000 + 1_500 * u64::from(kills);
    let plan = Plan { in_flight: 24, in_flight_each: 8, tokens_per_hour, speed: 10 };
    let mut run = Run::new(folder, site, plan, seed)?;
    let mut random = StdRng::seed_from_u64(seed);
    for kill in 0..kills {
        look(&mut run, true)?;
        let mut process = run.start(0)?;
        // Some are killed while they start.
        if kill % 8 == 7 {
            thread::sleep(Duration::from_millis(random.random_range(0..150)));
        } else {
            process.started()?;
            thread::sleep(Duration::from_millis(random.random_range(0..500)));
            if kill % 2 == 0 {
                run.wait_for_call(&process, Duration::from_secs(20));
            }
            if kill % 4 > 0 {
                thread::sleep(Duration::from_millis(random.random_range(0..60)));
            }
        }
        run.past.push(process.kill()?);
    }
    // One more closes the last windows.
    look(&mut run, true)?;
    let process = run.start_until(0, Some(work::windows(run.portions).len()))?;
    run.past.push(process.wait()?);
    look(&mut run, false)?;
    let evidence = run.evidence()?;
    let figures = checks::all(&evidence)?;
    figures::print("embedded log", &evidence, &figures);
    figures::enough(&figures)
}

/// Notes which answers there are, between two processes, and writes more input.
fn look(run: &mut Run, feed: bool) -> Tested {
    let Site::Embedded(path) = run.site.clone() else { return Err("not embedded".into()) };
    let log: EmbeddedLog = site::embedded(&path)?;
    let answers = log.read_all(&work::call().response_topic(APP)).unwrap_or_default();
    run.saw(&answers, crate::time::real_ms());
    if feed {
        run.feed(&log)?;
    }
    Ok(())
}
