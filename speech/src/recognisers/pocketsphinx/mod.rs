//! Recognition on this machine, by pocketsphinx: it needs no key, and costs nothing.

mod output;
mod process;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::{BoxFuture, Limits, Recogniser, SAMPLE_RATE, Session, SpeechError};

/// How pocketsphinx is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PocketsphinxSettings {
    /// The program: its path, or its name in `PATH`. `pocketsphinx_continuous` is the one of releases before 5,
    /// `pocketsphinx` of those from 5 on: the name decides about the arguments. Without one, the first of these that is in
    /// `PATH`.
    pub program: Option<PathBuf>,
    /// The language that the model knows, as BCP 47 without a region.
    pub language: String,
    /// More arguments, for another model: `-hmm`, `-lm` and `-dict` with their paths.
    pub arguments: Vec<String>,
    /// How many processes may run at the same time, at least 1.
    pub sessions: usize,
}

impl Default for PocketsphinxSettings {
    /// The program that is installed, with its English model, one process at a time.
    fn default() -> Self {
        Self { program: None, language: "en".to_owned(), arguments: Vec::new(), sessions: 1 }
    }
}

/// Recognition by pocketsphinx: one process for each session, which gets the audio on its standard input. Audio is never
/// written to a disk, and the process ends with its session.
#[derive(Debug)]
pub struct Pocketsphinx {
    settings: PocketsphinxSettings,
    program: PathBuf,
}

/// The programs of releases before 5 and from 5 on.
const PROGRAMS: [&str; 2] = ["pocketsphinx_continuous", "pocketsphinx"];

/// The time that a process may take for the end of a session, in milliseconds. It is generous: the machine may be busy.
const ANSWER_WITHIN_MS: u64 = 120_000;

impl Pocketsphinx {
    /// A recogniser with these settings.
    pub fn new(settings: PocketsphinxSettings) -> Self {
        let program = settings.program.clone().unwrap_or_else(|| PathBuf::from(installed().unwrap_or(PROGRAMS[0])));
        Self { settings, program }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if is_from_5_on(&self.program) {
            command.args(["-samprate", &SAMPLE_RATE.to_string()]).args(&self.settings.arguments).args(["single", "-"]);
        } else {
            // It removes noise so eagerly that consonants go, too.
            command
                .args(["-infile", "/dev/stdin", "-time", "yes", "-remove_noise", "no"])
                .args(&self.settings.arguments);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

/// The program that is installed.
fn installed() -> Option<&'static str> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    PROGRAMS.into_iter().find(|program| folders.iter().any(|folder| folder.join(program).is_file()))
}

/// From release 5 on, the program has another name, other arguments and another output.
fn is_from_5_on(program: &Path) -> bool {
    program.file_name().and_then(|name| name.to_str()).is_some_and(|name| !name.contains("continuous"))
}

impl Recogniser for Pocketsphinx {
    fn name(&self) -> &'static str {
        "pocketsphinx"
    }

    /// Short sessions: from release 5 on, results come when a session ends.
    fn limits(&self) -> Limits {
        Limits {
            longest_ms: 30_000,
            pause_after_ms: 12_000,
            pause_ms: 320,
            overlap_ms: 3_000,
            sessions: self.settings.sessions,
            message_ms: 96,
            answer_within_ms: ANSWER_WITHIN_MS,
        }
    }

    fn start<'a>(&'a self, _start_ms: i64, language: &'a str) -> BoxFuture<'a, Result<Session, SpeechError>> {
        Box::pin(async move {
            let spoken = language.split(['-', '_']).next().unwrap_or_default();
            if !spoken.eq_ignore_ascii_case(&self.settings.language) {
                return Err(SpeechError::refused(
                    format!("pocketsphinx has a model of '{}', not of '{language}'", self.settings.language),
                    "choose another recogniser, or give pocketsphinx a model of that language",
                ));
            }
            let program = self.program.display();
            let child = self.command().spawn().map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => SpeechError::refused(
                    format!("{program} cannot be run ({error})"),
                    "install it, on Debian: apt-get install pocketsphinx pocketsphinx-en-us",
                ),
                _ => SpeechError::transient(format!("{program} cannot be run ({error})")),
            })?;
            Ok(process::session(child))
        })
    }
}
