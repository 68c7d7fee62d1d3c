//! Partitions that the application chooses itself.

mod common;

use common::{Tested, records};
use tidemill::{
    Produced, RecordHandler, StreamsBuilder, StreamsConfig,
    state::{BigEndian, Utf8},
    testing::{DriverOptions, TopologyTestDriver},
};

/// Sends each number to the partition of that number, among four.
fn chosen(processing_handler: RecordHandler) -> Tested<TopologyTestDriver> {
    let builder = StreamsBuilder::new();
    let by_number = Produced::with("out", Utf8, BigEndian).partitioned_by(|_: &String, number: &i32, _| *number);
    builder.stream::<String, i32>("in").to(by_number);
    let config = StreamsConfig { processing_handler, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, partitions: [("out".to_owned(), 4)].into(), ..DriverOptions::default() };
    Ok(TopologyTestDriver::with(&builder.build()?, options)?)
}

#[test]
fn a_partition_that_is_none_is_an_error_that_names_topic_answer_and_range() -> Tested {
    for wrong in [-1, 4, i32::MIN, i32::MAX] {
        let driver = chosen(RecordHandler::Fail)?;
        let error = driver.input::<String, i32>("in").pipe("k".into(), wrong, 0).err().ok_or("it must fail")?.chain();
        let expected =
            format!("the partitioner of topic 'out' chose partition {wrong}: it must choose one from 0 to 3");
        assert!(error.contains("topic 'in', partition 0, offset 0") && error.ends_with(&expected), "{error}");
        assert!(records::<String, i32>(driver.log(), "out").is_empty());
    }
    Ok(())
}

#[test]
fn a_partition_that_is_none_goes_by_the_processing_handler() -> Tested {
    for (handler, dead) in [(RecordHandler::Skip, false), (RecordHandler::DeadLetter("dead".into()), true)] {
        let driver = chosen(handler)?;
        driver.input::<String, i32>("in").pipe_all([0, -1, 3, 4].map(|number| ("k".into(), number, 0)))?;
        assert_eq!(records::<String, i32>(driver.log(), "out"), [(0, "k".into(), 0), (3, "k".into(), 3)]);
        let dropped = driver.status()?.tasks[0].records_dropped.clone();
        assert!(matches!(dropped.as_slice(), [(_, "processing-error", 2)]), "{dropped:?}");
        if dead {
            assert_eq!(driver.output::<String, i32>("dead").read_values()?, [-1, 4]);
        }
    }
    Ok(())
}
