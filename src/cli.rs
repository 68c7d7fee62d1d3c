//! The command line: commands and options.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use tidemill_apps::{
    apps::{APPLICATIONS, App},
    setting::amount,
};

use crate::config::{LOG, Options, SET, help};

/// Stream processing with model calls, in one program: live insight for streamers, form coach for athletes.
///
/// Begin with `tidemill demo`. It runs both applications, plays recorded events into them, and prints the addresses of
/// their pages. Everything is in memory unless you name a folder.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, max_term_width = 110, after_long_help = help())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) options: Options,
}

impl Cli {
    /// Reads the program's arguments, or ends it with help.
    pub(crate) fn read() -> Self {
        Self::try_read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Keeps the values of `--set` before the command and after it. For a global argument, clap would keep only the
    /// values after the command.
    fn try_read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let command = with_applications(Self::command());
        let set = command.get_arguments().find(|argument| argument.get_id() == SET).cloned();
        let command = command.mut_subcommands(|command| command.args(&set));
        let command = command.mut_subcommand(PROMPTS, |prompts| prompts.mut_subcommands(|command| command.args(&set)));
        let command =
            command.mut_subcommand(REPLAY, |replay| without_server(replay).mut_arg(SET, |set| set.hide(true)));
        let command = command.mut_subcommand(DLQ, |dlq| {
            without_server(dlq).mut_arg(SET, |set| set.hide(true)).mut_subcommands(without_server)
        });
        let matches = command.try_get_matches_from(arguments)?;
        let run = APPLICATIONS.into_iter().find(|app| matches.subcommand_name() == Some(app.id));
        let mut cli = match run {
            Some(app) => Self { command: Command::Run(app), options: Options::from_arg_matches(&matches)? },
            None => Self::from_arg_matches(&matches)?,
        };
        let mut behind = matches.subcommand();
        while let Some((_, matches)) = behind {
            cli.options.set.extend(matches.try_get_many::<String>(SET).ok().flatten().into_iter().flatten().cloned());
            behind = matches.subcommand();
        }
        Ok(cli)
    }
}

const REPLAY: &str = "replay";
const PROMPTS: &str = "prompts";
const DLQ: &str = "dlq";

/// Hides the server's options from a command that runs without a server.
fn without_server(command: clap::Command) -> clap::Command {
    let options = Options::augment_args(clap::Command::new("options"));
    let hidden = options.get_arguments().filter(|option| !["config", LOG, SET].contains(&option.get_id().as_str()));
    let hidden: Vec<_> = hidden.map(|option| option.clone().hide(true)).collect();
    command.args(hidden)
}

/// Adds a command for each application, before all others.
fn with_applications(command: clap::Command) -> clap::Command {
    let mut place = APPLICATIONS.len();
    let command = command.mut_subcommands(|command| {
        place += 1;
        command.display_order(place)
    });
    let ids = APPLICATIONS.map(|app| app.id).join(" or ");
    let command = command.mut_subcommand("describe", |describe| {
        describe.mut_arg("application", |name| name.help(format!("{ids}; without an id, both")))
    });
    APPLICATIONS.into_iter().enumerate().fold(command, |command, (place, app)| {
        let run = clap::Command::new(app.id).about(app.about).display_order(place);
        let is_short = app.help.is_empty();
        command.subcommand(if is_short { run } else { run.long_about(format!("{}\n\n{}", app.about, app.help)) })
    })
}

/// The program's commands.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Run one application: the command has the application's id
    #[command(skip)]
    Run(App),
    /// Run both applications
    Serve,
    /// Run both applications and play recordings into them
    ///
    /// With --data-dir FOLDER, a demo that was killed continues where it stopped, and its results are the same as
    /// without the kill. The folder must hold nothing else. After the last recording, or with other recordings or
    /// windows, the demo empties the folder and starts from the beginning. A demo keeps windows open for at least five seconds of
    /// silence.
    Demo(DemoOptions),
    /// Play recordings into a running server
    Replay(ReplayOptions),
    /// List calls without an answer and records that could not be processed; ask or process them again
    ///
    /// A call whose model never answered is kept as a dead letter (dead letter queue, DLQ), as long as raw events are
    /// (`data.raw_retention`). Each can be asked again, once.
    Dlq(DlqOptions),
    /// List the prompts of this program, show one, or compare one with another by recorded requests
    Prompts(PromptsOptions),
    /// Print an application's plan: subtopologies, stores, topics
    Describe(DescribeOptions),
    /// Delete the applications' data: log and state in the data folder; on Kafka, internal topics, offsets and state
    Reset(ResetOptions),
}

