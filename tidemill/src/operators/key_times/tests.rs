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
