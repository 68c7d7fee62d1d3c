//! Outputs that the log does not take: the production handler decides before anything is sent.

mod common;

use std::time::Duration;

use common::{Tested, is_drained, records, wait_until};
use tidemill::{
    ErrorHandler, ErrorHandlerResponse, ErrorOrigin, ProcessingGuarantee, RecordHandler, Streams, StreamsBuilder,
    StreamsConfig, StreamsState, TaskError, TaskFailureAction, TaskState, Topology,
    transport::{
        CleanupPolicy, TopicSpec, Transport as _,
        embedded::{EmbeddedLog, Entry},
    },
};

/// A log whose records have at most 400 bytes, with the topics of `repeating`.
fn small_log() -> Tested<EmbeddedLog> {
    let log = EmbeddedLog::builder().max_record_bytes(400).in_memory();
    for topic in ["in", "out", "counted", "dead"] {
        log.create(topic, 1)?;
    }
    Ok(log)
}

/// Counts texts by key, and writes each text a hundred times in one record.
fn repeating() -> Tested<Topology> {
    let builder = StreamsBuilder::new();
    let texts = builder.stream::<String, String>("in");
    texts.group_by_key().count("counts").to_stream().to("counted");
    texts.map_values(|text| text.repeat(100)).to("out");
    Ok(builder.build()?)
}

fn append(log: &EmbeddedLog, texts: &[&str]) -> Tested {
    let entries = texts.iter().zip(0..).map(|(text, time)| Entry::new("a", (*text).to_owned(), time));
    log.append("in", 0, entries)?;
    Ok(())
}

fn values(log: &EmbeddedLog, topic: &str) -> Vec<String> {
    records::<String, String>(log, topic).into_iter().map(|(_, _, value)| value).collect()
}

#[test]
fn a_record_whose_output_is_too_large_leaves_no_trace() -> Tested {
    for guarantee in [ProcessingGuarantee::ExactlyOnce, ProcessingGuarantee::AtLeastOnce] {
        let log = small_log()?;
        append(&log, &["one", "longer", "two"])?;
        let config = StreamsConfig {
            production_handler: RecordHandler::DeadLetter("dead".into()),
            processing_guarantee: guarantee,
            commit_interval: Duration::from_millis(5),
            ..StreamsConfig::new("app")
        };
        let streams = Streams::start(&repeating()?, config, log.clone())?;
        wait_until("all is processed", || is_drained(&log, "app"));
        let dropped = streams.status()[0].tasks[0].records_dropped.clone();
        streams.close()?;
        assert_eq!(values(&log, "out"), ["one".repeat(100), "two".repeat(100)]);
        assert_eq!(values(&log, "dead"), ["longer"], "the input, as it came");
        let counted: Vec<i64> =
            records::<String, i64>(&log, "counted").into_iter().map(|(_, _, count)| count).collect();
        assert_eq!(counted, [1, 2]);
        assert!(dropped.iter().all(|(_, reason, count)| (*reason, *count) == ("production-error", 1)), "{dropped:?}");
    }
    Ok(())
}

#[test]
fn a_record_without_a_key_does_not_reach_a_compacted_topic() -> Tested {
    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    log.admin()?.create_topic(&TopicSpec {
        name: "latest".into(),
        partitions: 1,
        cleanup: CleanupPolicy::Compact,
        retention: None,
    })?;
    let entries = [Entry::keyless("nobody's", 0), Entry::new("a", "ann's", 1)];
    log.append("in", 0, entries)?;
    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, String>("in").to("latest");
    let handler = ErrorHandler::new(|failed| {
        let is_about_key = failed.error.to_string().contains("'latest' is compacted");
        let is_known =
            failed.origin == ErrorOrigin::Production && failed.record.is_some_and(|record| record.key.is_none());
        if is_about_key && is_known { ErrorHandlerResponse::Continue } else { ErrorHandlerResponse::Fail }
    });
    let config = StreamsConfig {
        production_handler: handler.into(),
        commit_interval: Duration::from_millis(5),
        ..StreamsConfig::new("app")
    };
    let streams = Streams::start(&builder.build()?, config, log.clone())?;
    wait_until("all is processed", || is_drained(&log, "app"));
    streams.close()?;
    assert_eq!(values(&log, "latest"), ["ann's"]);
    Ok(())
}

#[test]
fn by_default_the_task_fails_with_the_sink_and_the_record() -> Tested {
    let log = small_log()?;
    append(&log, &["one", "longer"])?;
    let streams = Streams::start(&repeating()?, StreamsConfig::new("app"), log.clone())?;
    wait_until("the instance stops", || streams.state() == StreamsState::Error);
    let Err(error @ TaskError::Failed { .. }) = streams.close() else { panic!("the task failed") };
    let text = error.chain();
    for part in ["operator 'sink-", "topic 'in', partition 0, offset 1", "601 bytes", "topic 'out'", "at most 400"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    Ok(())
}

#[test]
fn a_task_that_cannot_write_stops_alone_if_the_application_wants_it() -> Tested {
    let log = small_log()?;
    append(&log, &["longer"])?;
    let config = StreamsConfig { on_task_failure: TaskFailureAction::StopTask, ..StreamsConfig::new("app") };
    let streams = Streams::start(&repeating()?, config, log.clone())?;
    let failed = || {
        let threads = streams.status();
        let tasks = threads.iter().flat_map(|thread| &thread.tasks);
        tasks.filter(|task| matches!(task.state, TaskState::Failed { .. })).count() == 1
    };
    wait_until("the task stops", failed);
    assert_eq!(streams.state(), StreamsState::Running);
    streams.close()?;
    Ok(())
}

#[test]
fn a_dead_letter_that_is_too_large_itself_fails_the_task() -> Tested {
    let log = small_log()?;
    // The input fits, but not with the headers of a dead letter.
    append(&log, &["x".repeat(390).as_str()])?;
    let handler = RecordHandler::DeadLetter("dead".into());
    let config = StreamsConfig { production_handler: handler, ..StreamsConfig::new("app") };
    let streams = Streams::start(&repeating()?, config, log.clone())?;
    wait_until("the instance stops", || streams.state() == StreamsState::Error);
    let text = streams.close().err().ok_or("it failed")?.chain();
    for part in ["offset 0", "cannot become a dead letter", "topic 'dead'", "Its error", "topic 'out'"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    Ok(())
}
