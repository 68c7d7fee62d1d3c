//! A first look at the engine on Kafka.
#![cfg(feature = "kafka")]
use std::time::{Duration, Instant};

use tidemill_broker::{Broker, Options};
use tidemill_topology::{
    ProcessingGuarantee, Streams, StreamsBuilder, StreamsConfig,
    transport::{
        CleanupPolicy, Headers, Offset, ProducerConfig, ProducerRecord, TopicPartition, TopicSpec, Transport,
        kafka::{KafkaConfig, KafkaTransport},
    },
};

#[test]
fn counts_words_on_kafka() -> Result<(), Box<dyn std::error::Error>> {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(std::env::var("LOG").unwrap_or_default())
        .with_writer(std::io::stderr)
        .try_init();
    let Some(broker) = Broker::start(Options::new()) else { return Ok(()) };
    for guarantee in [ProcessingGuarantee::ExactlyOnce, ProcessingGuarantee::AtLeastOnce] {
        let t0 = Instant::now();
        let kafka = KafkaTransport::new(KafkaConfig::new(broker.bootstrap_servers()))?;
        let mut admin = kafka.admin()?;
        let (input, output) = (format!("lines-{guarantee:?}"), format!("counts-{guarantee:?}"));
        for topic in [&input, &output] {
            admin.create_topic(&TopicSpec {
                name: topic.as_str().into(),
                partitions: 3,
                cleanup: CleanupPolicy::Delete,
                retention: None,
            })?;
        }
        eprintln!("{:?} topics", t0.elapsed());
        let builder = StreamsBuilder::new();
        builder
            .stream::<String, String>(input.as_str())
            .flat_map_values(|line| line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>())
            .select_key(|_, word| word.clone())
            .repartition("by-word")
            .group_by_key()
            .count("word-counts")
            .to_stream()
            .to(output.as_str());
        let mut config = StreamsConfig::new(format!("words-{guarantee:?}"));
        config.processing_guarantee = guarantee;
        let streams = Streams::start(&builder.build()?, config, kafka.clone())?;
        eprintln!("{:?} started", t0.elapsed());
        let mut producer = kafka.producer(&ProducerConfig::default())?;
        for n in 0..3000 {
            producer.send(ProducerRecord {
                topic: input.as_str().into(),
                partition: n % 3,
                timestamp: 1_700_000_000_000 + i64::from(n),
                key: Some("k".into()),
                value: Some(format!("to be or not word{}", n % 10).into()),
                headers: Headers::new(),
            })?;
        }
        producer.flush()?;
        eprintln!("{:?} sent", t0.elapsed());
        let started = Instant::now();
        let mut reader = kafka.reader()?;
        let from: Vec<(TopicPartition, Offset)> =
            (0..3).map(|partition| (TopicPartition::new(output.as_str(), partition), 0)).collect();
        reader.assign(&from)?;
        let mut total = 0i64;
        let mut last = std::collections::BTreeMap::new();
        while last.get("to") != Some(&3000) || last.get("word9") != Some(&300) {
            assert!(started.elapsed() < Duration::from_secs(30), "{last:?}");
            for batch in reader.read(Duration::from_millis(100), 10_000)? {
                for record in batch.records {
                    total += 1;
                    let key = String::from_utf8(record.key.unwrap().to_vec())?;
                    let mut raw = [0u8; 8];
                    raw.copy_from_slice(&record.value.unwrap());
                    let count = i64::from_be_bytes(raw);
                    last.insert(key, count);
                }
            }
        }
        eprintln!("{:?} counted {total} {last:?}", t0.elapsed());
        streams.close()?;
        eprintln!("{:?} closed", t0.elapsed());
    }
    Ok(())
}
