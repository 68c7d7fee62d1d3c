//! Word count, the first program everybody writes: `cargo run --release -p tidemill --example word_count`.
//!
//! It needs no broker: topics live in a log inside the process. With Kafka, nothing but the log changes.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::{error::Error, thread, time::Duration};

use tidemill::{
    Streams, StreamsBuilder, StreamsConfig,
    transport::embedded::{EmbeddedLog, Entry},
};

const LINES: [&str; 3] = ["the tide turns the mill", "the mill grinds the grain", "the grain becomes bread"];

fn main() -> Result<(), Box<dyn Error>> {
    let log = EmbeddedLog::in_memory();
    // Topics are never made up: a typing mistake in a name is an error at the start.
    log.create("lines", 2)?;
    log.create("counts", 2)?;

    let builder = StreamsBuilder::new();
    let counts = builder
        // Lines have no keys, as those that a console producer sends.
        .stream_values::<String>("lines")
        .flat_map_values(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
        // The same word may stand in both partitions. Counting needs each word in one place, so the records go
        // through a topic that is partitioned by word.
        .select_key(|(), word| word.clone())
        .repartition("by-word")
        .group_by_key()
        // State has a name of its own: it names store and changelog, and survives a change of the code around it.
        .count("word-counts");
    counts.to_stream().to("counts");

    let streams = Streams::start(&builder.build()?, StreamsConfig::new("word-count"), log.clone())?;
    // What runs: subtopologies, topics and stores.
    println!("{}", streams.plan().describe());

    for (partition, line) in (0..).zip(LINES) {
        log.append("lines", partition % 2, [Entry::keyless(line, 0)])?;
    }
    // Every update is a record, so there are as many as words. Output appears when it is committed.
    let words = LINES.iter().map(|line| line.split(' ').count() as i64).sum();
    while log.end_offsets("counts")?.iter().sum::<i64>() < words {
        thread::sleep(Duration::from_millis(10));
    }

    // The store can be asked while the application runs, without reading the topic.
    let mut counted = streams.key_value_store::<String, i64>("word-counts").all()?;
    counted.sort_by_key(|(word, count)| (-count, word.clone()));
    for (word, count) in counted {
        println!("{count} {word}");
    }
    // Commits what is done and stops.
    streams.close()?;
    Ok(())
}