impl Command {
    /// The applications that the command runs.
    pub(crate) fn apps(&self) -> Vec<App> {
        match self {
            Self::Run(app) => vec![*app],
            _ => APPLICATIONS.to_vec(),
        }
    }

    /// What the command cannot do anything with: `replay` and `dlq` talk to a server and have none of their own.
    pub(crate) fn useless(&self, options: &Options) -> Vec<String> {
        let server = match self {
            Self::Replay(_) => "the server that gets the events",
            Self::Dlq(_) => "the server that has the calls",
            _ => return Vec::new(),
        };
        let given = options.given().into_iter().filter(|(setting, _)| *setting != LOG);
        given.map(|(_, text)| format!("{text} is for {server}: give it there")).collect()
    }

    /// Whether the command runs the server.
    pub(crate) fn serves(&self) -> bool {
        !matches!(self, Self::Replay(_) | Self::Dlq(_) | Self::Prompts(_) | Self::Describe(_) | Self::Reset(_))
    }
}

/// Options of `demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoOptions {
    /// Recordings (.ndjson) to play; without a file, the built-in recordings are played
    #[arg(value_name = "FILE")]
    pub(crate) recordings: Vec<PathBuf>,
    /// Speed factor: 2 plays twice as fast as the events happened
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub(crate) speed: f64,
    /// Exit when all recordings are played and all their windows are analysed; without this, the server keeps running
    #[arg(long)]
    pub(crate) once: bool,
}

/// Options of `replay`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayOptions {
    /// Recordings: JSON lines of chat messages, transcript segments or pose frames
    #[arg(value_name = "FILE", required = true)]
    pub(crate) recordings: Vec<PathBuf>,
    /// Address of the server
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = url)]
    pub(crate) url: String,
    /// Token that the server asks for
    #[arg(long, env = "TIDEMILL_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Speed factor: 2 plays twice as fast as the events happened, 0 as fast as the server accepts them
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Keep the recorded times; without this, the times are shifted to now
    #[arg(long)]
    pub(crate) keep_times: bool,
}

/// Options of `dlq`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DlqOptions {
    #[command(subcommand)]
    pub(crate) action: DlqAction,
}

/// What `dlq` does.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DlqAction {
    /// List the calls without an answer that were not asked again; or, with --records, the records that could not be
    /// processed and were not replayed
    List {
        #[command(flatten)]
        server: DlqServer,
        #[command(flatten)]
        records: DlqRecords,
    },
    /// Ask calls again, each once; or, with --records, put records back to the topics that they came from, each once
    Replay {
        #[command(flatten)]
        server: DlqServer,
        #[command(flatten)]
        records: DlqRecords,
        /// Only show what would be replayed
        #[arg(long, requires = "records")]
        dry_run: bool,
        /// Ask all that were not asked again; with --records, replay all that the filters choose
        #[arg(long)]
        all: bool,
        /// Ids, as `dlq list` shows them, such as 0-17; of records, such as bad-chat/0/17
        #[arg(value_name = "ID")]
        ids: Vec<String>,
    },
}

/// Records instead of calls, and which of them.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct DlqRecords {
    /// Records that could not be processed, instead of calls without an answer
    #[arg(long)]
    pub(crate) records: bool,
    /// Only records of this topic
    #[arg(long, value_name = "TOPIC", requires = "records")]
    pub(crate) topic: Option<String>,
    /// Only errors of this operator
    #[arg(long, value_name = "NAME", requires = "records")]
    pub(crate) operator: Option<String>,
    /// Only errors whose message contains this text
    #[arg(long, value_name = "TEXT", requires = "records")]
    pub(crate) error: Option<String>,
    /// Only records with this key
    #[arg(long, value_name = "KEY", requires = "records")]
    pub(crate) key: Option<String>,
    /// Only records from this time on, in milliseconds since 1970
    #[arg(long, value_name = "MS", requires = "records", allow_negative_numbers = true)]
    pub(crate) from: Option<i64>,
    /// Only records before this time, in milliseconds since 1970
    #[arg(long, value_name = "MS", requires = "records", allow_negative_numbers = true)]
    pub(crate) to: Option<i64>,
}

