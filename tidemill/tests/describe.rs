//! Plans as text: what runs, on which topics, with which stores.

mod common;

use std::time::Duration;

use common::{Tested, driver};
use tidemill::{EmitStrategy, Plan, Repartitioned, StreamsBuilder, TimeWindows};

fn word_count() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, String>("lines")
        .flat_map_values(|line| line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>())
        .select_key(|_, word| word.clone())
        .repartition(Repartitioned::<String, String>::from("by-word").partitions(4))
        .group_by_key()
        .count("word-counts")
        .to_stream()
        .to("counts");
    builder
}

#[test]
fn word_count_with_repartition() {
    insta::assert_snapshot!(driver(&word_count()).plan().describe());
}

#[test]
fn cogroup_with_late_records() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_and_grace(Duration::from_mins(1), Duration::from_secs(5));
    let mut speech = builder.stream::<String, String>("speech").group_by_key().windowed_by(windows);
    speech.late_records().to("late");
    let chat = builder.stream::<String, String>("chat").group_by_key().windowed_by(windows);
    let chat = chat.emit(EmitStrategy::on_window_close().idle_after(Duration::from_secs(10)));
    speech.cogroup(chat).collect("speech-rows", "chat-rows").map_values(|both| both.left).to("out");
    insta::assert_snapshot!(driver(&builder).plan().describe());
}

#[test]
fn table_join() {
    let builder = StreamsBuilder::new();
    let users = builder.table::<String, String>("users", "users-by-id");
    let clicks = builder.stream::<String, i64>("clicks");
    clicks.left_join(&users, |_, click, user| format!("{user:?}{click}")).named("enrich").to("out");
    insta::assert_snapshot!(driver(&builder).plan().describe());
}

#[test]
fn a_plan_that_is_not_resolved_has_no_counts() -> Tested {
    insta::assert_snapshot!(Plan::new("app", &word_count().build()?).describe());
    Ok(())
}

#[test]
fn equal_plans_print_equal_text() -> Tested {
    let plan = |application: &str| Ok::<_, tidemill::TopologyError>(Plan::new(application, &word_count().build()?));
    assert_eq!(plan("app")?.describe(), plan("app")?.describe());
    assert_ne!(plan("app")?.describe(), plan("other")?.describe());
    Ok(())
}
