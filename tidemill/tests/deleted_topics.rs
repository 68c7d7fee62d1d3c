//! Topics that are deleted while an application reads them.

mod common;

use std::time::Duration;

use common::{Tested, is_drained, wait_until};
use tidemill::{
    Streams, StreamsBuilder, StreamsConfig, StreamsState, TaskError,
    transport::{
        ConsumerConfig, Rebalance, Transport as _, TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

fn log(topics: &[&str]) -> Tested<EmbeddedLog> {
    let log = EmbeddedLog::in_memory();
    topics.iter().try_for_each(|topic| log.create(topic, 2))?;
    Ok(log)
}

/// The error that ends an instance of a topology that reads `in` and, apart from it, `other`.
fn ended(instances: Vec<Streams>) -> Tested<Vec<String>> {
    wait_until("they end", || instances.iter().all(|one| one.state() == StreamsState::Error));
    let errors = instances.into_iter().map(|one| match one.wait() {
        Err(error @ TaskError::MissingSourceTopic(_)) => Ok(error.chain()),
        other => Err(format!("it ended with {other:?}").into()),
    });
    errors.collect()
}

#[test]
fn every_instance_ends_when_a_source_topic_is_deleted() -> Tested {
    let log = log(&["in", "other", "out"])?;
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");
    builder.stream::<String, String>("other").to("out");
    let topology = builder.build()?;
    // The third has no task of that topic.
    let start = |_| Streams::start(&topology, StreamsConfig::new("app"), log.clone());
    let instances = (0..3).map(start).collect::<Result<Vec<_>, _>>()?;
    for topic in ["in", "other"] {
        for partition in 0..2 {
            log.append(topic, partition, [Entry::new("k", "v", 0)])?;
        }
    }
    wait_until("all is done", || is_drained(&log, "app"));
    log.admin()?.delete_topic("in")?;
    for error in ended(instances)? {
        assert!(error.starts_with("source topic 'in' is gone: ") && error.contains("create it again"), "{error}");
    }
    Ok(())
}

#[test]
fn an_instance_ends_when_its_repartition_topic_is_deleted() -> Tested {
    let log = log(&["in", "out"])?;
    let builder = StreamsBuilder::new();
    let by_value = builder.stream::<String, String>("in").select_key(|_, value| value.clone()).repartition("by-value");
    by_value.group_by_key().count("counts").to_stream().to("out");
    let streams = Streams::start(&builder.build()?, StreamsConfig::new("app"), log.clone())?;
    log.append("in", 0, [Entry::new("k", "v", 0)])?;
    wait_until("it is counted", || log.end_offsets("out").is_ok_and(|ends| ends.iter().sum::<i64>() == 1));
    log.admin()?.delete_topic("app-by-value-repartition")?;
    let errors = ended(vec![streams])?;
    assert!(errors[0].starts_with("source topic 'app-by-value-repartition' is gone: "), "{errors:?}");
    Ok(())
}

#[test]
fn a_member_hears_what_it_lost_before_that_the_topic_is_gone_and_goes_on_once_it_is_back() -> Tested {
    let log = log(&["in", "other"])?;
    let mut member = log.consumer(&ConsumerConfig {
        group: "group".to_owned(),
        client_id: "member".to_owned(),
        instance_id: None,
        session_timeout: Duration::from_mins(1),
        max_poll_records: 10,
    })?;
    member.subscribe(&["in".into(), "other".into()])?;
    assert!(matches!(&*member.poll(Duration::ZERO)?.rebalances, [Rebalance::Assigned(all)] if all.len() == 4));
    log.admin()?.delete_topic("in")?;
    assert!(matches!(&*member.poll(Duration::ZERO)?.rebalances, [Rebalance::Lost(lost)] if lost.len() == 2));
    for _ in 0..2 {
        let gone = member.poll(Duration::ZERO);
        assert!(matches!(&gone, Err(TransportError::UnknownTopic(topic)) if topic == "in"), "{gone:?}");
    }
    log.create("in", 1)?;
    assert!(matches!(&*member.poll(Duration::ZERO)?.rebalances, [Rebalance::Assigned(back)] if back.len() == 1));
    Ok(())
}
