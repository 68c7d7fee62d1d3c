//! What tests of this crate share: one stream's media, made once, and programs that misbehave.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod answers;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use tidemill_hls_server::{Content, HlsServer, Line, Schedule};
use tidemill_media::resolve::direct;
use tidemill_media::{AudioOptions, Resolved};
use url::Url;

/// What is said in the media: two lines, with silence around them.
pub(crate) fn lines() -> Vec<Line> {
    let line = |second: i64, text: &str| Line { start_ms: second * 1000, text: text.to_owned() };
    vec![line(1, "Welcome back everyone"), line(9, "What a goal")]
}

/// Sixteen seconds of media: eight segments. `None`, with a word about it, where FFmpeg is missing.
pub(crate) fn content() -> Option<Arc<Content>> {
    static CONTENT: OnceLock<Option<(TempDir, Arc<Content>)>> = OnceLock::new();
    let made = CONTENT.get_or_init(|| {
        if Command::new("ffmpeg").arg("-version").output().is_err() {
            eprintln!("skipped: ffmpeg is missing; '.ci/prerequisites media' installs it");
            return None;
        }
        let folder = TempDir::new().expect("a folder");
        let content = Content::make(folder.path(), &lines(), 16).expect("media");
        Some((folder, Arc::new(content)))
    });
    made.as_ref().map(|(_, content)| Arc::clone(content))
}

/// A stream that has ended after all eight segments.
pub(crate) fn whole() -> Schedule {
    Schedule { ready: 8, ends_after: Some(8), ..Schedule::default() }
}

pub(crate) fn url(text: &str) -> Url {
    text.parse().expect("an address")
}

pub(crate) fn stream(server: &HlsServer) -> Resolved {
    direct(&url(&server.url("/live/master.m3u8"))).expect("HLS")
}

/// Waiting times that a test can wait for.
pub(crate) fn quick() -> AudioOptions {
    AudioOptions {
        from_oldest: true,
        reload: Some(Duration::from_millis(10)),
        wait_first: Duration::from_millis(4),
        wait_most: Duration::from_millis(20),
        give_up_after: Duration::from_secs(60),
        ..AudioOptions::new(0)
    }
}

/// A program of our own.
pub(crate) fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/bash\n{text}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
    path
}

/// Waits until something holds; a test that hangs names what it waited for.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen");
}

/// Whether a process runs.
pub(crate) fn runs(pid: &str) -> bool {
    // A process that ended and was not waited for is a zombie.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
