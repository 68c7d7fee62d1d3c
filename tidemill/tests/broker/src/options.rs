//! How a broker is to be.

use std::collections::BTreeMap;

use crate::Security;

/// Options of a broker, or of each broker of a cluster.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) security: Option<Security>,
    pub(crate) for_load: bool,
}

impl Options {
    /// A broker that starts fast and notices fast what happens to its clients.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a property of the server, whatever the default here is.
    pub fn set(mut self, property: &str, value: impl ToString) -> Self {
        self.properties.insert(property.to_owned(), value.to_string());
        self
    }

    /// Clients find a second listener that asks for this; [`crate::Broker::bootstrap_servers`] names it.
    pub fn secured(mut self, security: Security) -> Self {
        self.security = Some(security);
        self
    }

    /// The group protocol of before Kafka 4.0 alone, as older brokers have it.
    pub fn classic_groups(self) -> Self {
        self.set("group.coordinator.rebalance.protocols", "classic")
    }

    /// Time until a silent member of a group is given up.
    pub fn session_timeout_ms(self, milliseconds: u32) -> Self {
        self.set("group.consumer.session.timeout.ms", milliseconds)
    }

    /// For measurements: slower to start, as fast as it gets later.
    pub fn for_load(mut self) -> Self {
        self.for_load = true;
        self
    }

    /// What the virtual machine is told.
    pub(crate) fn java(&self) -> &'static [&'static str] {
        if self.for_load { &["-Xms1g", "-Xmx1g"] } else { &["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"] }
    }
}

/// What every broker here has in common, for so many of them.
pub(crate) fn defaults(nodes: usize) -> Vec<(&'static str, String)> {
    let replicas = nodes.min(3).to_string();
    let in_sync = if nodes < 3 { "1" } else { "2" };
    let mut properties = vec![
        ("default.replication.factor", replicas.clone()),
        ("offsets.topic.replication.factor", replicas.clone()),
        ("transaction.state.log.replication.factor", replicas.clone()),
        ("share.coordinator.state.topic.replication.factor", replicas),
        ("min.insync.replicas", in_sync.to_owned()),
        ("transaction.state.log.min.isr", in_sync.to_owned()),
        ("share.coordinator.state.topic.min.isr", in_sync.to_owned()),
    ];
    properties.extend(SAME.iter().map(|(name, value)| (*name, (*value).to_owned())));
    properties
}

const SAME: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    ("auto.create.topics.enable", "false"),
    ("message.max.bytes", "10485760"),
    // Event times of test data are long ago: retention by them would delete it within minutes.
    ("log.retention.ms", "-1"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    // A test has few clients, and not all cores.
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
    // A broker that was killed is given up, and taken back, within seconds.
    ("broker.heartbeat.interval.ms", "500"),
    ("broker.session.timeout.ms", "9000"),
    ("controller.quorum.election.timeout.ms", "500"),
    // So is a member of a group; a join settles within a heartbeat.
    ("group.consumer.min.heartbeat.interval.ms", "100"),
    ("group.consumer.heartbeat.interval.ms", "300"),
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "6000"),
    ("group.min.session.timeout.ms", "1000"),
    ("group.initial.rebalance.delay.ms", "0"),
    // And a transaction whose producer is gone, soon after its time-out.
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
];
