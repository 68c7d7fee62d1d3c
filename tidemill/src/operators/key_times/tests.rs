use tidemill_state::MemoryBackend;

use super::*;
use crate::clock::Moment;

const DAY_MS: i64 = 86_400_000;
const IDLE_MS: i64 = 1_000;

fn store(name: &str) -> ByteStore {
    ByteStore::new(name, Box::new(MemoryBackend::new()))
}

/// With at-least-once, a crash may come between the changelog records of the rows and those of the times.
#[test]
fn a_restored_row_that_is_a_day_ahead_of_its_keys_time_is_due_after_a_silence_behind_its_repeated_record() {
    let (key, mut saved) = (Bytes::from_static(b"key"), store("times"));
    KeyClock::default().write(&key, &mut saved);
    let mut rows = ByteWindowStore::new(store("rows"), 0).expect("opens").with_ends_by_key(true);
    rows.put(DAY_MS, &key, Row { timestamp: DAY_MS, value: Bytes::from_static(b"1") });
    let live_of = |start, key: &Bytes| (key.clone(), Live { due_ms: start + 100, part: 0, start, epoch: 0 });
    let parts: [(&ByteWindowStore, LiveOf<'_>); 1] = [(&rows, &live_of)];
    let times = KeyTimes::open(Rc::new(RefCell::new(saved)), false, Some(IDLE_MS), 0, parts).expect("opens");
    let mut ctx = TaskContext::new(Moment { wall_ms: 0, monotonic_ms: 0 });

    times.observe(&mut ctx, &key, DAY_MS).expect("reads");
    assert_eq!(times.next_due(&mut ctx, &key), None);
    let mut due = Vec::new();
    for silent_ms in [IDLE_MS - 1, IDLE_MS] {
        ctx.idle_ms = silent_ms;
        times.tick(&ctx).expect("ticks");
        let turn = |ctx: &mut TaskContext, key: &[u8]| {
            due.extend(times.next_due(ctx, key).map(|live| (silent_ms, live.start)));
            Ok(())
        };
        times.go_on(&mut ctx, turn).expect("goes on");
    }
    assert_eq!(due, [(IDLE_MS, DAY_MS)]);
}

/// A task that is always busy has an idle clock that stands still, so no timer ever goes off there.
#[test]
fn timers_of_keys_without_rows_do_not_pile_up_in_a_busy_task() {
    let (key, saved) = (Bytes::from_static(b"key"), Rc::new(RefCell::new(store("times"))));
    let times = KeyTimes::open(saved, false, Some(IDLE_MS), 0, []).expect("opens");
    let mut ctx = TaskContext::new(Moment { wall_ms: 0, monotonic_ms: 0 });
    for round in 0..10 {
        let at_ms = round * DAY_MS;
        times.observe(&mut ctx, &key, at_ms).expect("reads");
        times.wait_for(&mut ctx, &key, Live { due_ms: at_ms + 2 * IDLE_MS + round, part: 0, start: at_ms, epoch: 0 });
        times.observe(&mut ctx, &key, at_ms + 3 * IDLE_MS).expect("reads");
        assert!(times.next_due(&mut ctx, &key).is_some());
        times.save([]).expect("saves");
    }
    let core = times.core.borrow();
    assert_eq!((core.keys.len(), core.timers.len()), (0, 0));
}
