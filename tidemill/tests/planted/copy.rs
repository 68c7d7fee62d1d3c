//! A copy of the sources, in which mistakes may be made.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Crates in which bugs are planted.
const CRATES: [&str; 2] = ["tidemill", "state"];

/// The tests that are built, beside those of units: each costs time, and these find what others would.
const TESTS: [&str; 18] = [
    "simulation",
    "async_op",
    "call_order",
    "call_deadline",
    "call_dead_letters",
    "call_limits",
    "call_sharing",
    "call_steps",
    "call_handover",
    "errors",
    "left_out",
    "processors",
    "aggregates",
    "windowing",
    "join_grace",
    "versioned_tables",
    "store_contract",
    "windows",
];

/// What a bug is chosen by.
pub(crate) const CHOSEN: &str = "TIDEMILL_PLANTED";

/// The copy, and where it is built.
pub(crate) struct Copy {
    pub(crate) sources: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Makes the copy anew.
    pub(crate) fn new(from: &Path, target: &Path) -> io::Result<Self> {
        let sources = target.join("planted");
        if sources.exists() {
            fs::remove_dir_all(&sources)?;
        }
        copy(from, &sources, target)?;
        // Cargo would take what is built of the copy for what is built of the sources.
        Ok(Self { sources, target: target.join("planted-build") })
    }

    /// Lets planted bugs be chosen when a test runs.
    pub(crate) fn make_switchable(&self) -> io::Result<()> {
        for name in CRATES {
            let folder = self.sources.join(name).join("src");
            let module = format!(
                "//! Which planted bug is there.\n\nuse std::sync::LazyLock;\n\nstatic CHOSEN: LazyLock<Option<usize>> = \
                 LazyLock::new(|| std::env::var(\"{CHOSEN}\").ok()?.parse().ok());\n\n/// Whether it is this one.\n\
                 #[inline]\npub(crate) fn is(number: usize) -> bool {{\n    *CHOSEN == Some(number)\n}}\n"
            );
            fs::write(folder.join("planted.rs"), module)?;
            let root = folder.join("lib.rs");
            fs::write(&root, fs::read_to_string(&root)? + "\nmod planted;\n")?;
        }
        Ok(())
    }

    /// Puts a file back as it was.
    pub(crate) fn restore(&self, from: &Path, file: &str) -> io::Result<()> {
        fs::copy(from.join(file), self.sources.join(file)).map(drop)
    }

    /// Builds tests that need neither RocksDB nor Kafka. Returns the programs by name, or what the compiler said.
    pub(crate) fn build(&self) -> Result<BTreeMap<String, PathBuf>, String> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let output = Command::new(cargo)
            .args(["test", "--no-run", "--no-default-features", "-p", "tidemill", "-p", "tidemill-state"])
            .args(TESTS.iter().flat_map(|name| ["--test", name]))
            .args(["--lib", "--message-format=json"])
            .current_dir(&self.sources)
            .env("CARGO_TARGET_DIR", &self.target)
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            let complaints = messages(&output.stdout);
            // Without any, something else than the compiler failed.
            let is_other = complaints.is_empty();
            return Err(if is_other { String::from_utf8_lossy(&output.stderr).into_owned() } else { complaints });
        }
        let mut programs = BTreeMap::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            let (Some(program), Some(name)) = (line["executable"].as_str(), line["target"]["name"].as_str()) else {
                continue;
            };
            programs.insert(name.to_owned(), program.into());
        }
        Ok(programs)
    }
}

/// What the compiler complains of.
fn messages(stdout: &[u8]) -> String {
    let text = String::from_utf8_lossy(stdout);
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let errors = lines.filter(|line| line["message"]["level"] == "error");
    errors.filter_map(|line| line["message"]["rendered"].as_str().map(ToOwned::to_owned)).collect()
}

fn copy(from: &Path, to: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_left_out = path == target || name.to_string_lossy().starts_with("target") || name == ".git";
        if entry.file_type()?.is_dir() {
            if !is_left_out {
                copy(&path, &to.join(name), target)?;
            }
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
