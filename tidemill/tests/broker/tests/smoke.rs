//! The broker serves, keeps what it has across restarts, and leaves nothing behind.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};
use tidemill_broker::{Broker, Cluster, Options, Security};

const TOPIC: &str = "words";
const PATIENCE: Duration = Duration::from_mins(1);

fn client(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    for (name, value) in broker.client_properties() {
        config.set(name, value);
    }
    config
}

fn create_topic(config: &ClientConfig, replicas: i32) {
    let admin: AdminClient<DefaultClientContext> = config.create().expect("the configuration is valid");
    let topic = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(replicas));
    let created = admin.create_topics([&topic], &AdminOptions::new().operation_timeout(Some(PATIENCE)));
    let results = finish(created).expect("the broker answers");
    assert_eq!(results, [Ok(TOPIC.to_owned())]);
}

/// Waits for one future, without a runtime.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn send(config: &ClientConfig, words: &[&str]) {
    let producer: BaseProducer = config.create().expect("the configuration is valid");
    for word in words {
        producer.send(BaseRecord::to(TOPIC).key(*word).payload(*word)).expect("the queue has room");
    }
    producer.flush(PATIENCE).expect("the broker answers");
}

fn read(config: &ClientConfig, count: usize) -> Vec<String> {
    let consumer: BaseConsumer = config.clone().set("group.id", "readers").create().expect("it is valid");
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(TOPIC, 0, Offset::Beginning).expect("an offset");
    consumer.assign(&from).expect("the partition is assigned");
    let (mut words, started) = (Vec::new(), Instant::now());
    while words.len() < count && started.elapsed() < PATIENCE {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let value = message.payload().expect("no tombstones were sent");
            words.push(String::from_utf8(value.to_vec()).expect("words are text"));
        }
    }
    words
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_a_stop() {
    let Some(mut broker) = Broker::start(Options::new()) else { return };
    let config = client(&broker);
    create_topic(&config, 1);
    send(&config, &["one"]);
    broker.kill();
    broker.restart();
    send(&config, &["two"]);
    broker.stop();
    broker.restart();
    assert_eq!(read(&config, 2), ["one", "two"]);
}

#[test]
fn a_cluster_of_three_serves_without_one_of_them() {
    let Some(mut cluster) = Cluster::start(3, Options::new()) else { return };
    let mut config = client(cluster.broker(0));
    config.set("bootstrap.servers", cluster.bootstrap_servers());
    create_topic(&config, 3);
    send(&config, &["one"]);
    cluster.broker(0).kill();
    send(&config, &["two"]);
    assert_eq!(read(&config, 2), ["one", "two"]);
}

#[test]
fn secured_brokers_know_their_clients() {
    for security in [Security::Tls, Security::SaslPlain, Security::SaslScram, Security::SaslScramTls] {
        let Some(broker) = Broker::start(Options::new().secured(security)) else { return };
        let config = client(&broker);
        create_topic(&config, 1);
        send(&config, &["one"]);
        assert_eq!(read(&config, 1), ["one"], "{security:?}");
    }
}

#[test]
fn nothing_is_left_when_the_test_dies() {
    if Broker::shared().is_none() {
        return;
    }
    let mut child = Command::new(env::current_exe().expect("a test has a program"))
        .args(["--ignored", "--exact", "dying_test"])
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs again");
    let folder = env::temp_dir().join(format!("tidemill-broker-{}-0", child.id()));
    wait_until("the child's broker has started", || ready(&folder).exists());
    child.kill().expect("it runs");
    child.wait().expect("it is a child");
    // The guard removes it after the broker's end.
    wait_until("the folder is removed", || !folder.exists());
}

/// The test that dies: it starts a broker and hangs.
#[test]
#[ignore = "started by the test above, as a process of its own"]
fn dying_test() {
    let broker = Broker::shared().expect("the parent has one, too");
    let folder = env::temp_dir().join(format!("tidemill-broker-{}-0", std::process::id()));
    fs::write(ready(&folder), broker.bootstrap_servers()).expect("the folder can be written to");
    thread::sleep(PATIENCE);
}

fn ready(folder: &std::path::Path) -> PathBuf {
    folder.join("ready")
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
