//! Processors with several outputs, processors that keep keys, and suppliers that bring stores.

mod common;

use common::{Tested, driver};
use tidemill::{
    Materialized, RecordHandler, StoreBuilder, StreamsBuilder, StreamsConfig,
    processor::{
        FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord, Output, Processor, ProcessorContext,
        ProcessorSupplier, Record,
    },
    state::BoxError,
    testing::{DriverOptions, TopologyTestDriver},
};

/// Sends each number to an output by its sign, or refuses it.
struct Sort {
    negative: Output<String, String>,
    zero: Output<u64, i64>,
}

impl Processor<u64, i64, u64, i64> for Sort {
    fn process(&mut self, ctx: &mut ProcessorContext<'_, u64, i64>, record: Record<u64, i64>) -> Result<(), BoxError> {
        match record.value {
            i64::MAX => {
                ctx.forward(record.clone());
                ctx.forward_to(self.zero, record);
                return Err("too large".into());
            }
            0 => ctx.forward_to(self.zero, record),
            1.. => ctx.forward(record),
            ..0 => {
                let text = Record::new(record.key.to_string(), record.value.to_string(), record.timestamp);
                ctx.forward_to(self.negative, text);
            }
        }
        Ok(())
    }
}

fn sorting() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let mut sort = builder.stream::<u64, i64>("in").processing("sort");
    let (negative, negatives) = sort.output::<String, String>("negative");
    let (zero, zeros) = sort.output::<u64, i64>("zero");
    sort.process(move || Sort { negative, zero }).to("positives");
    negatives.to("negatives");
    zeros.to("zeros");
    builder
}

#[test]
fn each_output_has_its_own_types_and_records() -> Tested {
    let driver = driver(&sorting());
    driver.input::<u64, i64>("in").pipe_all([(1, 5, 0), (2, -7, 1), (3, 0, 2), (4, 6, 3)])?;
    assert_eq!(driver.output::<u64, i64>("positives").read()?, [(1, 5, 0), (4, 6, 3)]);
    assert_eq!(driver.output::<String, String>("negatives").read()?, [("2".to_owned(), "-7".to_owned(), 1)]);
    assert_eq!(driver.output::<u64, i64>("zeros").read()?, [(3, 0, 2)]);
    Ok(())
}

#[test]
fn a_refused_record_leaves_nothing_on_any_output() -> Tested {
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&sorting().build()?, options)?;
    driver.input::<u64, i64>("in").pipe_all([(1, i64::MAX, 0), (2, 0, 1)])?;
    assert!(driver.output::<u64, i64>("positives").read()?.is_empty());
    assert_eq!(driver.output::<u64, i64>("zeros").read()?, [(2, 0, 1)]);
    Ok(())
}

#[test]
fn outputs_are_steps_of_the_description() {
    let driver = driver(&sorting());
    let expected = "\
Application: test
Subtopology: 0 (1 tasks)
  in (source, topic: in [1])
    --> sort
  sort (process)
    --> sort-negative, sort-zero, sink-4
  sort-negative (output)
    --> sink-5
  sort-zero (output)
    --> sink-6
  sink-4 (sink, topic: positives [1])
  sink-5 (sink, topic: negatives [1])
  sink-6 (sink, topic: zeros [1])
";
    assert_eq!(driver.plan().describe(), expected);
}

#[test]
fn a_step_without_its_processor_and_two_outputs_of_one_name_are_problems() {
    let builder = StreamsBuilder::new();
    let mut sort = builder.stream::<u64, i64>("in").processing("sort");
    let _ = sort.output::<u64, i64>("zero");
    let _ = sort.output::<u64, String>("zero");
    drop(sort);
    let error = builder.build().expect_err("both are problems");
    let expected = [
        "'sort' has no processor: end its declaration with one",
        "two steps are named 'sort-zero': names must be unique",
    ];
    assert_eq!(error.problems(), expected);
}

#[test]
fn an_output_of_another_step_is_an_error() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<u64, i64>("in");
    let mut first = stream.processing("first");
    let (negative, _) = first.output::<String, String>("negative");
    let (zero, _) = first.output::<u64, i64>("zero");
    first.process(move || Sort { negative, zero });
    stream.process("second", &[], move || Sort { negative, zero }).to("out");
    let error = driver(&builder).input::<u64, i64>("in").pipe(1, 0, 0).expect_err("it has no such output");
    assert!(error.chain().ends_with("that another step declared: give it an output of its own"), "{}", error.chain());
    assert!(error.chain().contains("operator 'second'"), "{}", error.chain());
}

