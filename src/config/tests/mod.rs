//! Settings from all sources together.

mod models;

use std::{fs, path::Path};

use clap::Parser as _;
use tidemill::{ProcessingGuarantee, transport::kafka::KafkaConfig};
use tidemill_apps::{
    apps::{APPLICATIONS, WindowEnds},
    server::FormatChoice,
    setting::{CommandLine, variable},
};
use tidemill_schemas::avro::RegistrySettings;

use super::{rows::rows, *};

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
    let config = resolve(&set, vars, vec![APPLICATIONS[0]], true).expect("valid");
    let live = config.settings.windows(APPLICATIONS[0]);
    let Settings { threads, partitions, .. } = config.settings;
    assert_eq!((threads, partitions), (3, 8));
    assert_eq!((live.window.as_secs(), live.grace.as_secs()), (10, 1));
}

#[test]
fn a_variable_of_something_else_stops_nothing() {
    let vars = vars(&[("TIDEMILL_SERVICE_HOST", "10.0.0.1"), ("TIDEMILL_SERVER_PORT", "tcp://10.0.0.1:8080")]);
    let config = resolve(&options(None, &[]), vars, vec![APPLICATIONS[0]], true).expect("valid");
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
    assert!(config.warnings[0].starts_with("TIDEMILL_SERVICE_HOST: there is no such setting;"));
}

