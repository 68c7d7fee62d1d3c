//! One topic that several sources read: each gets every record, and one task reads it.

mod common;

use bytes::Bytes;
use common::{Tested, driver, records};
use tidemill::{
    AutoOffsetReset, Consumed, RecordHandler, StreamsBuilder, StreamsConfig,
    state::{BigEndian, Utf8},
    testing::{DriverOptions, Simulator, SimulatorOptions, TopologyTestDriver},
};

fn handling(builder: &StreamsBuilder, config: StreamsConfig) -> Tested<TopologyTestDriver> {
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?)
}

#[test]
fn sources_of_different_types_each_get_every_record() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, u64>("in").map_values(|number| number + 1).to("numbers");
    builder
        .stream::<String, Bytes>(Consumed::with("in", Utf8, tidemill::state::RawBytes))
        .map_values(|raw| raw.len() as i64)
        .to("lengths");
    let driver = driver(&builder);
    driver.input::<String, u64>("in").pipe_all([("a".into(), 1, 0), ("b".into(), 2, 1)])?;
    assert_eq!(driver.output::<String, u64>("numbers").read_values()?, [2, 3]);
    assert_eq!(driver.output::<String, i64>("lengths").read_values()?, [8, 8]);
    assert_eq!(driver.plan().subtopologies().len(), 1, "one task reads the topic");
    let task = &driver.status()?.tasks[0];
    assert_eq!((task.records_processed, task.partitions.len()), (2, 1), "a record counts once");
    assert_eq!(driver.log().group_lag("test")[0].lag, 0);
    Ok(())
}

#[test]
fn lists_of_topics_may_overlap() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("a").to("of-a");
    builder.stream::<String, i64>(["a", "b"]).to("of-both");
    builder.stream::<String, i64>(["b", "c"]).to("of-others");
    let driver = driver(&builder);
    assert_eq!(driver.plan().subtopologies().len(), 1, "what reads one topic runs in one task");
    for (topic, value) in [("a", 1), ("b", 2), ("c", 3)] {
        driver.input::<String, i64>(topic).pipe("k".into(), value, value)?;
    }
    assert_eq!(driver.output::<String, i64>("of-a").read_values()?, [1]);
    assert_eq!(driver.output::<String, i64>("of-both").read_values()?, [1, 2]);
    assert_eq!(driver.output::<String, i64>("of-others").read_values()?, [2, 3]);
    Ok(())
}

#[test]
fn a_table_and_a_stream_of_one_topic_meet() -> Tested {
    let builder = StreamsBuilder::new();
    let last = builder.table::<String, i64>("in", "last");
    builder.stream::<String, i64>("in").join(&last, |_, now, table| now * 100 + table).to("out");
    let driver = driver(&builder);
    driver.input::<String, i64>("in").pipe_all([("k".into(), 1, 0), ("k".into(), 2, 1)])?;
    // The table was declared first, so it has each record before the stream has it.
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [101, 202]);
    Ok(())
}

#[test]
fn after_a_crash_no_source_gets_a_record_again() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").group_by_key().count("one").to_stream().to("counts-1");
    builder.stream::<String, i64>("in").group_by_key().count("two").to_stream().to("counts-2");
    let driver = driver(&builder);
    let input = driver.input::<String, i64>("in");
    input.pipe_all([("k".into(), 1, 0), ("k".into(), 2, 1)])?;
    driver.crash();
    input.pipe("k".into(), 3, 2)?;
    for out in ["counts-1", "counts-2"] {
        assert_eq!(driver.output::<String, i64>(out).read_values()?, [1, 2, 3]);
    }
    Ok(())
}

#[test]
fn a_record_that_is_bad_for_one_source_reaches_the_others() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").to("numbers");
    builder.stream::<String, String>("in").to("texts");
    builder.stream::<String, i64>("in").to("numbers-too");
    let deserialization_handler = RecordHandler::DeadLetter("dead".into());
    let driver = handling(&builder, StreamsConfig { deserialization_handler, ..StreamsConfig::new("test") })?;
    driver
        .input::<String, String>("in")
        .pipe_all([("a".into(), "12345678".into(), 0), ("b".into(), "hi".into(), 1)])?;
    driver.input::<String, Bytes>("in").pipe("c".into(), Bytes::from(vec![0xff; 8]), 2)?;
    driver.input::<String, Bytes>("in").pipe("d".into(), Bytes::from(vec![0xff; 3]), 3)?;
    let number = i64::from_be_bytes(*b"12345678");
    assert_eq!(driver.output::<String, i64>("numbers").read_values()?, [number, -1]);
    assert_eq!(driver.output::<String, i64>("numbers-too").read_values()?, [number, -1]);
    assert_eq!(driver.output::<String, String>("texts").read_values()?, ["12345678", "hi"]);
    // One letter for each bad record, although 'd' is bad for three sources and 'b' for two.
    assert_eq!(driver.output::<String, Bytes>("dead").read_values()?, [&b"hi"[..], &[0xff; 8], &[0xff; 3]]);
    let task = &driver.status()?.tasks[0];
    assert_eq!(task.records_dropped.iter().map(|(_, _, count)| count).sum::<u64>(), 2 + 1 + 3, "{task:?}");
    assert_eq!(task.partitions[0].position, Some(4));
    Ok(())
}

