//! The server's settings.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tidemill::{CallPolicy, ProcessingGuarantee, llm::Prompt, transport::kafka::KafkaConfig};
use tidemill_schemas::avro::RegistrySettings;

use crate::{
    apps::{APPLICATIONS, App, ModelSettings, Retention, TenantOf, Windows},
    clips::ClipSettings,
    sources::{Guard, Keys, Platforms, SpeechSettings},
};

/// The analyst that turns windows into results.
#[derive(Debug, Clone)]
pub enum AnalystChoice {
    /// An analyst in this process that uses counts and rules.
    Offline,
    /// Models of a provider.
    Model(ModelSettings),
}

/// How values are written on topics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FormatChoice {
    /// JSON text.
    #[default]
    Json,
    /// Avro, with schemas in a registry.
    Avro(RegistrySettings),
}

/// Limits for one client, or for all clients together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Maximum bytes of one request's body. Default 1 MiB.
    pub body_bytes: usize,
    /// Maximum bytes of all bodies that are being read or written. Default 64 MiB.
    pub bytes_in_flight: usize,
    /// Maximum records that wait to be processed, for each application. Default 200,000.
    pub lag_records: u64,
    /// Maximum pages that follow results at the same time. Default 2,000.
    pub event_streams: usize,
    /// Maximum connections at the same time; further ones wait until others end. Default 10,000.
    pub connections: usize,
    /// Maximum connections of one address at the same time; further ones are closed at once. 0 for any number. Default
    /// 2,500.
    pub address_connections: usize,
    /// How long a connection may be idle, and how long the headers of a request may take. Default one minute.
    pub idle_timeout: Duration,
    /// How long the body of a request may take. Default 30 s.
    pub body_timeout: Duration,
    /// Maximum wrong tokens of one address in a minute; after that, it has to wait. 0 for any number. Default 30.
    pub wrong_tokens: u32,
    /// How far an event's time may be ahead of the server's clock. Default two minutes.
    pub clock_ahead: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            bytes_in_flight: 64 << 20,
            lag_records: 200_000,
            event_streams: 2_000,
            connections: 10_000,
            address_connections: 2_500,
            idle_timeout: Duration::from_mins(1),
            body_timeout: Duration::from_secs(30),
            wrong_tokens: 30,
            clock_ahead: Duration::from_mins(2),
        }
    }
}

/// A client with a token, and its rights.
#[derive(Clone, PartialEq, Eq)]
pub struct Tenant {
    /// A name for metrics.
    pub name: String,
    /// The secret token, at least 16 visible ASCII characters.
    pub token: String,
    /// Ids that the token opens, by kind, such as `streams` or `users`. An id that ends with `*` is a prefix. Empty only
    /// for an administrator.
    pub owners: BTreeMap<&'static str, Vec<String>>,
    /// Whether the tenant may see metrics and state.
    pub admin: bool,
    /// Records that the tenant may send each second; `None` for no limit of its own.
    pub records_per_second: Option<u32>,
    /// Maximum bytes of one request's body; the smaller of this and [`Limits::body_bytes`] counts.
    pub body_bytes: Option<usize>,
}

impl Tenant {
    /// Whether its token opens an owner's id.
    pub(super) fn opens(&self, app: App, id: &str) -> bool {
        let patterns = self.owners.get(app.owner.plural);
        patterns.is_some_and(|patterns| patterns.iter().any(|pattern| matches(pattern, id)))
    }
}

impl Tenant {
    /// An id that its token opens, made of a name: the name itself, the name behind a prefix, or the only id.
    pub(super) fn own(&self, app: App, name: &str) -> Option<String> {
        if self.opens(app, name) {
            return Some(name.to_owned());
        }
        let patterns = self.owners.get(app.owner.plural)?;
        let prefixed = patterns.iter().find_map(|pattern| Some(format!("{}{name}", pattern.strip_suffix('*')?)));
        prefixed.or_else(|| patterns.first().cloned())
    }
}

fn matches(pattern: &str, id: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => id.starts_with(prefix),
        None => pattern == id,
    }
}

impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, owners, admin, records_per_second, body_bytes, .. } = self;
        f.debug_struct("Tenant")
            .field("name", name)
            .field("owners", owners)
            .field("admin", admin)
            .field("records_per_second", records_per_second)
            .field("body_bytes", body_bytes)
            .finish_non_exhaustive()
    }
}

/// How the server reads live streams by their addresses.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// Whether it reads streams. Default true.
    pub enabled: bool,
    /// The addresses that its connectors may open.
    pub guard: Guard,
    /// What the platforms need.
    pub keys: Keys,
    /// How it listens to streams. Default: not at all.
    pub speech: SpeechSettings,
    /// The platforms; `None` for all that this program knows.
    pub platforms: Option<Platforms>,
}

impl Default for SourceSettings {
    fn default() -> Self {
        let (guard, keys, speech) = (Guard::default(), Keys::default(), SpeechSettings::default());
        Self { enabled: true, guard, keys, speech, platforms: None }
    }
}

