//! Measures the cost of passing a record from one operator to the next.
//!
//! A flat map turns each record into a thousand, so that reading costs little. These records pass one or ten operators
//! and end in a filter. The difference of both chains, divided by nine, is the cost of one hop: call, closure, move.

mod common;

use common::{
    BenchResult, criterion, is_test, load,
    pipeline::{Backend, Pipeline},
    report::Report,
};
use criterion::{SamplingMode, Throughput};
use tidemill::{KStream, StreamsBuilder, Topology, processor::Data, transport::embedded::Entry};

const INPUTS: usize = 3000;
const FAN_OUT: usize = 1000;
const CHAINS: [usize; 2] = [1, 10];

fn main() -> BenchResult<()> {
    let (mut criterion, mut report) = (criterion(), Report::default());
    let inputs = load(INPUTS);
    let input = (0..inputs as i64).map(|i| Entry::new(i.to_be_bytes().to_vec(), i.to_be_bytes().to_vec(), i));
    let mut pipeline = Pipeline::new(1, input)?;
    for (name, topology) in [("u64", small as fn(usize) -> _), ("strings", strings)] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements((inputs * FAN_OUT) as u64)).sampling_mode(SamplingMode::Flat);
        for hops in CHAINS {
            let topology: Topology = topology(hops)?;
            group.bench_function(format!("{hops}-hops"), |bencher| {
                let row = format!("{name}/{hops}");
                let mut run = || pipeline.run(&mut report, &row, Backend::Memory, &topology);
                bencher.iter_custom(|runs| (0..runs).map(|_| run()).sum());
            });
        }
        group.finish();
    }
    criterion.final_summary();
    report.print();
    for name in ["u64", "strings"].into_iter().filter(|_| !is_test()) {
        let [one, ten] = CHAINS.map(|hops| report.cpu_ns(&format!("{name}/{hops}")));
        if let (Some(one), Some(ten)) = (one, ten) {
            eprintln!("{name}: {:.2} ns CPU a hop", (ten - one) / FAN_OUT as f64 / 9.0);
        }
    }
    Ok(())
}

/// A chain whose keys and values are numbers.
fn small(hops: usize) -> BenchResult<Topology> {
    let builder = StreamsBuilder::new();
    let source =
        builder.stream::<u64, u64>("in").flat_map(|key, value| (0..FAN_OUT as u64).map(move |i| (key, value ^ i)));
    end(&chain(source, hops, |value| value.wrapping_mul(0x9e37_79b9_7f4a_7c15)), |value| *value == 42);
    Ok(builder.build()?)
}

/// A chain whose keys and values are strings, as long as those of a chat message.
fn strings(hops: usize) -> BenchResult<Topology> {
    let builder = StreamsBuilder::new();
    let pairs = |key: u64, value: u64| {
        let (key, value) = (format!("stream-{key}"), format!("{value:050}"));
        std::iter::repeat_n((key, value), FAN_OUT)
    };
    let source = builder.stream::<u64, u64>("in").flat_map(pairs);
    end(&chain(source, hops, |value: String| value), String::is_empty);
    Ok(builder.build()?)
}

fn chain<K: Data, V: Data>(
    mut stream: KStream<K, V>,
    hops: usize,
    map: impl Fn(V) -> V + Copy + Send + Sync + 'static,
) -> KStream<K, V> {
    for _ in 0..hops {
        stream = stream.map_values(map);
    }
    stream
}

/// A filter that drops almost all records. So the compiler must keep the chain's work, but there is almost no output.
fn end<K: Data, V: Data>(stream: &KStream<K, V>, keep: impl Fn(&V) -> bool + Send + Sync + 'static) {
    stream.filter(move |_, value| keep(value)).peek(|_, _| ());
}