#[test]
fn by_default_a_record_that_is_bad_for_one_source_fails_the_task() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").to("texts");
    builder.stream::<String, i64>("in").to("numbers");
    let driver = driver(&builder);
    let error = driver.input::<String, String>("in").pipe("k".into(), "hi".into(), 0).err().ok_or("it must fail")?;
    assert!(error.chain().contains("topic 'in', partition 0, offset 0"), "{}", error.chain());
    assert!(records::<String, String>(driver.log(), "texts").is_empty(), "nothing of the record is committed");
    Ok(())
}

#[test]
fn a_record_that_one_source_cannot_process_is_left_out_by_all() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").group_by_key().count("counts").to_stream().to("counts-out");
    let refusing = |value: &i64| if *value < 0 { Err("negative".into()) } else { Ok(*value) };
    builder.stream::<String, i64>("in").process("check", &[], move || Checked(refusing)).to("checked");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = handling(&builder, config)?;
    driver.input::<String, i64>("in").pipe_all([("k".into(), 1, 0), ("k".into(), -1, 99), ("k".into(), 2, 2)])?;
    assert_eq!(driver.output::<String, i64>("counts-out").read_values()?, [1, 2]);
    assert_eq!(driver.output::<String, i64>("checked").read_values()?, [1, 2]);
    assert_eq!(driver.status()?.tasks[0].stream_time_ms, 2);
    Ok(())
}

/// Passes on what a function accepts.
struct Checked<F>(F);

impl<F> tidemill::processor::Processor<String, i64, String, i64> for Checked<F>
where
    F: Fn(&i64) -> Result<i64, tidemill::state::BoxError> + 'static,
{
    fn process(
        &mut self,
        ctx: &mut tidemill::processor::ProcessorContext<'_, String, i64>,
        record: tidemill::Record<String, i64>,
    ) -> Result<(), tidemill::state::BoxError> {
        let value = (self.0)(&record.value)?;
        ctx.forward(record.with_value(value));
        Ok(())
    }
}

#[test]
fn sources_may_take_different_times_from_a_record() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream(Consumed::<String, i64>::from("in").timestamp_from(|_, at| *at)).to("by-value");
    builder.stream::<String, i64>("in").to("by-log");
    let driver = driver(&builder);
    driver.input::<String, i64>("in").pipe_all([("a".into(), 50, 5), ("b".into(), 3, 70)])?;
    let times = |topic: &str| -> Tested<Vec<i64>> {
        Ok(driver.output::<String, i64>(topic).read()?.into_iter().map(|(_, _, time)| time).collect())
    };
    assert_eq!((times("by-value")?, times("by-log")?), (vec![50, 3], vec![5, 70]));
    Ok(())
}

#[test]
fn what_a_topic_erases_does_not_erase_for_its_other_source() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").group_by_key().count("counts").to_stream().to("out");
    builder.stream::<String, i64>("gone").erase("erase", &["counts"]);
    builder.stream::<String, i64>("gone").to("told");
    let driver = driver(&builder);
    driver.input::<String, i64>("in").pipe_all([("k".into(), 1, 0), ("k".into(), 1, 1)])?;
    driver.input::<String, i64>("gone").pipe("k".into(), 9, 2)?;
    driver.input::<String, i64>("in").pipe("k".into(), 1, 3)?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [1, 2, 1]);
    assert_eq!(driver.output::<String, i64>("told").read_values()?, [9]);
    Ok(())
}

#[test]
fn sources_of_one_topic_must_begin_at_the_same_place() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").to("a");
    let latest = Consumed::with("in", Utf8, BigEndian).with_offset_reset(AutoOffsetReset::Latest);
    builder.stream::<String, i64>(latest).to("b");
    let error = builder.build().expect_err("a partition has one position");
    let expected = "topic 'in' is read with two offset resets: give all of its sources the same one";
    assert_eq!(error.problems(), [expected]);
}

#[test]
fn every_source_gets_each_record_once_under_faults() -> Tested {
    for seed in 0..6 {
        let partitions = [("in", 3), ("one", 1), ("two", 1)].map(|(topic, count)| (topic.to_owned(), count)).into();
        let options = SimulatorOptions { partitions, ..SimulatorOptions::new(seed) };
        let builder = StreamsBuilder::new();
        builder.stream::<u64, u64>("in").to("one");
        builder.stream::<u64, u64>("in").map_values(|value| value * 2).to("two");
        let mut simulator = Simulator::new(&builder.build()?, options)?;
        for number in 0..120_u64 {
            simulator.append("in", &number, &number, number as i64)?;
            simulator.run(4)?;
        }
        simulator.settle()?;
        for (topic, times) in [("one", 1), ("two", 2)] {
            let mut values: Vec<_> =
                records::<u64, u64>(simulator.log(), topic).into_iter().map(|(_, _, value)| value).collect();
            values.sort_unstable();
            assert_eq!(values, (0..120).map(|number| number * times).collect::<Vec<_>>(), "seed {seed}, {topic}");
        }
        assert!(simulator.log().group_lag("sim").iter().all(|lag| lag.lag == 0), "seed {seed}");
    }
    Ok(())
}