/// The server that has the calls and records.
#[derive(Debug, Clone, Args)]
pub(crate) struct DlqServer {
    /// The application's id; without it, all applications of the server
    #[arg(long, value_name = "ID")]
    pub(crate) application: Option<String>,
    /// Address of the server
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = url)]
    pub(crate) url: String,
    /// Token of a tenant with `admin = true`
    #[arg(long, env = "TIDEMILL_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

/// Options of `prompts`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PromptsOptions {
    #[command(subcommand)]
    pub(crate) action: PromptsAction,
}

/// What `prompts` does.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PromptsAction {
    /// List the prompts: name, version, hash, application, settings, fields of the answers
    List,
    /// Print the file of a prompt
    Show {
        /// The prompt's name
        name: String,
    },
    /// Ask recorded requests again with another prompt or another model, and compare the answers
    ///
    /// Settings of the analyst (provider, key, address, price, time limit, attempts) are those of `serve`. Their limits
    /// and budgets do not count here: before it starts, the command says the most that its requests may cost, and asks for
    /// --yes above --ask-above. Ctrl-C prints what is there so far.
    Eval(Box<EvalOptions>),
}

/// Options of `prompts eval`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EvalOptions {
    /// The application whose requests are asked
    #[arg(long, value_name = "ID")]
    pub(crate) application: String,
    /// Recorded requests: JSON lines as GET /state/calls/ID/journal of a server gives them
    #[arg(long, value_name = "FILE", conflicts_with = "url", required_unless_present = "url")]
    pub(crate) requests: Option<PathBuf>,
    /// Address of a server that keeps calls (`analyst.keep_calls`)
    #[arg(long, value_name = "URL", value_parser = url)]
    pub(crate) url: Option<String>,
    /// Token of a tenant with `admin = true`
    #[arg(long, env = "TIDEMILL_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// File of the prompt to try; without it, this program's prompt
    #[arg(long, value_name = "FILE")]
    pub(crate) prompt: Option<PathBuf>,
    /// The model to try; without it, the analyst's model
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// What to compare with: recorded, offline, or the file of a prompt, which is asked the same requests
    #[arg(long, value_name = "WHAT", default_value = "recorded", value_parser = against)]
    pub(crate) against: Against,
    /// The most requests
    #[arg(long, default_value_t = 50, value_parser = requests)]
    pub(crate) limit: usize,
    /// The difference of numbers that counts as agreement, as a share of their range
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    pub(crate) tolerance: f64,
    /// Exit with 1 if a smaller share of the requests gets an answer that fits the schema
    #[arg(long, value_name = "SHARE", default_value_t = 0.98, value_parser = share)]
    pub(crate) min_valid: f64,
    /// Exit with 1 if the agreement, which is of all fields but free texts, is smaller
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) min_agreement: Option<f64>,
    /// Ask for --yes if the requests may cost more
    #[arg(long, value_name = "AMOUNT", default_value = "1.00", value_parser = amount)]
    pub(crate) ask_above: u64,
    /// Ask the requests although they may be expensive, or their price is not known
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What answers are compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Against {
    /// The recorded answers.
    Recorded,
    /// The answers of the offline analysis.
    Offline,
    /// The answers to another prompt.
    Prompt(PathBuf),
}

/// Options of `describe`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DescribeOptions {
    /// The application's id
    pub(crate) application: Option<String>,
}

/// Options of `reset`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResetOptions {
    /// Confirm the deletion; without this, only list what would be deleted
    #[arg(long)]
    pub(crate) yes: bool,
}

/// The slowest speed but 0. With it, a minute of a recording takes most of a day.
const SPEED_MIN: f64 = 0.001;

/// The most requests of an evaluation. A server gives so many.
const REQUESTS_MAX: usize = 10_000;

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed: &f64| speed.is_finite());
    let speed = speed.ok_or_else(|| "write a number, such as 1, 0.5 or 60".to_owned())?;
    if speed < 0.0 {
        return Err("the number must not be negative".to_owned());
    }
    let is_slow = speed > 0.0 && speed < SPEED_MIN;
    if is_slow { Err(format!("the number must be 0, or at least {SPEED_MIN}")) } else { Ok(speed) }
}

