//! Settings of Kafka: rows for the most important ones, and every property of librdkafka.

use std::{collections::BTreeMap, fs, path::PathBuf};

use tidemill::transport::kafka::{GroupProtocol, KafkaConfig};

use tidemill_apps::setting::{Row, duration, list, number, path, variable};

use super::text::text;

/// Prefix of every librdkafka property among the settings.
pub(super) const PREFIX: &str = "kafka.properties.";

/// The part of `--help` about librdkafka properties.
pub(super) const HELP: &str = "
Any property of librdkafka can be set. The prefix consumer., producer. or admin. limits it to clients of that kind.
A later source overrides an earlier one:

  kafka.properties_file = \"kafka.properties\"            lines such as sasl.password=...
  [kafka.properties]                                    a table of the file: security.protocol = \"sasl_ssl\"
  TIDEMILL_KAFKA_PROPERTIES_SASL_PASSWORD               the environment
  --set kafka.properties.security.protocol=sasl_ssl     but no secrets
";

/// The settings of Kafka, as given. They are checked together.
pub(super) struct Kafka {
    brokers: Vec<String>,
    /// All settings that have a row, except the brokers.
    config: KafkaConfig,
    properties_file: Option<PathBuf>,
    properties: BTreeMap<String, String>,
}

impl Default for Kafka {
    fn default() -> Self {
        let config = KafkaConfig::new("");
        Self { brokers: Vec::new(), config, properties_file: None, properties: BTreeMap::new() }
    }
}

type Setting = Row<Kafka>;

pub(super) fn rows() -> Vec<Setting> {
    vec![
        Setting::new("kafka.brokers", "", brokers, |k| &mut k.brokers)
            .flag("brokers", "HOST:PORT")
            .help("Kafka's brokers, such as broker-1:9092,broker-2:9092; without brokers, the log is in this process"),
        Setting::new("kafka.replication_factor", "-1", number, |k| &mut k.config.replication_factor)
            .help("Copies of each topic that is created; -1 for the brokers' default"),
        Setting::choice("kafka.group_protocol", "auto", PROTOCOLS, |k| &mut k.config.group_protocol)
            .help("Protocol of the consumer group (consumer is the protocol of KIP-848)"),
        Setting::new("kafka.transaction_timeout", "10s", duration, |k| &mut k.config.transaction_timeout)
            .help("Time after which brokers abort the open transaction of a crashed instance"),
        Setting::new("kafka.properties_file", "", path, |k| &mut k.properties_file)
            .help("File with librdkafka properties, one name=value per line; put secrets there"),
    ]
}

const PROTOCOLS: &[(&str, GroupProtocol)] =
    &[("auto", GroupProtocol::Auto), ("consumer", GroupProtocol::Consumer), ("classic", GroupProtocol::Classic)];

impl Kafka {
    /// Sets a property. A later value replaces an earlier one.
    pub(super) fn take(&mut self, property: &str, value: &str) {
        self.properties.insert(property.to_owned(), value.to_owned());
    }

    /// Takes an environment variable if it names a property, and returns whether it does. No property of librdkafka has
    /// a `_` in its name, so each `_` of the variable stands for a dot.
    pub(super) fn take_variable(&mut self, name: &str, value: &str) -> bool {
        let property = name.strip_prefix(&variable(PREFIX)).filter(|property| !property.is_empty());
        if let Some(property) = property {
            self.take(&property.to_lowercase().replace('_', "."), value);
        }
        property.is_some()
    }

    /// Takes a table of properties. TOML reads a name with dots as nested tables, unless the name is quoted.
    pub(super) fn take_table(&mut self, file: &str, table: toml::Value, problems: &mut Vec<String>) {
        let toml::Value::Table(table) = table else {
            return problems.push(format!("{file}: 'kafka.properties' must be a section: [kafka.properties]"));
        };
        let mut left: Vec<(String, toml::Value)> = table.into_iter().collect();
        while let Some((name, found)) = left.pop() {
            match (text(&found), found) {
                (Some(text), _) => self.take(&name, &text),
                (None, toml::Value::Table(inner)) => {
                    left.extend(inner.into_iter().map(|(last, value)| (format!("{name}.{last}"), value)));
                }
                (None, _) => problems.push(format!("{file}: the Kafka property '{name}' must be a single value")),
            }
        }
    }

    /// Builds Kafka's configuration from all settings; `None` if there are no brokers.
    pub(super) fn choose(mut self) -> Result<Option<KafkaConfig>, Vec<String>> {
        let mut problems = self.read_properties();
        if self.brokers.is_empty() {
            if !self.properties.is_empty() {
                problems.push(
                    "Kafka properties are set, but no brokers: add --brokers HOST:PORT, or remove the properties"
                        .to_owned(),
                );
            }
            return if problems.is_empty() { Ok(None) } else { Err(problems) };
        }
        self.config.bootstrap_servers = self.brokers.join(",");
        let config = self.properties.into_iter().fold(self.config, |config, (name, value)| config.set(name, value));
        problems.extend(config.problems());
        if problems.is_empty() { Ok(Some(config)) } else { Err(problems) }
    }