#[test]
fn a_variable_that_names_a_program_is_no_setting_and_no_mistake() {
    let vars = vars(&[("TIDEMILL_YT_DLP", "/opt/yt-dlp"), ("TIDEMILL_FFMPEG", "/opt/ffmpeg")]);
    let config = resolve(&options(None, &[]), vars, vec![APPLICATIONS[0]], true).expect("valid");
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn a_server_listens_on_a_name() {
    let config = resolve(&options(None, &["server.listen=localhost:8080"]), vars(&[]), vec![APPLICATIONS[0]], true);
    assert_eq!(config.expect("valid").settings.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn what_no_machine_has_is_refused() {
    let cases = [("run.threads=99999", "between 1 and 256"), ("run.partitions=100000000", "between 1 and 1000")];
    for (setting, part) in cases {
        let problems = resolve(&options(None, &[setting]), vars(&[]), vec![APPLICATIONS[0]], true).err();
        let problems = problems.expect("refused");
        assert!(problems.iter().any(|problem| problem.contains(part)), "{problems:?}");
    }
}

#[test]
fn all_mistakes_are_told_together() {
    let file = file(
        "[server]\nlisten = \"0.0.0.0:80\"\n[run]\nthread = 2\n[live]\nwindow = \"soon\"\n\
         [[tenant]]\nname = \"a\"\ntokn = \"x\"\n",
    );
    let vars = vars(&[("TIDEMILL_RUN_PARTITIONS", "none"), ("TIDEMILL_RUN_THREAD", "1")]);
    let set = options(Some(file.path()), &["analyst.kind=gemini", "analyst.api_key=x", "schema.format=avro", "oops"]);
    let problems = resolve(&set, vars, vec![APPLICATIONS[0]], true).err().expect("invalid");
    for part in [
        "'run.thread', do you mean 'run.threads'",
        "'live.window'",
        "'tokn'",
        "token",
        "'run.partitions'",
        "TIDEMILL_RUN_THREAD: there is no such setting, do you mean 'TIDEMILL_RUN_THREADS'?",
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
fn windows_end_by_the_word_that_is_given_and_a_wrong_word_is_told_with_the_choices() {
    let coach = APPLICATIONS[1];
    let ends = |file: Option<&Path>, set: &[&str], variables: &[(&str, &str)]| {
        resolve(&options(file, set), vars(variables), vec![coach], true)
            .map(|config| config.settings.windows(coach).ends)
    };
    assert_eq!(ends(None, &[], &[]), Ok(WindowEnds::AfterLength));
    let file = file("[coach]\nwindows = \"repetition\"\n");
    assert_eq!(ends(Some(file.path()), &[], &[]), Ok(WindowEnds::WithContent));
    assert_eq!(ends(None, &[], &[("TIDEMILL_COACH_WINDOWS", "repetition")]), Ok(WindowEnds::WithContent));
    assert_eq!(ends(Some(file.path()), &["coach.windows=fixed"], &[]), Ok(WindowEnds::AfterLength));
    let problems = ends(None, &["coach.windows=reps", "coach.grace=soon"], &[]).expect_err("invalid");
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(
        problems
            .iter()
            .any(|one| one.contains("coach.windows") && one.contains("must be fixed or repetition, not 'reps'")),
        "{problems:#?}"
    );
}

#[test]
fn settings_that_would_do_nothing_are_told_together_and_before_the_start() {
    let file = file(
        "[server]\ncors = [\"*\"]\n[live]\nwindow = \"0s\"\n[limits]\nlag_records = 0\nevent_streams = 0\n\
         [pages]\nmediapipe_dir = \"/nope\"\n[[tenant]]\nname = \"a\"\ntoken = \"a-token-with-an-\u{e9}\"\n\
         [[tenant]]\nname = \"b\"\ntoken = \"a-token-of-tenant-b\"\nstreams = [\"a*b\"]\n",
    );
    let problems = resolve(&options(Some(file.path()), &[]), vars(&[]), vec![APPLICATIONS[0]], true).err();
    let problems = problems.expect("invalid");
    for part in [
        "server.cors does not take '*'",
        "'live.window' must be longer than nothing",
        "'limits.lag_records'",
        "'limits.event_streams'",
        "/nope",
        "tenant 'a': its token opens nothing",
        "tenant 'a': a header cannot carry its token",
        "tenant 'b': 'a*b' opens nothing",
    ] {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:#?}");
    }
    assert_eq!(problems.len(), 8, "{problems:#?}");
    // A plan needs windows, too, but no tenants.
    let problems = resolve(&options(Some(file.path()), &[]), vars(&[]), vec![APPLICATIONS[0]], false).err();
    assert_eq!(problems.expect("invalid").len(), 1);
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
    let problems = resolve(&set, vars, vec![APPLICATIONS[0]], true).err().expect("invalid");
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
    let set = ["kafka.brokers=a:1,b:2", "kafka.properties.consumer.fetch.min.bytes=7", "run.guarantee=at-least-once"];
    let config = resolve(&options(Some(table.path()), &set), vars, vec![APPLICATIONS[0]], true);
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
    for row in rows().iter().filter(|row| !row.default.is_empty()) {
        let vars = vars(&[(&variable(row.name), row.default)]);
        assert!(resolve(&options(None, &[]), vars, vec![APPLICATIONS[0]], true).is_ok(), "{}", row.name);
    }
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

/// Options of a command line.
fn typed(line: &str) -> Options {
    Line::parse_from(line.split(' ')).options
}

/// All effective values, as text.
fn in_force(said: &[(&str, &str)]) -> String {
    let said: Vec<_> = said.iter().map(|(setting, text)| (variable(setting), (*text).to_owned())).collect();
    let config = resolve(&Options::default(), said.into_iter(), APPLICATIONS.to_vec(), true);
    let Config { settings, log_filter, .. } = config.unwrap_or_else(|problems| panic!("{problems:#?}"));
    format!("{settings:?} {log_filter}")
}

#[test]
fn the_default_that_is_stated_is_the_one_that_holds() {
    // The settings without brokers, registry and model, and with them.
    let full = [
        ("kafka.brokers", "a:1"),
        ("schema.format", "avro"),
        ("schema.registry", "http://localhost:8081"),
        ("schema.user", "ada"),
        ("schema.password", "open sesame"),
        ("analyst.kind", "gemini"),
        ("analyst.api_key", "sesame"),
    ];
    for said in [&[][..], &full] {
        for row in rows().iter().filter(|row| said.iter().all(|(name, _)| *name != row.name)) {
            let with_default = [said, &[(row.name, row.default)]].concat();
            assert_eq!(in_force(said), in_force(&with_default), "{}", row.name);
        }
    }
}

#[test]
fn help_lists_every_setting_with_its_default_and_its_flag() {
    let help = help();
    for row in rows() {
        let begin = format!("  {:26} ", row.name);
        let lines: Vec<&str> = help.lines().filter(|line| line.starts_with(&begin)).collect();
        let [line] = lines[..] else { panic!("{} is on the lines {lines:?}", row.name) };
        let flag = match row.command_line {
            CommandLine::Flag { long, .. } => format!(" [--{long}]"),
            CommandLine::Set => String::new(),
            CommandLine::Never => " [never on a command line]".to_owned(),
        };
        assert_eq!(line, format!("{begin}{}{flag}", row.to_help()));
        assert!(row.to_help().starts_with(char::is_uppercase), "{line}");
        assert_eq!(row.to_help().contains(&format!("[default: {}]", row.default)), !row.default.is_empty(), "{line}");
    }
}

#[test]
fn the_binary_and_the_library_have_the_same_defaults() {
    assert_eq!(in_force(&[]), format!("{:?} info", Settings::default()));
    let full = vars(&[
        ("TIDEMILL_KAFKA_BROKERS", "a:1"),
        ("TIDEMILL_SCHEMA_FORMAT", "avro"),
        ("TIDEMILL_SCHEMA_REGISTRY", "http://localhost:8081"),
    ]);
    let config = resolve(&Options::default(), full, vec![APPLICATIONS[0]], true);
    let settings = config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings;
    assert_eq!(settings.kafka, Some(KafkaConfig::new("a:1")));
    assert_eq!(settings.format, FormatChoice::Avro(RegistrySettings::new("http://localhost:8081")));
}

#[test]
fn a_flag_wins_over_a_set_and_names_itself_in_errors() {
    let none = || vars(&[]);
    let options = typed("tidemill --threads 3 --set run.threads=2 --set run.partitions=8");
    let config = resolve(&options, none(), vec![APPLICATIONS[0]], true);
    let settings = config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings;
    assert_eq!((settings.threads, settings.partitions), (3, 8));
    let problems = resolve(&typed("tidemill --threads many"), none(), vec![APPLICATIONS[0]], true).err();
    assert_eq!(problems, Some(vec!["--threads: 'run.threads' must be a whole number, not 'many'".to_owned()]));
}

#[test]
fn no_secret_is_taken_from_a_command_line() {
    let rows = rows();
    let secrets = rows.iter().filter(|row| row.command_line == CommandLine::Never);
    let secrets: Vec<&str> = secrets.map(|row| row.name).collect();
    assert_eq!(
        secrets,
        ["schema.password", "analyst.api_key", "sources.youtube_key", "sources.twitch_token", "sources.speech_key"]
    );
    for name in secrets {
        let set = format!("{name}=hunter2");
        let problems = resolve(&options(None, &[&set]), vars(&[]), vec![APPLICATIONS[0]], true).err().expect("refused");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with(&format!("use {}", variable(name))), "{problems:?}");
    }
}

#[test]
fn the_readme_names_no_setting_that_does_not_exist() {
    let rows = rows();
    let sections: Vec<&str> = rows.iter().filter_map(|row| row.name.split('.').next()).collect();
    // Names in Rust code have dots, too.
    let prose = include_str!("../../../README.md").split("```").filter(|block| !block.starts_with("rust"));
    let is_part = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '_');
    let mut named = 0;
    for word in prose.flat_map(|block| block.split(|c| !is_part(c))).map(|word| word.trim_matches('.')) {
        let Some((section, key)) = word.split_once('.') else { continue };
        if sections.contains(&section) && key != "png" {
            named += 1;
            assert!(word == "kafka.properties" || rows.iter().any(|row| row.name == word), "{word}");
        }
    }
    assert!(named > 10, "only {named} settings were found in it");
}

#[test]
fn speech_needs_windows_that_wait_for_it() {
    let resolved = |set: &[&str]| resolve(&options(None, set), vars(&[]), vec![APPLICATIONS[0]], true);
    let config = resolved(&["sources.speech=pocketsphinx"]).expect("valid");
    assert!(config.warnings.iter().any(|warning| warning.contains("'live.grace'")), "{:?}", config.warnings);
    let config = resolved(&["sources.speech=pocketsphinx", "live.grace=1m"]).expect("valid");
    assert_eq!(config.warnings, Vec::<String>::new());
    let config = resolved(&["sources.captions=only"]).expect("valid");
    assert!(config.warnings.iter().any(|warning| warning.contains("'live.grace'")), "{:?}", config.warnings);
    let problems = resolved(&["sources.speech=openai"]).err().expect("it has no address");
    assert!(problems[0].contains("'sources.speech_endpoint'"), "{problems:?}");
}
