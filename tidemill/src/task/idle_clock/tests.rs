//! The idle clock: when time passes without records.

use super::*;
use crate::plan::IdleNotes;
use std::collections::BTreeSet;

const HORIZON_MS: i64 = 10_000;

/// A clock of one input with this many writers.
fn clock(count: usize) -> IdleClock {
    let voice = Voice {
        is_new: true,
        silent_ms: 0,
        at_ms: i64::MIN,
        sent_ms: i64::MIN,
        unused_ms: 0,
        rests: false,
        is_learnt: false,
    };
    IdleClock {
        voices: vec![vec![voice; count]],
        hears_all: false,
        counted_ms: i64::MIN,
        far_ms: HORIZON_MS / FAR,
        horizon_ms: HORIZON_MS,
        every_ms: 100,
        acted_ms: 0,
        now_ms: 0,
    }
}

/// Passes on notes as `(writer, silence, wall time)`. Returns the clock's time after them.
fn tell(clock: &mut IdleClock, told: &[(i32, i64, i64)]) -> i64 {
    for (writer, idle_ms, at_ms) in told {
        clock.hear(0, IdleNote { writer: *writer, idle_ms: *idle_ms }, *at_ms, *idle_ms >= HORIZON_MS);
    }
    clock.now_ms
}

#[test]
fn time_passes_that_all_have_told_of() {
    let mut clock = clock(2);
    assert_eq!(tell(&mut clock, &[(0, 0, 0), (0, 300, 300)]), 0, "nothing is known of the other");
    assert_eq!(tell(&mut clock, &[(1, 0, 50), (1, 150, 200)]), 150);
    assert_eq!(tell(&mut clock, &[(0, 450, 450), (0, 600, 600)]), 150, "the other may have something");
    assert_eq!(tell(&mut clock, &[(1, 500, 550)]), 500);
}

#[test]
fn no_time_counts_twice() {
    let mut clock = clock(3);
    let rest: Vec<_> = (0..3).flat_map(|writer| [(writer, 0, 0), (writer, HORIZON_MS, HORIZON_MS)]).collect();
    assert_eq!(tell(&mut clock, &rest), HORIZON_MS);
    // The writers send a record at the same time, and their notes arrive one after the other.
    let again = (0..3).flat_map(|writer| [(writer, 0, 50_000), (writer, 400, 50_400)]);
    assert_eq!(tell(&mut clock, &again.collect::<Vec<_>>()), HORIZON_MS + 400);
}

#[test]
fn time_in_which_one_was_busy_does_not_count() {
    let mut clock = clock(2);
    tell(&mut clock, &[(0, 0, 0), (1, 0, 0), (0, 100, 100), (1, 100, 100)]);
    assert_eq!(clock.now_ms, 100);
    assert_eq!(tell(&mut clock, &[(0, 3_100, 3_100), (1, 200, 3_100)]), 200);
}

#[test]
fn one_that_rests_holds_nobody_where_nothing_is_open() {
    let mut clock = clock(2);
    let rest = [(0, 0, 0), (1, 0, 0), (0, HORIZON_MS, HORIZON_MS), (1, HORIZON_MS, HORIZON_MS)];
    assert_eq!(tell(&mut clock, &rest), HORIZON_MS);
    assert!(clock.is_over());
    assert_eq!(tell(&mut clock, &[(1, 0, 90_000), (1, 700, 90_700)]), HORIZON_MS + 700);
    assert!(!clock.asks(0, 90_700));
}

#[test]
fn one_that_rests_holds_what_is_open_until_the_log_tells_of_it() {
    let mut clock = clock(2);
    let rest = [(0, 0, 0), (1, 0, 0), (0, HORIZON_MS, HORIZON_MS), (1, HORIZON_MS, HORIZON_MS)];
    let before = tell(&mut clock, &rest);
    clock.act();
    assert!(!clock.is_over());
    assert_eq!(tell(&mut clock, &[(1, 0, 90_000), (1, 700, 90_700)]), before, "it may have a record");
    assert!(clock.asks(0, 90_700));
    clock.learn(0, 90_400);
    assert_eq!(clock.now_ms, before + 400);
    assert!(clock.asks(0, 90_700));
    clock.learn(0, 90_800);
    assert_eq!(clock.now_ms, before + 700);
    assert!(!clock.asks(0, 90_900), "it waits for the other");
}

#[test]
fn the_log_is_asked_until_nothing_is_open() {
    let mut clock = clock(1);
    tell(&mut clock, &[(0, 0, 0), (0, 300, 300), (0, HORIZON_MS, HORIZON_MS)]);
    assert!(!clock.asks(0, i64::MAX), "its last note was the last of its silence");
    clock.act();
    let mut asked = 0;
    for at_ms in (HORIZON_MS..10 * HORIZON_MS).step_by(50) {
        if clock.asks(0, at_ms) {
            asked += 1;
            clock.learn(0, at_ms);
        }
    }
    assert!(clock.is_over());
    assert!((20..80).contains(&asked), "{asked}");
}

#[test]
fn a_note_of_a_task_that_was_replaced_does_not_hide_its_successors_record() {
    let mut clock = clock(1);
    assert_eq!(tell(&mut clock, &[(0, 0, 500), (0, 300, 400), (7, 300, 900)]), 0);
    assert_eq!(tell(&mut clock, &[(0, 100, 600)]), 100);
}

#[test]
fn a_clock_that_was_set_back_stops_nothing() {
    let mut clock = clock(1);
    tell(&mut clock, &[(0, 0, 3_600_000), (0, 100, 3_600_100)]);
    assert_eq!(tell(&mut clock, &[(0, 0, 0), (0, 100, 100), (0, 200, 200)]), 300);
}

#[test]
fn who_rests_is_known_after_a_restart() {
    let (topic, above) = ("again".into(), BTreeSet::new());
    let notes = IdleNotes { topic, writer: 0, above, every_ms: 100, horizon_ms: HORIZON_MS };
    let mut before = Writers::new(&notes, 6, None);
    assert_eq!(before.kept(), None);
    before.rests = vec![true, false, true, false, false, true];
    assert_eq!(before.kept().as_deref(), Some("52"));
    assert_eq!(Writers::new(&notes, 6, Some("52")).rests, before.rests);
}
