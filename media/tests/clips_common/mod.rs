//! What tests of clips share: waiting for clips, and looking into their files.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tidemill_hls_server::{Difference, HlsServer, Video};
use tidemill_media::clips::{Finished, Footage, Shape};
use tidemill_media::{ClipId, ClipRequest, ClipState, Clips, ClipsOptions, Resolver, ResolverOptions};

use crate::common::url;

/// Small pictures, and waiting times that a test can wait for.
pub(crate) fn options(folder: &TempDir) -> ClipsOptions {
    ClipsOptions {
        lines: 180,
        parallel: 2,
        wait_first: Duration::from_millis(4),
        wait_most: Duration::from_millis(20),
        reload: Some(Duration::from_millis(10)),
        resolver: Resolver::new(ResolverOptions { files: true, ..ResolverOptions::default() }),
        ..ClipsOptions::new(folder.path())
    }
}

pub(crate) fn request(server: &HlsServer, start_ms: i64, end_ms: i64) -> ClipRequest {
    ClipRequest {
        title: "What a goal".into(),
        footage: vec![Footage { address: url(&server.url("/live/master.m3u8")), start_ms: None }],
        start_ms,
        end_ms,
        lead_in_ms: 0,
        shape: Shape::Landscape,
        captions: Vec::new(),
        captioned: false,
        owner: String::new(),
    }
}

/// What became of a clip when nothing more happens.
pub(crate) async fn settled(clips: &Clips, name: &str) -> ClipState {
    let id = ClipId::new(name).expect("a name");
    for _ in 0..12_000 {
        let state = clips.get(&id).expect("the clip").state;
        if state.is_final() {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the clip '{name}' stays {:?}", clips.get(&id));
}

pub(crate) async fn done(clips: &Clips, name: &str) -> PathBuf {
    let state = settled(clips, name).await;
    assert!(matches!(state, ClipState::Done(_)), "{state:?}");
    clips.file(&ClipId::new(name).expect("a name")).expect("a file")
}

pub(crate) fn finished(clips: &Clips, name: &str) -> Finished {
    match clips.get(&ClipId::new(name).expect("a name")).expect("the clip").state {
        ClipState::Done(finished) => finished,
        other => panic!("{other:?}"),
    }
}

/// All files below `files/` and `work/`.
pub(crate) fn files(folder: &TempDir) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { below(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    below(&folder.path().join("files"), &mut found);
    below(&folder.path().join("work"), &mut found);
    found
}

pub(crate) fn probe(file: &Path) -> Video {
    Video::of(file).expect("a video")
}

pub(crate) fn difference(a: &Path, b: &Path, second: f64) -> Difference {
    Difference::at(second, a, b).expect("two pictures")
}

/// Integrated loudness in LUFS.
pub(crate) fn loudness(file: &Path) -> f64 {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostats", "-i"]).arg(file);
    let output = command.args(["-af", "ebur128", "-f", "null", "-"]).output().expect("ffmpeg");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().rev().find_map(|line| line.trim().strip_prefix("I:")).expect("loudness");
    line.trim().trim_end_matches("LUFS").trim().parse().expect("a number")
}

/// How loud a part of a file is: the root of the mean square of its samples.
pub(crate) fn sound(file: &Path, from: f64, to: f64) -> f64 {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(file);
    let output = command.args(["-f", "s16le", "-ac", "1", "-ar", "16000", "-"]).output().expect("ffmpeg");
    let at = |second: f64| (second * 16_000.0) as usize * 2;
    let part = &output.stdout[at(from)..at(to)];
    let squares = part.as_chunks().0.iter().map(|&pair| f64::from(i16::from_le_bytes(pair)).powi(2));
    (squares.sum::<f64>() / (part.len() / 2) as f64).sqrt()
}
