//! Every setting: its name, what it does, how its text becomes a value.

use std::{fmt::Write as _, fs, path::PathBuf, time::Duration};

use tidemill::{
    ProcessingGuarantee,
    apps::gemini::{ENDPOINT, GeminiSettings, MODEL},
    server::AnalystChoice,
};
use tracing_subscriber::EnvFilter;

use super::{
    Config,
    kafka::Kafka,
    schema::Schema,
    value::{bytes, duration, list, number, switch},
};

/// A setting.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    help: &'static str,
    /// Never on a command line, where everybody on the machine can read it.
    pub(crate) secret: bool,
}

const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key { name, default, help, secret: false }
}

/// All settings.
pub(crate) const KEYS: &[Key] = &[
    key("server.listen", "127.0.0.1:8080", "address; beyond this machine only with [[tenant]]s"),
    key("server.advertise", "", "host:port at which other instances reach the server; empty for server.listen"),
    key("server.cors", "", "origins of other sites' pages that may use the server"),
    key("kafka.brokers", "", "HOST:PORT of Kafka's brokers, with commas; empty runs on the embedded log"),
    key("kafka.replication_factor", "-1", "copies of each topic that is created; -1 for the brokers' default"),
    key("kafka.group_protocol", "auto", "how instances share partitions: auto, consumer (KIP-848) or classic"),
    key("kafka.transaction_timeout", "10s", "after this, brokers end what a crashed instance left open"),
    key("kafka.properties_file", "", "file with librdkafka's properties, a name=value each line; secrets go there"),
    key("data.dir", "", "folder for state, and the embedded log; empty keeps them in memory"),
    key("data.sync", "false", "wait for the disk at each commit, so that a power loss takes nothing"),
    key("data.raw_retention", "1h", "how long chat, speech and frames are kept"),
    key("data.result_retention", "7d", "how long insights, clips, alerts and feedback are kept"),
    key("run.threads", "1", "stream threads of each application"),
    key("run.guarantee", "exactly-once", "what a crash may do to results: exactly-once or at-least-once"),
    key("run.commit_interval", "100ms", "how often work is committed, and so becomes visible"),
    key("run.instance_id", "", "name of this instance; started again at once under it, it keeps its tasks"),
    key("run.client_id", "", "name of this instance in member lists; made up if empty"),
    key("run.standby_replicas", "0", "other instances that keep each task's state warm"),
    key("run.partitions", "4", "partitions of each topic, fixed when it is created"),
    key("schema.format", "json", "how values are written on topics: json or avro"),
    key("schema.registry", "", "address of the schema registry, for avro"),
    key("schema.user", "", "user at the schema registry"),
    Key { secret: true, ..key("schema.password", "", "the user's password") },
    key("schema.password_file", "", "file that holds the user's password"),
    key("schema.timeout", "10s", "how long a start waits for a registry that does not answer"),
    key("live.window", "60s", "length of live insight's windows"),
    key("live.grace", "2s", "how late chat and speech may come"),
    key("live.idle_after", "5s", "after so long a silence the clock moves the stream's time on, and so closes windows"),
    key("coach.window", "3s", "length of form coach's windows"),
    key("coach.grace", "500ms", "how late frames may come"),
    key("coach.idle_after", "500ms", "likewise, of an athlete"),
    key("analyst.kind", "offline", "who analyses windows: offline or gemini"),
    key("analyst.model", MODEL, "Gemini's model"),
    key("analyst.endpoint", ENDPOINT, "Gemini's address"),
    Key { secret: true, ..key("analyst.api_key", "", "Gemini's key") },
    key("analyst.api_key_file", "", "file that holds Gemini's key"),
    key("analyst.timeout", "30s", "how long an answer may take"),
    key("analyst.attempts", "4", "how often an answer is asked for"),
    key("analyst.in_flight", "16", "calls at the same time, for each application"),
    key("limits.body", "1MiB", "size of one request's body"),
    key("limits.in_flight", "64MiB", "size of all bodies that are being taken in"),
    key("limits.lag_records", "200000", "records that may wait before senders must"),
    key("limits.event_streams", "2000", "pages that may follow results at the same time"),
    key("pages.mediapipe_dir", "", "folder with the pose model's files"),
    key("log.filter", "info", "what is logged, such as info or tidemill=debug"),
];

/// The analyst's settings, which make sense only together.
#[derive(Debug)]
pub(super) struct Analyst {
    gemini: bool,
    model: String,
    endpoint: String,
    key: Option<String>,
    key_file: Option<PathBuf>,
    timeout: Duration,
}

impl Default for Analyst {
    fn default() -> Self {
        let (model, endpoint, timeout) = (MODEL.to_owned(), ENDPOINT.to_owned(), Duration::from_secs(30));
        Self { gemini: false, model, endpoint, key: None, key_file: None, timeout }
    }
}

impl Analyst {
    pub(super) fn choose(self) -> Result<AnalystChoice, String> {
        if !self.gemini {
            return Ok(AnalystChoice::Offline);
        }
        let api_key = match (self.key, self.key_file) {
            (Some(key), _) => key,
            (None, Some(file)) => {
                let read = fs::read_to_string(&file);
                read.map_err(|error| format!("'analyst.api_key_file' {}: {error}", file.display()))?
            }
            (None, None) => {
                return Err("analyst gemini needs TIDEMILL_ANALYST_API_KEY, or 'analyst.api_key_file'".to_owned());
            }
        };
        let api_key = api_key.trim().to_owned();
        let is_fit = !api_key.is_empty() && api_key.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_fit {
            return Err("the key of analyst gemini is empty or has characters that no key has".to_owned());
        }
        let Self { model, endpoint, timeout, .. } = self;
        Ok(AnalystChoice::Gemini(GeminiSettings { endpoint, model, api_key, timeout }))
    }
}