    /// Adds the file's properties. Properties from other sources override them.
    fn read_properties(&mut self) -> Vec<String> {
        let Some(path) = self.properties_file.take() else { return Vec::new() };
        let file = path.display().to_string();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => return vec![format!("'kafka.properties_file' {file}: {error}")],
        };
        let mut problems = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            // The message does not repeat the line, which may hold a secret.
            let Some((name, value)) = line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) else {
                problems.push(format!("{file}, line {}: write it as name=value", at + 1));
                continue;
            };
            if name == "bootstrap.servers" {
                // Property files often name the brokers. The setting `kafka.brokers` overrides them.
                match brokers(value) {
                    Ok(found) if self.brokers.is_empty() => self.brokers = found,
                    Ok(_) => {}
                    Err(problem) => problems.push(format!("{file}, line {}: '{name}' {problem}", at + 1)),
                }
            } else {
                self.properties.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        problems
    }
}

fn brokers(text: &str) -> Result<Vec<String>, String> {
    let brokers = list(text)?;
    let is_address = |broker: &str| {
        let (host, port) = broker.rsplit_once(':')?;
        port.parse::<u16>().ok().filter(|port| *port > 0 && !host.is_empty())
    };
    match brokers.iter().find(|broker| is_address(broker).is_none()) {
        None => Ok(brokers),
        Some(wrong) => Err(format!("must be HOST:PORT, with commas between several, not '{wrong}'")),
    }
}

/// Whether a property's value must not be on a command line, which every user of the machine can read.
pub(super) fn is_secret(property: &str) -> bool {
    let is_place = ["location", "file", "keytab"].iter().any(|end| property.ends_with(end));
    let told = ["password", "secret", "passphrase", "key", "oauthbearer.config"];
    !is_place && told.iter().any(|part| property.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(kafka: &mut Kafka, name: &str, text: &str) {
        let row = rows().into_iter().find(|row| row.name == name).expect("a setting of Kafka");
        row.set(kafka, text).expect("a legal value");
    }

    fn kafka(brokers: &str, properties: &[(&str, &str)]) -> Kafka {
        let mut kafka = Kafka::default();
        apply(&mut kafka, "kafka.brokers", brokers);
        for (name, value) in properties {
            kafka.take(name, value);
        }
        kafka
    }

    #[test]
    fn a_file_comes_under_everything_else_and_may_name_the_brokers() {
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        let text = "# ours\n! theirs\n\nbootstrap.servers = a:1,b:2\nlinger.ms=5\nsasl.password = a=b=\nbroken\n";
        fs::write(file.path(), text).expect("and written");
        let path = file.path().display().to_string();
        let with_file = |mut kafka: Kafka| {
            apply(&mut kafka, "kafka.properties_file", &path);
            kafka
        };
        let mut read = with_file(kafka("", &[("linger.ms", "7")]));
        assert_eq!(read.read_properties(), [format!("{path}, line 7: write it as name=value")]);
        assert_eq!(read.brokers, ["a:1", "b:2"]);
        assert_eq!((read.properties["linger.ms"].as_str(), read.properties["sasl.password"].as_str()), ("7", "a=b="));
        let mut read = with_file(kafka("c:3", &[]));
        read.read_properties();
        assert_eq!(read.brokers, ["c:3"]);
    }

    #[test]
    fn places_of_secrets_are_none() {
        for secret in ["sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret"] {
            assert!(is_secret(secret), "{secret}");
        }
        for open in ["sasl.username", "ssl.key.location", "ssl.keystore.location", "sasl.kerberos.keytab", "linger.ms"]
        {
            assert!(!is_secret(open), "{open}");
        }
    }

    #[test]
    fn brokers_need_their_port() {
        assert_eq!(brokers("a:1, PLAINTEXT://b:2"), Ok(vec!["a:1".to_owned(), "PLAINTEXT://b:2".to_owned()]));
        assert!(brokers("a").is_err() && brokers("a:1,:2").is_err() && brokers("a:0").is_err());
    }

    #[test]
    fn properties_without_brokers_are_a_mistake() {
        let problems = kafka("", &[("linger.ms", "7")]).choose().expect_err("nobody takes them");
        assert!(problems[0].contains("--brokers"), "{problems:?}");
        assert!(Kafka::default().choose().expect("nothing is said").is_none());
    }
}
