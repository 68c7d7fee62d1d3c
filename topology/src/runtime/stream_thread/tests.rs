//! A thread turned by hand.

use std::{sync::Arc, time::Duration};

use super::{super::Prepared, StreamThread};
use crate::{
    EmitStrategy, StreamsBuilder, StreamsConfig, TimeWindows,
    clock::{Clock as _, ManualClock},
    task::CommitWork,
    transport::{
        ConsumerConfig, Transport as _,
        embedded::{EmbeddedLog, Entry},
    },
};

#[test]
fn time_alone_does_not_let_a_member_commit_that_was_replaced() {
    let clock = ManualClock::new(0);
    let log_clock = clock.clone();
    let log = EmbeddedLog::builder().clock(Arc::new(move || log_clock.now_ms())).in_memory();
    for topic in ["in", "out"] {
        log.create(topic, 1).expect("the log is empty");
    }
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(windows);
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(5));
    grouped.emit(emit).count("counts").to_stream().to("out");
    let topology = builder.build().expect("is valid");
    let config = StreamsConfig::new("app");
    let (session, transport) = (config.session_timeout, Arc::new(log.clone()));
    let app = Prepared::new(&topology, config, transport, Arc::new(clock.clone()), "a".to_owned()).expect("can start");
    let mut thread = StreamThread::start(app, "a-0".to_owned()).expect("starts");

    log.append("in", 0, [Entry::new("k", "v", 0)]).expect("appends");
    while thread.step(Duration::ZERO).expect("processes") > 0 {}
    thread.commit_now().expect("commits");
    assert_eq!(thread.status.commits, 1);

    // Time alone closes the window. Offsets that do not move go along: they are what the log refuses.
    clock.advance(Duration::from_secs(10));
    thread.tick_now().expect("ticks");
    let mut work = CommitWork::default();
    let task = thread.tasks.running().next().expect("it runs");
    task.prepare_commit(&mut work).expect("prepares");
    assert_eq!((work.changelog.is_empty(), work.offsets.len()), (false, 1));

    clock.advance(session);
    let mut successor = log
        .consumer(&ConsumerConfig {
            group: "app".to_owned(),
            client_id: "b-0".to_owned(),
            instance_id: None,
            session_timeout: session,
            max_poll_records: 10,
        })
        .expect("joins");
    successor.subscribe(&["in".into()]).expect("joins");
    assert!(!successor.poll(Duration::ZERO).expect("polls").rebalances.is_empty(), "it has taken over");

    thread.commit_now().expect("is no end");
    assert_eq!((thread.status.commits, thread.status.fenced), (1, 1));
    let out = log.read_all("out").expect("reads");
    assert!(out.is_empty(), "the window is its successor's to close: {out:?}");
}
