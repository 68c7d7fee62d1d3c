//! Times that the user's code gives to records are checked as those of sources are.

mod common;

use std::time::Duration;

use common::Tested;
use tidemill::{
    EmitStrategy, RecordHandler, StreamsBuilder, StreamsConfig, TimeWindows, Windowed,
    processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record},
    state::BoxError,
    testing::{DriverOptions, TopologyTestDriver},
};

const LAST: i64 = i64::MAX / 2;

/// Gives each record its value as its time.
struct ByValue;

impl Processor<String, i64, String, i64> for ByValue {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        ctx.forward(Record { timestamp: record.value, ..record });
        Ok(())
    }
}

fn windowed(processing_handler: RecordHandler) -> Tested<TopologyTestDriver> {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in").process("by-value", &[], || ByValue).mark_as_partitioned();
    stream.to("all");
    let windows = TimeWindows::of_size_and_grace(Duration::from_secs(10), Duration::from_secs(1));
    stream.group_by_key().windowed_by(windows).count("counts").to_stream().to("out");
    let config = StreamsConfig { processing_handler, ..StreamsConfig::new("test") };
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?)
}

#[test]
fn a_time_that_is_none_is_an_error_of_the_processor_that_made_it() -> Tested {
    for wrong in [-1, i64::MIN, LAST + 1, i64::MAX - 3, i64::MAX] {
        let driver = windowed(RecordHandler::Fail)?;
        let error = driver.input::<String, i64>("in").pipe("k".into(), wrong, 5).err().ok_or("it must fail")?.chain();
        let place = "task 0_0, operator 'by-value', topic 'in', partition 0, offset 0: it forwarded a record";
        assert!(error.starts_with(place) && error.contains(&format!("timestamp {wrong} is no time")), "{error}");
    }
    Ok(())
}

#[test]
fn a_record_whose_new_time_is_none_goes_by_the_processing_handler() -> Tested {
    let driver = windowed(RecordHandler::Skip)?;
    let values = [5, -1, i64::MIN, i64::MAX - 3, 6, LAST];
    driver.input::<String, i64>("in").pipe_all(values.map(|value| ("k".into(), value, 0)))?;
    assert_eq!(driver.output::<String, i64>("all").read_values()?, [5, 6, LAST]);
    let counts = driver.output::<Windowed<String>, i64>("out").read()?;
    assert_eq!(counts.iter().map(|(_, count, time)| (*count, *time)).collect::<Vec<_>>(), [(1, 5), (2, 6), (1, LAST)]);
    assert_eq!(driver.status()?.tasks[0].records_dropped, [("by-value".into(), "processing-error", 3)]);
    Ok(())
}

/// Forwards a record of a time that is none when its punctuation is due.
struct Late;

impl Processor<String, i64, String, i64> for Late {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
        ctx.schedule(Duration::from_millis(10), PunctuationType::WallClockTime);
        Ok(())
    }

    fn process(&mut self, _: &mut ProcessorContext<'_, String, i64>, _: Record<String, i64>) -> Result<(), BoxError> {
        Ok(())
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        _: Punctuation,
        _: i64,
    ) -> Result<(), BoxError> {
        ctx.forward(Record::new("k".to_owned(), 1, i64::MAX - 3));
        Ok(())
    }
}

#[test]
fn a_punctuation_that_forwards_a_time_that_is_none_names_its_processor() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in").process("late", &[], || Late).mark_as_partitioned();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(10));
    let windowed = stream.group_by_key().windowed_by(windows).emit(EmitStrategy::on_window_close());
    windowed.count("counts").to_stream().to("out");
    let driver = common::driver(&builder);
    driver.status()?;
    let error = driver.advance_wall_clock(Duration::from_millis(10)).err().ok_or("it must fail")?.chain();
    let expected =
        format!("operator 'late', between records: it forwarded a record whose timestamp {} is", i64::MAX - 3);
    assert!(error.contains(&expected), "{error}");
    Ok(())
}
