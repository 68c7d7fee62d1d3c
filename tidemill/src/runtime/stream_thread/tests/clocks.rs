//! Changes of the wall clock do not delay due work.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{EverySecond, World, count_by_second};
use crate::{
    ProcessingGuarantee::{AtLeastOnce, ExactlyOnce},
    StreamsBuilder, StreamsConfig,
    clock::{Clock as _, ManualClock},
    processor::{ProcessorContext, Punctuation},
    testing::{
        FaultRates,
        faults::{Fate, Process},
        faulty_transport::FaultyTransport,
    },
};

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_wall_clock_that_is_set_back_stops_neither_commits_nor_idle_windows_nor_punctuations() {
    for processing_guarantee in [ExactlyOnce, AtLeastOnce] {
        let (world, builder) = (World::new(1), StreamsBuilder::new());
        let told = Arc::<Mutex<Vec<_>>>::default();
        let stream = builder.stream::<String, String>("in");
        count_by_second(&stream);
        let supplied = told.clone();
        stream.process("told", &[], move || {
            let told = supplied.clone();
            EverySecond(move |ctx: &mut ProcessorContext<'_, String, String>, _: Punctuation, time_ms: i64| {
                assert_eq!(ctx.current_system_time_ms(), time_ms);
                told.lock().expect("nobody panicked").push(time_ms);
            })
        });
        let config = StreamsConfig { processing_guarantee, ..StreamsConfig::new("app") };
        let interval = config.commit_interval;
        let mut thread = world.thread(&builder, config);
        let mut turn = || while thread.step(Duration::ZERO).expect("turns") > 0 {};
        turn();
        world.append(0, 1);
        turn();
        world.clock.set_forward(2 * HOUR);
        turn();
        assert_eq!(world.outputs(), 0, "no time has passed: nothing was silent");
        world.clock.set_back(3 * HOUR);

        world.clock.advance(interval);
        turn();
        assert_eq!(world.log.group_lag("app")[0].committed, Some(1), "what was processed is committed");

        world.clock.advance(Duration::from_secs(10));
        turn();
        world.clock.advance(interval);
        turn();
        assert_eq!(world.outputs(), 1, "the window is closed by silence");
        let due_ms = world.clock.now_ms() - interval.as_millis() as i64;
        assert_eq!(*told.lock().expect("nobody panicked"), [due_ms], "what the clock shows is told");
    }
}

#[test]
fn a_thread_waits_for_its_log_by_its_clock() {
    let (world, builder) = (World::new(1), StreamsBuilder::new());
    builder.stream::<String, String>("in").to("out");
    let fate = Fate::new(1, FaultRates::NONE, world.clock.clone());
    let log = FaultyTransport { log: world.log.clone(), process: Process::new("a", fate.clone()) };
    let config = StreamsConfig { poll_timeout: HOUR, session_timeout: 2 * HOUR, ..StreamsConfig::new("app") };
    let mut thread = world.thread_on(Arc::new(log), &builder, config);
    fate.set_rates(FaultRates { unavailable: 1.0, ..FaultRates::NONE });
    thread.step(HOUR).expect("the log is away for a moment");
    assert_eq!(world.clock.monotonic_ms(), HOUR.as_millis() as i64);
}

#[test]
fn a_clock_without_a_machine_never_waits() {
    let clock = ManualClock::new(0);
    clock.sleep(1000 * HOUR);
    assert_eq!(clock.now_ms(), 1000 * HOUR.as_millis() as i64);
}
