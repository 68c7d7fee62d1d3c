//! What the user means: defaults, then the file, then the environment, then flags. All mistakes are told together.

mod kafka;
mod keys;
mod schema;
mod tenants;
mod value;

use std::{collections::BTreeMap, env, fs, path::Path};

use tidemill::server::{AnalystChoice, App, Settings};

use crate::cli::{Cli, Command, Options};

use kafka::Kafka;
pub(crate) use keys::keys_help;
use keys::{KEYS, apply};

/// Settings of the server, and what only the binary needs.
pub(crate) struct Config {
    pub(crate) settings: Settings,
    pub(crate) log_filter: String,
}

/// A value with where it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    text: String,
    by: String,
}

type Layers = BTreeMap<&'static str, Said>;

const PREFIX: &str = "TIDEMILL_";
/// Variables that are no settings.
const OTHERS: [&str; 2] = ["TIDEMILL_CONFIG", "TIDEMILL_TOKEN"];

/// Reads everything.
pub(crate) fn load(cli: &Cli) -> Result<Config, Vec<String>> {
    // What is no text is nobody's setting.
    let vars = env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text)));
    let vars = vars.filter(|(name, _)| name.starts_with(PREFIX) && !OTHERS.contains(&name.as_str()));
    let vars = vars.map(|(name, text)| (name, text.to_string_lossy().into_owned()));
    let apps = match &cli.command {
        Command::LiveInsight => vec![App::Live],
        Command::FormCoach => vec![App::Coach],
        _ => vec![App::Live, App::Coach],
    };
    let serves = !matches!(cli.command, Command::Replay(_) | Command::Describe(_) | Command::Reset(_));
    resolve(&cli.options, vars, apps, serves)
}