/// How the server runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on. Default 127.0.0.1:8080; an address beyond loopback needs tenants.
    pub listen: SocketAddr,
    /// The `host:port` at which other instances reach this server; `None` for the address to listen on.
    pub advertised: Option<String>,
    /// The applications that run. Default: all that ship with Tidemill.
    pub apps: Vec<App>,
    /// Kafka's configuration. With Kafka, instances share the work. Without it, the log is embedded and this instance
    /// is the only one.
    pub kafka: Option<KafkaConfig>,
    /// The folder of the state and the embedded log; `None` keeps both in memory.
    pub data_dir: Option<PathBuf>,
    /// The memory for rows and records that are in [`data_dir`](Self::data_dir), cached or not yet written to files, in
    /// bytes. The embedded log gets a fifth of it, the applications share the rest. Default 640 MiB.
    pub memory_bytes: usize,
    /// Whether each commit waits for the disk, so that a power loss loses no committed data. Default false.
    pub sync: bool,
    /// Partitions of every topic: the most threads that can share an application's work. Default 4.
    pub partitions: i32,
    /// Stream threads of each application. Default 1.
    pub threads: usize,
    /// The processing guarantee.
    pub guarantee: ProcessingGuarantee,
    /// The time between commits; results become visible with the commit. Default 100 ms.
    pub commit_interval: Duration,
    /// Name of this instance as a static member (KIP-345): after a quick restart, the instance keeps its tasks.
    pub instance_id: Option<String>,
    /// Name of this instance in logs, member lists and transactional ids; generated if `None`.
    pub client_id: Option<String>,
    /// The number of other instances that keep a copy of each task's state. Default 0.
    pub standby_replicas: usize,
    /// How long raw input is kept. Default one hour.
    pub raw_retention: Duration,
    /// How long results are kept. Default seven days.
    pub result_retention: Retention,
    /// How values are written on topics.
    pub format: FormatChoice,
    /// The windows of every known application, by the application's id. [`Settings::of`] fills them with each
    /// application's default.
    pub windows: BTreeMap<&'static str, Windows>,
    /// The prompts of applications that do not use their own, by the application's id.
    pub prompts: BTreeMap<&'static str, Option<Arc<Prompt>>>,
    /// The analyst.
    pub analyst: AnalystChoice,
    /// The policy of calls to the analyst: time limit, attempts, concurrency.
    pub calls: CallPolicy,
    /// How long calls are kept for the journal; zero for no journal.
    pub keep_calls: Duration,
    /// Live streams that are read by their addresses.
    pub sources: SourceSettings,
    /// Clips of live streams.
    pub clips: ClipSettings,
    /// Limits for clients.
    pub limits: Limits,
    /// The clients that may use the server; if empty, every client that reaches the address.
    pub tenants: Vec<Arc<Tenant>>,
    /// Origins of pages that may use this server, besides its own origin.
    pub cors_origins: Vec<String>,
    /// The folder of the pose model's files; `None` if this server does not serve them.
    pub mediapipe_dir: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(APPLICATIONS.to_vec())
    }
}

impl Settings {
    /// The default settings of a server that runs these applications.
    pub fn of(apps: Vec<App>) -> Self {
        let hour = Duration::from_hours(1);
        let windows = known(&apps).into_iter().map(|app| (app.id, app.windows)).collect();
        let prompts = known(&apps).into_iter().filter(|app| app.calls.is_some()).map(|app| (app.id, None)).collect();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            advertised: None,
            apps,
            kafka: None,
            data_dir: None,
            memory_bytes: 640 << 20,
            sync: false,
            partitions: 4,
            threads: 1,
            guarantee: ProcessingGuarantee::default(),
            commit_interval: Duration::from_millis(100),
            instance_id: None,
            client_id: None,
            standby_replicas: 0,
            raw_retention: hour,
            result_retention: Retention::default(),
            format: FormatChoice::default(),
            windows,
            prompts,
            analyst: AnalystChoice::Offline,
            calls: CallPolicy::default(),
            keep_calls: Duration::ZERO,
            sources: SourceSettings::default(),
            clips: ClipSettings::default(),
            limits: Limits::default(),
            tenants: Vec::new(),
            cors_origins: Vec::new(),
            mediapipe_dir: None,
        }
    }

    /// An application's windows.
    pub fn windows(&self, app: App) -> Windows {
        self.windows.get(app.id).copied().unwrap_or(app.windows)
    }

    /// An application's windows, to be changed.
    pub fn windows_mut(&mut self, app: App) -> &mut Windows {
        self.windows.entry(app.id).or_insert(app.windows)
    }

    /// Whether this server reads live streams: it runs the application that takes their chat.
    pub(super) fn runs_sources(&self) -> bool {
        self.sources.enabled && self.apps.iter().any(|app| app.reads_streams)
    }

    /// The embedded log's share of the memory, in bytes.
    pub(super) fn log_memory_bytes(&self) -> usize {
        self.memory_bytes / 5
    }

    /// The share of the stores of each application, in bytes.
    pub(super) fn store_memory_bytes(&self) -> usize {
        let log = if self.kafka.is_none() { self.log_memory_bytes() } else { 0 };
        (self.memory_bytes - log) / self.apps.len().max(1)
    }

    /// The tenant that an application's owner belongs to: the first one whose token opens the id without being an
    /// administrator's, or an empty name.
    pub(super) fn tenant_of(&self, app: App) -> TenantOf {
        let tenants: Vec<_> = self.tenants.iter().filter(|tenant| !tenant.admin).cloned().collect();
        Arc::new(move |id| {
            let owner = tenants.iter().find(|tenant| tenant.opens(app, id));
            owner.map_or_else(|| Arc::from(""), |tenant| Arc::from(&*tenant.name))
        })
    }

    /// All known applications: those that ship with Tidemill, and others that run here. An address of an application
    /// that does not run gets an answer that says so.
    pub(super) fn known(&self) -> Vec<App> {
        known(&self.apps)
    }
}

/// The applications that ship with Tidemill, and those of `apps` beside them.
fn known(apps: &[App]) -> Vec<App> {
    let others = apps.iter().filter(|app| !APPLICATIONS.contains(app));
    APPLICATIONS.iter().chain(others).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_ids_or_prefixes() {
        assert!(matches("ada", "ada") && !matches("ada", "adam"));
        assert!(matches("team-*", "team-1") && !matches("team-*", "tea"));
        assert!(matches("*", "anything"));
    }
}
