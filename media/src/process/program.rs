//! Programs on this machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use tokio::process::Command;

use crate::error::MediaError;

/// A program that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    name: String,
    path: PathBuf,
}

impl Program {
    /// Looks for a program: in the environment variable `TIDEMILL_FFMPEG`, `TIDEMILL_YT_DLP` and so on, then in `PATH`.
    ///
    /// # Errors
    /// [`MediaError::Missing`], which says how to install it.
    pub fn find(name: &str) -> Result<Self, MediaError> {
        let variable = format!("TIDEMILL_{}", name.to_ascii_uppercase().replace('-', "_"));
        let told = env::var_os(&variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        match told.or_else(|| in_path(name)) {
            Some(path) if path.is_file() => Ok(Self::at(name, path)),
            _ => Err(Self::missing(name)),
        }
    }

    /// A program at a known place.
    pub fn at(name: &str, path: impl Into<PathBuf>) -> Self {
        Self { name: name.to_owned(), path: path.into() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command of this program, with nothing to read, in a process group of its own: a key press in the terminal does
    /// not reach it, and killing the group kills all that it started.
    pub fn command(&self) -> Command {
        let mut command = match setpriv() {
            // The kernel kills it when we are killed, and cannot do so ourselves.
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(&self.path);
                command
            }
            None => Command::new(&self.path),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
        command
    }

    pub(crate) fn missing(name: &str) -> MediaError {
        let remedy = match name {
            "ffmpeg" | "ffprobe" => "Install FFmpeg: on Debian, 'apt-get install ffmpeg'.".to_owned(),
            "yt-dlp" => "Install yt-dlp: 'pip install yt-dlp', or run '.ci/fetch yt-dlp FOLDER' and set TIDEMILL_YT_DLP to FOLDER/yt-dlp.".to_owned(),
            _ => format!("Install {name}, or put its folder into PATH."),
        };
        MediaError::Missing { program: name.to_owned(), remedy }
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A program of util-linux, which each Linux distribution has; other systems do without.
fn setpriv() -> Option<&'static Path> {
    static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = SETPRIV.get_or_init(|| if cfg!(target_os = "linux") { in_path("setpriv") } else { None });
    found.as_deref()
}