fn resolve(
    options: &Options,
    vars: impl Iterator<Item = (String, String)>,
    apps: Vec<App>,
    serves: bool,
) -> Result<Config, Vec<String>> {
    let mut problems = Vec::new();
    let mut said = Layers::new();
    let mut settings = Settings { apps, ..Settings::default() };
    let mut groups = keys::Groups::default();
    if let Some(path) = &options.config {
        read_file(path, &mut said, &mut settings, &mut groups.kafka, &mut problems);
    }
    for (name, text) in vars {
        let known = KEYS.iter().find(|key| variable(key.name) == name);
        match known {
            Some(key) => drop(said.insert(key.name, Said { text, by: name })),
            None if groups.kafka.take_variable(&name, &text) => {}
            None => problems.push(format!("{name}: there is no such setting; `tidemill --help` lists them")),
        }
    }
    read_flags(options, &mut said, &mut groups.kafka, &mut problems);

    let mut config = Config { settings, log_filter: "info".to_owned() };
    for (name, Said { text, by }) in &said {
        if let Err(problem) = apply(name, text, &mut config, &mut groups) {
            problems.push(format!("{by}: '{name}' {problem}"));
        }
    }
    match groups.schema.choose() {
        Ok(chosen) => config.settings.format = chosen,
        // Commands that read and write no topic need no registry.
        Err(_) if !serves => {}
        Err(wrong) => problems.extend(wrong),
    }
    match groups.analyst.choose() {
        Ok(chosen) => config.settings.analyst = chosen,
        // Commands that call nobody need no key.
        Err(_) if !serves => config.settings.analyst = AnalystChoice::Offline,
        Err(problem) => problems.push(problem),
    }
    match groups.kafka.choose() {
        Ok(chosen) => config.settings.kafka = chosen,
        Err(wrong) => problems.extend(wrong),
    }
    if serves {
        problems.extend(config.settings.problems());
    }
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

fn read_flags(options: &Options, said: &mut Layers, kafka: &mut Kafka, problems: &mut Vec<String>) {
    let flags = [
        ("kafka.brokers", "--brokers", &options.brokers),
        ("run.guarantee", "--guarantee", &options.guarantee),
        ("server.listen", "--listen", &options.listen),
        ("data.dir", "--data-dir", &options.data_dir),
        ("run.threads", "--threads", &options.threads),
        ("analyst.kind", "--analyst", &options.analyst),
        ("log.filter", "--log", &options.log),
    ];
    for pair in &options.set {
        let Some((name, text)) = pair.split_once('=') else {
            problems.push(format!("--set {pair}: write it as KEY=VALUE"));
            continue;
        };
        if let Some(property) = name.strip_prefix(kafka::PREFIX) {
            if kafka::is_secret(property) {
                let instead = format!("{} or 'kafka.properties_file'", variable(name));
                problems.push(format!("--set {name}: everybody on this machine could read it; use {instead}"));
            } else {
                kafka.take(property, text);
            }
            continue;
        }
        match KEYS.iter().find(|key| key.name == name) {
            Some(key) if key.secret => {
                problems.push(format!("--set {name}: everybody on this machine could read it; use {}", variable(name)));
            }
            Some(key) => drop(said.insert(key.name, Said { text: text.to_owned(), by: "--set".to_owned() })),
            None => problems.push(format!("--set {name}: there is no such setting{}", keys::suggestion(name))),
        }
    }
    for (name, flag, text) in flags {
        if let Some(text) = text.clone() {
            said.insert(name, Said { text, by: flag.to_owned() });
        }
    }
}

fn read_file(path: &Path, said: &mut Layers, settings: &mut Settings, kafka: &mut Kafka, problems: &mut Vec<String>) {
    let file = path.display().to_string();
    let table = match fs::read_to_string(path).map(|text| text.parse::<toml::Table>()) {
        Ok(Ok(table)) => table,
        Ok(Err(error)) => return problems.push(format!("{file}: {}", error.to_string().trim_end())),
        Err(error) => return problems.push(format!("{file}: {error}")),
    };
    for (section, value) in table {
        match (section.as_str(), value) {
            ("tenant", tenants) => tenants::read(&file, tenants, settings, problems),
            (_, toml::Value::Table(values)) => {
                for (name, value) in values {
                    let name = format!("{section}.{name}");
                    if name == "kafka.properties" {
                        kafka.take_table(&file, value, problems);
                        continue;
                    }
                    match (KEYS.iter().find(|key| key.name == name), value::text(&value)) {
                        (Some(key), Some(text)) => drop(said.insert(key.name, Said { text, by: file.clone() })),
                        (Some(_), None) => problems.push(format!("{file}: '{name}' must be a single value")),
                        (None, _) => {
                            problems.push(format!("{file}: there is no setting '{name}'{}", keys::suggestion(&name)));
                        }
                    }
                }
            }
            _ => problems.push(format!("{file}: '{section}' must be a section, such as [server]")),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemill::{ProcessingGuarantee, transport::kafka::KafkaConfig};

    use super::*;

    fn options(file: Option<&Path>, set: &[&str]) -> Options {
        Options {
            config: file.map(Path::to_owned),
            set: set.iter().map(|pair| (*pair).to_owned()).collect(),
            ..Options::default()
        }
    }

    fn vars(vars: &[(&str, &str)]) -> std::vec::IntoIter<(String, String)> {
        vars.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Vec<_>>().into_iter()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        fs::write(file.path(), text).expect("and written");
        file
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = file("[run]\nthreads = 2\npartitions = 8\n[live]\nwindow = \"30s\"\ngrace = \"1s\"\n");
        let set = options(Some(file.path()), &["live.window=10s"]);
        let vars = vars(&[("TIDEMILL_LIVE_WINDOW", "20s"), ("TIDEMILL_RUN_THREADS", "3")]);
        let config = resolve(&set, vars, vec![App::Live], true).expect("valid");
        let Settings { threads, partitions, live, .. } = config.settings;
        assert_eq!((threads, partitions), (3, 8));
        assert_eq!((live.window.as_secs(), live.grace.as_secs()), (10, 1));
    }

    #[test]
    fn all_mistakes_are_told_together() {
        let file = file(
            "[server]\nlisten = \"0.0.0.0:80\"\n[run]\nthread = 2\n[live]\nwindow = \"soon\"\n\
             [[tenant]]\nname = \"a\"\ntokn = \"x\"\n",
        );
        let vars = vars(&[("TIDEMILL_RUN_PARTITIONS", "none"), ("TIDEMILL_ELSE", "1")]);
        let set =
            options(Some(file.path()), &["analyst.kind=gemini", "analyst.api_key=x", "schema.format=avro", "oops"]);
        let problems = resolve(&set, vars, vec![App::Live], true).err().expect("invalid");
        for part in [
            "'run.thread', do you mean 'run.threads'",
            "'live.window'",
            "'tokn'",
            "token",
            "'run.partitions'",
            "TIDEMILL_ELSE",
            "api_key",
            "--set oops",
            "--set analyst.api_key",
            "lets everybody",
            "schema.registry",
        ] {
            assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:#?}");
        }
    }

    #[test]
    fn mistakes_about_kafka_are_told_with_the_others_and_secrets_never() {
        let file = file(
            "[kafka]\nbrokers = [\"a:1\", \"b\"]\ngroup_protocol = \"static\"\n[kafka.properties]\n\
             sasl.pasword = \"hunter2\"\n\"group.id\" = \"mine\"\nlinger.ms = [1]\n",
        );
        let vars = vars(&[
            ("TIDEMILL_KAFKA_BROKERS", "a:1"),
            ("TIDEMILL_KAFKA_PROPERTIES_SSL_KEY_PASSWORDS", "hunter2"),
            ("TIDEMILL_KAFKA_PROPERTIES_FILE", "/nowhere/kafka.properties"),
            ("TIDEMILL_KAFKA_TRANSACTION_TIMEOUT", "soon"),
            ("TIDEMILL_RUN_GUARANTEE", "at-most-once"),
        ]);
        let set = options(
            Some(file.path()),
            &[
                "kafka.properties.sasl.password=hunter2",
                "kafka.replication_factor=many",
                "run.client_id=a/b",
                "live.window=soon",
            ],
        );
        let problems = resolve(&set, vars, vec![App::Live], true).err().expect("invalid");
        for part in [
            "'kafka.group_protocol' must be auto, consumer or classic",
            "'sasl.pasword' is not accepted",
            "'group.id' cannot be set: it is decided by the application id",
            "'linger.ms' must be a single value",
            "'ssl.key.passwords' is not accepted",
            "/nowhere/kafka.properties",
            "TIDEMILL_KAFKA_TRANSACTION_TIMEOUT: 'kafka.transaction_timeout' must be a duration",
            "exactly-once or at-least-once",
            "use TIDEMILL_KAFKA_PROPERTIES_SASL_PASSWORD or 'kafka.properties_file'",
            "'kafka.replication_factor' must be a whole number",
            "run.client_id may hold",
            "'live.window'",
        ] {
            assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:#?}");
        }
        assert_eq!(problems.len(), 12, "{problems:#?}");
        assert!(!format!("{problems:?}").contains("hunter2"));
    }

    #[test]
    fn properties_of_kafka_come_from_everywhere_and_no_print_shows_them() {
        let properties = file("sasl.password = hunter2\nbootstrap.servers = z:9\nlinger.ms = 1\n");
        let table = file(&format!(
            "[kafka]\nproperties_file = {:?}\n[kafka.properties]\nsecurity.protocol = \"sasl_ssl\"\n\
             \"sasl.username\" = \"mill\"\nlinger.ms = 2\n",
            properties.path().display().to_string()
        ));
        let vars = vars(&[
            ("TIDEMILL_KAFKA_PROPERTIES_SASL_MECHANISM", "PLAIN"),
            ("TIDEMILL_KAFKA_PROPERTIES_SSL_KEY_PASSWORD", "hunter3"),
            ("TIDEMILL_KAFKA_PROPERTIES_PRODUCER_LINGER_MS", "3"),
        ]);
        let set =
            ["kafka.brokers=a:1,b:2", "kafka.properties.consumer.fetch.min.bytes=7", "run.guarantee=at-least-once"];
        let config = resolve(&options(Some(table.path()), &set), vars, vec![App::Live], true);
        let settings = config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings;
        let expected = KafkaConfig::new("a:1,b:2")
            .set("sasl.password", "hunter2")
            .set("security.protocol", "sasl_ssl")
            .set("sasl.username", "mill")
            .set("linger.ms", "2")
            .set("sasl.mechanism", "PLAIN")
            .set("ssl.key.password", "hunter3")
            .set("producer.linger.ms", "3")
            .set("consumer.fetch.min.bytes", "7");
        assert!(settings.kafka == Some(expected), "{:?}", settings.kafka);
        assert_eq!(settings.guarantee, ProcessingGuarantee::AtLeastOnce);
        assert!(!format!("{settings:?}").contains("hunter"));
    }

    #[test]
    fn every_key_has_a_variable_and_takes_its_default() {
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            let vars = vars(&[(&variable(key.name), key.default)]);
            assert!(resolve(&options(None, &[]), vars, vec![App::Live], true).is_ok(), "{}", key.name);
        }
    }
}