/// Adds a value to the last one of its key.
struct Sum;

impl FixedKeyProcessor<String, i64, i64> for Sum {
    fn process(
        &mut self,
        ctx: &mut FixedKeyProcessorContext<'_, String, i64>,
        record: FixedKeyRecord<String, i64>,
    ) -> Result<(), BoxError> {
        let sums = ctx.key_value_store::<String, i64>("sums")?;
        let sum = sums.get(record.key())?.unwrap_or(0) + record.value;
        sums.put(record.key(), &sum, record.timestamp)?;
        ctx.forward(record.with_value(sum));
        Ok(())
    }
}

#[test]
fn after_process_values_the_stream_is_still_partitioned_by_its_key() -> Tested {
    let builder = StreamsBuilder::new();
    builder.add_key_value_store::<String, i64>("sums");
    let stream = builder.stream::<String, i64>("in");
    stream.process_values("sum", &["sums"], || Sum).group_by_key().count("counts").to_stream().to("out");
    let driver = driver(&builder);
    driver.input::<String, i64>("in").pipe_all([("a".into(), 2, 0), ("a".into(), 3, 1)])?;
    driver.crash();
    driver.input::<String, i64>("in").pipe("a".into(), 4, 2)?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [1, 2, 3]);
    let sums = driver.key_value_store::<String, i64>("sums", 0)?.ok_or("it runs")?;
    assert_eq!(sums.get_with_timestamp(&"a".into())?, Some((9, 2)));
    Ok(())
}

#[test]
fn process_values_does_not_forget_that_an_earlier_step_changed_the_key() {
    let builder = StreamsBuilder::new();
    builder.add_key_value_store::<String, i64>("sums");
    let moved = builder.stream::<String, i64>("in").select_key(|_, number| number.to_string());
    moved.process_values("sum", &["sums"], || Sum).group_by_key().count("counts");
    let error = builder.build().expect_err("both need the key");
    assert_eq!(error.problems().len(), 2, "{error}");
}

/// Counts all records, in a store that comes with it.
struct Counting(&'static str);

impl Processor<u64, i64, u64, i64> for Counting {
    fn process(&mut self, ctx: &mut ProcessorContext<'_, u64, i64>, record: Record<u64, i64>) -> Result<(), BoxError> {
        let counts = ctx.key_value_store::<String, i64>(self.0)?;
        let count = counts.get(&"all".to_owned())?.unwrap_or(0) + 1;
        counts.put(&"all".to_owned(), &count, record.timestamp)?;
        ctx.forward(record.with_value(count));
        Ok(())
    }
}

struct Counters(fn() -> StoreBuilder);

impl ProcessorSupplier<u64, i64, u64, i64> for Counters {
    type Processor = Counting;

    fn get(&self) -> Counting {
        Counting("counts")
    }

    fn stores(&self) -> Vec<StoreBuilder> {
        vec![(self.0)()]
    }
}

#[test]
fn suppliers_that_bring_equal_stores_share_them() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<u64, i64>("in");
    let counts = || StoreBuilder::key_value::<String, i64>(Materialized::named("counts").in_memory());
    stream.process("first", &[], Counters(counts)).to("first");
    stream.process("second", &[], Counters(counts)).to("second");
    let topology = builder.build()?;
    assert!(topology.stores().all(|store| !store.persistent));
    let driver = TopologyTestDriver::new(&topology)?;
    driver.input::<u64, i64>("in").pipe_all([(1, 0, 0), (1, 0, 1)])?;
    assert_eq!(driver.output::<u64, i64>("first").read_values()?, [1, 3]);
    assert_eq!(driver.output::<u64, i64>("second").read_values()?, [2, 4]);
    Ok(())
}

#[test]
fn suppliers_that_bring_different_stores_of_one_name_are_a_problem() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<u64, i64>("in");
    stream.process("first", &[], Counters(|| StoreBuilder::key_value::<String, i64>("counts")));
    let unlogged = || StoreBuilder::key_value::<String, i64>(Materialized::named("counts").without_logging());
    stream.process("second", &[], Counters(unlogged));
    let error = builder.build().expect_err("which of the two?");
    assert_eq!(error.problems(), ["two stores are named 'counts': give each its own name"]);
}
