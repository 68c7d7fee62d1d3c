//! Where the broker's jars are, if they are.

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Set to anything, a missing broker fails the test that wants one.
const REQUIRED: &str = "TIDEMILL_REQUIRE_KAFKA";

/// What is installed.
pub(crate) struct Installation {
    pub(crate) class_path: String,
    /// The classes that a broker loads, ready to be mapped: with them it starts in half the time. Made by the first
    /// broker that is stopped.
    pub(crate) archive: PathBuf,
}

/// What is installed, or `None` after saying why there is no broker.
pub(crate) fn find() -> Option<&'static Installation> {
    static FOUND: OnceLock<Result<Installation, &'static str>> = OnceLock::new();
    match FOUND.get_or_init(look) {
        Ok(installation) => Some(installation),
        Err(reason) => {
            assert!(env::var_os(REQUIRED).is_none(), "{reason}");
            // Past the capture of output, which hides what a passing test says. Nobody reads it if it fails.
            let _ = writeln!(std::io::stderr(), "SKIPPED, a test on a Kafka broker: {reason}");
            None
        }
    }
}

fn look() -> Result<Installation, &'static str> {
    let runs = |program: &str| Command::new(program).arg("-version").stderr(Stdio::null()).status();
    if !runs("java").is_ok_and(|status| status.success()) {
        return Err("java is missing");
    }
    let folder = folder().ok_or("its jars are missing; `make kafka-broker` fetches them")?;
    let class_path = format!("{}/*", folder.join("lib").display());
    Ok(Installation { class_path, archive: folder.join("classes.jsa") })
}

/// Cargo's target folder is above every test, example and bench.
fn folder() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let folders = program.ancestors().map(|folder| folder.join("kafka-broker"));
    folders.into_iter().find(|folder| Path::exists(&folder.join("fetched")))
}
