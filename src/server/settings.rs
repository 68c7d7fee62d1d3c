//! What the server is told.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tidemill::{CallPolicy, ProcessingGuarantee, transport::kafka::KafkaConfig};
use tidemill_schemas::avro::RegistrySettings;

use crate::apps::{APPLICATIONS, App, Windows, gemini::GeminiSettings};

/// Who analyses windows.
#[derive(Debug, Clone)]
pub enum AnalystChoice {
    /// Counts and rules, in this process.
    Offline,
    /// A model.
    Gemini(GeminiSettings),
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

/// Bounds on what one client, or all of them, may ask of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request's body. Default 1 MiB.
    pub body_bytes: usize,
    /// Bytes of all bodies that are being read or written. Default 64 MiB.
    pub bytes_in_flight: usize,
    /// Records that may wait to be processed, for each application. Default 200,000.
    pub lag_records: u64,
    /// Pages that may follow results at the same time. Default 2,000.
    pub event_streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 1 << 20, bytes_in_flight: 64 << 20, lag_records: 200_000, event_streams: 2_000 }
    }
}

/// Somebody with a token, and what the token opens.
#[derive(Clone, PartialEq, Eq)]
pub struct Tenant {
    /// A name for metrics.
    pub name: String,
    /// The secret.
    pub token: String,
    /// What it opens, such as `streams` or `users`: ids, or prefixes that end with `*`.
    pub owners: BTreeMap<&'static str, Vec<String>>,
    /// Whether it may see metrics and state.
    pub admin: bool,
    /// Records it may send each second; `None` for as many as the limits of all allow.
    pub records_per_second: Option<u32>,
    /// Bytes of one request's body, if fewer than the limit of all.
    pub body_bytes: Option<usize>,
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

/// How the server runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens. Loopback by default; anything else needs tenants.
    pub listen: SocketAddr,
    /// Where other instances reach this server, as `host:port`; `None` for the address it listens on.
    pub advertised: Option<String>,
    /// Which applications run.
    pub apps: Vec<App>,
    /// Brokers, if the log is Kafka; then instances share the work. Otherwise it is embedded, and this instance is
    /// alone.
    pub kafka: Option<KafkaConfig>,
    /// Where state lives, and the embedded log; `None` keeps them in memory.
    pub data_dir: Option<PathBuf>,
    /// Whether each commit waits for the disk, so that also a power loss takes nothing.
    pub sync: bool,
    /// Partitions of every topic: the most threads that can share an application's work.
    pub partitions: i32,
    /// Stream threads of each application.
    pub threads: usize,
    /// What a crash may do to results.
    pub guarantee: ProcessingGuarantee,
    /// How often work is committed, and so becomes visible.
    pub commit_interval: Duration,
    /// Names this instance, so that it keeps its tasks when it is started again at once (KIP-345).
    pub instance_id: Option<String>,
    /// Names this instance in logs, member lists and transactional ids; made up if `None`.
    pub client_id: Option<String>,
    /// How many other instances keep the state of each task warm.
    pub standby_replicas: usize,
    /// How long raw input is kept.
    pub raw_retention: Duration,
    /// How long results are kept.
    pub result_retention: Duration,
    /// How values are written on topics.
    pub format: FormatChoice,
    /// Windows of applications whose windows are not cut as they say by themselves.
    pub windows: HashMap<App, Windows>,
    /// Who analyses.
    pub analyst: AnalystChoice,
    /// How analysts are called.
    pub calls: CallPolicy,
    /// Bounds.
    pub limits: Limits,
    /// Who may come in; if empty, whoever reaches the address.
    pub tenants: Vec<Arc<Tenant>>,
    /// Origins of pages, besides this server's own, that may use it.
    pub cors_origins: Vec<String>,
    /// Where the pose model's files are, if they are served from here.
    pub mediapipe_dir: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        let hour = Duration::from_hours(1);
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            advertised: None,
            apps: APPLICATIONS.to_vec(),
            kafka: None,
            data_dir: None,
            sync: false,
            partitions: 4,
            threads: 1,
            guarantee: ProcessingGuarantee::default(),
            commit_interval: Duration::from_millis(100),
            instance_id: None,
            client_id: None,
            standby_replicas: 0,
            raw_retention: hour,
            result_retention: hour * 24 * 7,
            format: FormatChoice::default(),
            windows: HashMap::new(),
            analyst: AnalystChoice::Offline,
            calls: CallPolicy::default(),
            limits: Limits::default(),
            tenants: Vec::new(),
            cors_origins: Vec::new(),
            mediapipe_dir: None,
        }
    }
}

impl Settings {
    /// How an application's windows are cut.
    pub fn windows(&self, app: App) -> Windows {
        self.windows.get(&app).copied().unwrap_or(app.windows)
    }

    /// The same, to be changed.
    pub fn windows_mut(&mut self, app: App) -> &mut Windows {
        self.windows.entry(app).or_insert(app.windows)
    }

    /// The applications that ship with Tidemill, and others that run here: an address of one that does not run says so.
    pub(super) fn known(&self) -> Vec<App> {
        let mut known = APPLICATIONS.to_vec();
        known.extend(self.apps.iter().filter(|app| !APPLICATIONS.contains(app)));
        known
    }

    /// What must not be, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.listen.ip().is_loopback() && self.tenants.is_empty() {
            problems.push(format!(
                "listening on {} lets everybody on the network in: add a [[tenant]] with a token, or listen on 127.0.0.1",
                self.listen
            ));
        }
        for (at, tenant) in self.tenants.iter().enumerate() {
            if tenant.token.len() < 16 {
                problems.push(format!("tenant '{}': a token has at least 16 characters", tenant.name));
            }
            if self.tenants[..at].iter().any(|other| other.token == tenant.token) {
                problems.push(format!("tenant '{}': another tenant has the same token", tenant.name));
            }
        }
        let mut taken = HashMap::new();
        for app in self.known() {
            for name in app.names() {
                match taken.get(&name) {
                    Some(other) => problems.push(format!("the applications {other} and {} both use '{name}'", app.id)),
                    None => drop(taken.insert(name, app.id)),
                }
            }
        }
        problems.extend(self.kafka.iter().flat_map(KafkaConfig::problems));
        let names = [("run.instance_id", &self.instance_id), ("run.client_id", &self.client_id)];
        for (setting, name) in names.into_iter().filter_map(|(setting, name)| Some((setting, name.as_ref()?))) {
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            if name.len() > 200 || !name.chars().all(legal) {
                problems.push(format!("{setting} may hold at most 200 ASCII letters, digits, '.', '_' and '-'"));
            }
        }
        let positive = [
            (self.partitions < 1, "run.partitions must be at least 1"),
            (self.threads < 1, "run.threads must be at least 1"),
            (self.limits.body_bytes < 1024, "limits.body must be at least 1 KiB"),
            (
                self.limits.bytes_in_flight < self.limits.body_bytes,
                "limits.in_flight must hold one body (limits.body) at least",
            ),
            (self.calls.max_attempts < 1, "analyst.attempts must be at least 1"),
            (self.calls.max_in_flight < 1, "analyst.in_flight must be at least 1"),
        ];
        problems.extend(positive.into_iter().filter(|(wrong, _)| *wrong).map(|(_, problem)| problem.to_owned()));
        problems
    }
}