fn url(text: &str) -> Result<String, String> {
    let scheme = ["http://", "https://"].iter().find(|scheme| text.starts_with(**scheme));
    let fix = || format!("write the server's address with http://, such as http://{}", text.trim_start_matches('/'));
    let scheme = scheme.ok_or_else(fix)?;
    if text.len() == scheme.len() { Err("the address has no host".to_owned()) } else { Ok(text.to_owned()) }
}

#[expect(clippy::unnecessary_wraps, reason = "clap's parsers may fail")]
fn against(text: &str) -> Result<Against, String> {
    Ok(match text {
        "recorded" => Against::Recorded,
        "offline" => Against::Offline,
        file => Against::Prompt(file.into()),
    })
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a share from 0 to 1, such as 0.98".to_owned())
}

fn requests(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number: &usize| (1..=REQUESTS_MAX).contains(number));
    number.ok_or_else(|| format!("write a whole number from 1 to {REQUESTS_MAX}"))
}

fn positive(text: &str) -> Result<f64, String> {
    speed(text).and_then(|speed| if speed > 0.0 { Ok(speed) } else { Err("the number must be above 0".to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Cli {
        Cli::try_read(line.split(' ').map(OsString::from)).expect("it is a command")
    }

    #[test]
    fn settings_count_before_the_command_and_behind_it() {
        let cli = read("tidemill --set a=1 --threads 2 --set b=2 serve --set c=3 --listen localhost:1");
        let flags = &cli.options.flags;
        assert_eq!(cli.options.set, ["a=1", "b=2", "c=3"]);
        assert_eq!((flags.get("run.threads"), flags.get("server.listen")), (Some("2"), Some("localhost:1")));
        assert_eq!(read("tidemill replay --set a=1 file").options.set, ["a=1"]);
    }

    fn refused(line: &str) -> String {
        let read = Cli::try_read(line.split(' ').map(OsString::from));
        read.map_or_else(|error| error.to_string(), |cli| cli.command.useless(&cli.options).concat())
    }

    #[test]
    fn a_speed_is_a_number_that_a_recording_can_be_played_at() {
        for (speed, part) in [
            ("nan", "write a number"),
            ("inf", "write a number"),
            ("fast", "write a number"),
            ("1e-300", "at least 0.001"),
        ] {
            assert!(refused(&format!("tidemill replay --speed {speed} file")).contains(part), "{speed}");
        }
        assert!(refused("tidemill replay --speed=-1 file").contains("negative"));
        assert!(refused("tidemill demo --speed 0").contains("above 0"));
        assert_eq!(refused("tidemill replay --speed 0 file"), "");
    }

    #[test]
    fn an_address_to_replay_to_has_its_scheme() {
        let told = refused("tidemill replay --url localhost:8080 file");
        assert!(told.contains("such as http://localhost:8080"), "{told}");
        assert!(refused("tidemill replay --url http:// file").contains("no host"));
        assert_eq!(refused("tidemill replay --url https://mill.example file"), "");
    }

    #[test]
    fn replay_takes_no_options_of_a_server() {
        let told = refused("tidemill replay --data-dir data --set live.window=1s file");
        assert!(
            told.contains("--data-dir is for the server") && told.contains("--set live.window=1s is for"),
            "{told}"
        );
        assert!(refused("tidemill --threads 2 replay file").contains("--threads is for the server"));
        assert_eq!(refused("tidemill replay --log debug file"), "");
        assert_eq!(refused("tidemill serve --data-dir data"), "");
        let help = refused("tidemill replay --help");
        assert!(help.contains("--url") && help.contains("--log") && help.contains("--speed"), "{help}");
        for hidden in ["--data-dir", "--listen", "--brokers", "--set", "--threads"] {
            assert!(!help.contains(&format!("{hidden} ")), "{hidden} in {help}");
        }
    }

    #[test]
    fn dlq_takes_no_options_of_a_server() {
        let told = refused("tidemill dlq list --data-dir data");
        assert!(told.contains("--data-dir is for the server that has the calls"), "{told}");
        assert!(refused("tidemill dlq replay --url localhost 0-1").contains("such as http://localhost"));
        assert_eq!(refused("tidemill dlq replay --application live-insight 0-1 1-20"), "");
        let help = refused("tidemill dlq replay --help");
        assert!(help.contains("--url") && help.contains("--all"), "{help}");
        for hidden in ["--data-dir", "--listen", "--brokers", "--threads"] {
            assert!(!help.contains(&format!("{hidden} ")), "{hidden} in {help}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        with_applications(Cli::command()).debug_assert();
    }
}
