//! An erasure that takes several turns.

use super::{Duration, Entry, StreamThread, StreamsBuilder, StreamsConfig, TimeWindows, World};
use crate::{EmitStrategy, operators::StoreHandle};

/// More than a turn looks at, by far.
const ROWS: usize = 12_000;

/// How many elements there are.
fn rows(thread: &mut StreamThread) -> usize {
    let Some(task) = thread.tasks.running().next() else { return 0 };
    let StoreHandle::Window(store) = &task.stores.handles["lists"] else { return 0 };
    let store = store.borrow();
    store.scan(0, i64::MAX).expect("scans").count()
}

fn work(thread: &mut StreamThread) {
    let mut quiet = 0;
    while quiet < 5 {
        quiet = if thread.step(Duration::ZERO).expect("works") == 0 { quiet + 1 } else { 0 };
    }
    thread.commit_now().expect("commits");
}

#[test]
fn a_crash_in_the_middle_of_an_erasure_begins_it_again_and_there_is_one_answer() {
    let world = World::new(1);
    world.log.create("forget", 1).expect("there is none");
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_hours(1));
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(5));
    let lists = builder.stream::<String, String>("in").group_by_key().windowed_by(windows).emit(emit).collect("lists");
    lists.map(|key, list| (key.key, format!("{} of a window", list.len()))).to("out");
    let answers = builder.stream::<String, ()>("forget").erase("forgets", &["lists"]);
    answers.map_values(|erased| format!("{} erased", erased.rows)).to("out");
    let config = || StreamsConfig {
        commit_interval: Duration::from_hours(1),
        session_timeout: Duration::MAX,
        ..StreamsConfig::new("app")
    };

    let mut thread = world.thread(&builder, config());
    world.append(0, ROWS);
    work(&mut thread);
    assert_eq!(rows(&mut thread), ROWS);
    world.log.append("forget", 0, [Entry::new("k", "", 1)]).expect("appends");
    while rows(&mut thread) == ROWS {
        thread.step(Duration::ZERO).expect("works");
    }
    // Time that passes in between closes no window.
    world.clock.advance(Duration::from_hours(3));
    thread.tick_now().expect("ticks");
    thread.commit_now().expect("commits");
    let left = rows(&mut thread);
    assert!(left > 0 && left < ROWS, "{left} rows are left");
    assert_eq!(world.outputs(), 0);
    let lag = |topic: &str| {
        let lags = world.log.group_lag("app").into_iter();
        lags.filter(|lag| *lag.partition.topic == *topic).map(|lag| lag.lag).sum::<i64>()
    };
    assert_eq!((lag("in"), lag("forget")), (0, 1), "it is not done with");
    drop(thread);

    let mut thread = world.thread(&builder, config());
    work(&mut thread);
    world.clock.advance(Duration::from_hours(3));
    work(&mut thread);
    let outputs = world.log.read_all("out").expect("reads");
    let outputs: Vec<_> = outputs.into_iter().filter_map(|(_, record)| record.value).collect();
    assert_eq!(outputs, [format!("{left} erased")], "and nothing of a window");
    assert_eq!((rows(&mut thread), lag("forget")), (0, 0));
}
