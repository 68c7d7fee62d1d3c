use tidemill_state::{MemoryBackend, Row};

use super::{core::KeyClock, *};
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

/// A store of times that another node uses, too.
struct Shared {
    times: KeyTimes,
    store: Rc<RefCell<ByteStore>>,
    ctx: TaskContext,
}

impl Shared {
    fn open() -> Self {
        let store = Rc::new(RefCell::new(store("times")));
        let times = KeyTimes::open(store.clone(), true, None, 0, []).expect("opens");
        Self { times, store, ctx: TaskContext::new(Moment { wall_ms: 0, monotonic_ms: 0 }) }
    }

    fn observe(&mut self, timestamp: i64) -> i64 {
        self.times.observe(&mut self.ctx, KEY, timestamp).expect("reads")
    }

    fn commit(&self) {
        self.times.save([]).expect("saves");
        self.store.borrow_mut().commit(None).expect("commits");
    }

    /// What the other node does.
    fn erase(&self) {
        self.store.borrow_mut().delete(Bytes::from_static(KEY));
    }

    fn has_row(&self) -> bool {
        self.store.borrow().get(KEY).expect("reads").is_some()
    }
}

const KEY: &[u8] = b"key";

#[test]
fn a_time_that_another_node_erases_between_two_commits_is_not_written_again() {
    let mut shared = Shared::open();
    shared.observe(50_000);
    shared.commit();
    assert!(shared.has_row());
    shared.observe(50_100);
    shared.erase();
    shared.commit();
    assert!(!shared.has_row(), "it had a record in the same commit");
    assert_eq!(shared.observe(100), 100, "the next record begins anew");
}

#[test]
fn a_key_that_waits_begins_anew_after_another_node_erases_its_time() {
    let mut shared = Shared::open();
    shared.observe(50_000);
    let live = Live { due_ms: 51_000, part: 0, start: 50_000, epoch: 0 };
    shared.times.wait_for(&mut shared.ctx, KEY, live);
    shared.commit();
    shared.erase();
    shared.commit();
    assert_eq!(shared.observe(100), 100);
    shared.commit();
    assert!(shared.has_row());
}