/// Settings that make sense only together.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) analyst: Analyst,
    pub(super) kafka: Kafka,
    pub(super) schema: Schema,
}

/// Sets one value.
pub(super) fn apply(name: &str, text: &str, config: &mut Config, groups: &mut Groups) -> Result<(), String> {
    let Groups { analyst, kafka, schema } = groups;
    if name.starts_with("kafka.") {
        return kafka.apply(name, text);
    }
    if name.starts_with("schema.") {
        return schema.apply(name, text);
    }
    let settings = &mut config.settings;
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    let name_of = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    match name {
        "server.listen" => {
            settings.listen =
                text.parse().map_err(|_| format!("must be an address such as 127.0.0.1:8080, not '{text}'"))?;
        }
        "server.advertise" => settings.advertised = (!text.is_empty()).then(|| text.to_owned()),
        "server.cors" => settings.cors_origins = list(text),
        "data.dir" => settings.data_dir = path(text),
        "data.sync" => settings.sync = switch(text)?,
        "data.raw_retention" => settings.raw_retention = duration(text)?,
        "data.result_retention" => settings.result_retention = duration(text)?,
        "run.threads" => settings.threads = number(text)?,
        "run.guarantee" => {
            settings.guarantee = match text {
                "exactly-once" => ProcessingGuarantee::ExactlyOnce,
                "at-least-once" => ProcessingGuarantee::AtLeastOnce,
                _ => return Err(format!("must be exactly-once or at-least-once, not '{text}'")),
            };
        }
        "run.commit_interval" => settings.commit_interval = duration(text)?,
        "run.instance_id" => settings.instance_id = name_of(text),
        "run.client_id" => settings.client_id = name_of(text),
        "run.standby_replicas" => settings.standby_replicas = number(text)?,
        "run.partitions" => settings.partitions = number(text)?,
        "live.window" => settings.live.window = duration(text)?,
        "live.grace" => settings.live.grace = duration(text)?,
        "live.idle_after" => settings.live.idle_after = duration(text)?,
        "coach.window" => settings.coach.window = duration(text)?,
        "coach.grace" => settings.coach.grace = duration(text)?,
        "coach.idle_after" => settings.coach.idle_after = duration(text)?,
        "analyst.kind" => {
            analyst.gemini = match text {
                "offline" => false,
                "gemini" => true,
                _ => return Err(format!("must be offline or gemini, not '{text}'")),
            };
        }
        "analyst.model" => {
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if text.is_empty() || !text.chars().all(is_name) {
                return Err(format!("must be a model's name, not '{text}'"));
            }
            text.clone_into(&mut analyst.model);
        }
        "analyst.endpoint" => {
            let is_local =
                ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|at| text.starts_with(at));
            if !text.starts_with("https://") && !is_local {
                return Err("must begin with https://, or the key would travel unencrypted".to_owned());
            }
            text.clone_into(&mut analyst.endpoint);
        }
        "analyst.api_key" => analyst.key = Some(text.to_owned()).filter(|key| !key.is_empty()),
        "analyst.api_key_file" => analyst.key_file = path(text),
        "analyst.timeout" => {
            analyst.timeout = duration(text)?;
            settings.calls.timeout = analyst.timeout;
        }
        "analyst.attempts" => settings.calls.max_attempts = number(text)?,
        "analyst.in_flight" => settings.calls.max_in_flight = number(text)?,
        "limits.body" => settings.limits.body_bytes = bytes(text)?,
        "limits.in_flight" => settings.limits.bytes_in_flight = bytes(text)?,
        "limits.lag_records" => settings.limits.lag_records = number(text)?,
        "limits.event_streams" => settings.limits.event_streams = number(text)?,
        "pages.mediapipe_dir" => settings.mediapipe_dir = path(text),
        "log.filter" => {
            EnvFilter::try_new(text).map_err(|error| format!("is no filter: {error}"))?;
            text.clone_into(&mut config.log_filter);
        }
        _ => return Err("is listed but not known: this is a bug".to_owned()),
    }
    Ok(())
}

/// The list of settings for `--help`.
pub(crate) fn keys_help() -> String {
    let mut text = String::from(
        "Settings come from a TOML file ([section] and key), then TIDEMILL_SECTION_KEY of the environment, then flags:\n\
         what comes later wins.\n\n",
    );
    for Key { name, default, help, .. } in KEYS {
        let default = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:26} {help}{default}");
    }
    text.push_str(super::kafka::HELP);
    text.push_str(
        "\nWho may come in, in the file:\n\n  [[tenant]]\n  name = \"ada\"\n  token_file = \"ada.token\"   # or token, or token_env\n  \
         streams = [\"ada\", \"ada-*\"]\n  users = []\n  admin = false\n  records_per_second = 2000\n",
    );
    text
}

/// The setting that was meant, if one is near.
pub(super) fn suggestion(name: &str) -> String {
    let near = KEYS.iter().map(|key| (distance(name, key.name), key.name)).min();
    near.filter(|(far, _)| *far <= 3).map_or_else(String::new, |(_, key)| format!(", do you mean '{key}'?"))
}

/// How many characters must be changed, added or left out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let change = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}
