//! FFmpeg's arguments for a clip.

use std::fmt::Write;

use crate::clips::footage::{Input, Material, Run};
use crate::clips::{ClipRequest, Shape};
use crate::error::MediaError;
use crate::process::{SEGMENTS, input_options};

/// The names of files in the folder where FFmpeg works: filters need no escaping then.
pub(super) const CAPTIONS: &str = "captions.ass";
pub(super) const OUTPUT: &str = "clip.mp4";

/// Pictures per second.
pub(super) const RATE: i64 = 30;
/// How much more than its part is read of an address: the first pictures may be before it.
const SPARE_MS: i64 = 2000;

/// FFmpeg's arguments; they expect the captions at [`CAPTIONS`] and write [`OUTPUT`].
pub(super) fn arguments(
    request: &ClipRequest,
    material: &Material,
    lines: u32,
    captions: bool,
) -> Result<Vec<String>, MediaError> {
    let mut arguments: Vec<String> = Vec::new();
    let mut add = |options: &[&str]| arguments.extend(options.iter().map(|&option| option.to_owned()));
    add(&["-hide_banner", "-nostats", "-loglevel", "error", "-y", "-progress", "pipe:1"]);
    let all = material.runs.iter().chain(material.sound.iter().flatten());
    for run in all {
        match &run.input {
            Input::Fetched(path) => {
                let path = format!("file:{}", path.display());
                add(&["-format_whitelist", SEGMENTS, "-protocol_whitelist", "file", "-i", &path]);
            }
            Input::Address(url) => {
                add(&["-t", &seconds(run.take_ms + SPARE_MS)]);
                let options = input_options(url, run.skip_ms)?;
                add(&options.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
    }
    add(&["-filter_complex", &graph(request.shape, material, lines, captions), "-map", "[picture]", "-map", "[heard]"]);
    add(&["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-profile:v", "high"]);
    add(&["-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2"]);
    add(&["-map_metadata", "-1", "-map_chapters", "-1", "-t", &seconds(material.length_ms())]);
    add(&["-metadata", &format!("title={}", request.title), "-movflags", "+faststart", "-f", "mp4", OUTPUT]);
    Ok(arguments)
}

fn graph(shape: Shape, material: &Material, lines: u32, captions: bool) -> String {
    let (width, height) = shape.size(lines);
    let fit = match shape {
        Shape::Landscape => format!(
            "scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2,pad={width}:{height}:(ow-iw)/2:(oh-ih)/2"
        ),
        Shape::Portrait => format!("scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height}"),
    };
    let mut graph = String::new();
    let count = material.runs.len();
    for (index, run) in material.runs.iter().enumerate() {
        let (from, to) = part(run);
        let _ = write!(
            graph,
            "[{index}:v:0]trim=start={from}:end={to},setpts=PTS-({from})/TB,{fit},fps={RATE}:start_time=0,setsar=1,format=yuv420p[v{index}];"
        );
    }
    let sounds = material.sound.as_ref().unwrap_or(&material.runs);
    let first = if material.sound.is_some() { count } else { 0 };
    for (index, run) in sounds.iter().enumerate() {
        let (from, to) = part(run);
        // Holes become silence, so that sound and picture stay together. What we fetched has the length of its picture; a
        // recording may end before the clip.
        let fill = match run.input {
            Input::Fetched(_) => format!(",apad=whole_dur={take},atrim=end={take}", take = seconds(run.take_ms)),
            Input::Address(_) => String::new(),
        };
        let _ = write!(
            graph,
            "[{}:a:0]atrim=start={from}:end={to},asetpts=PTS-({from})/TB,aresample=48000:async=1:first_pts=0,\
             aformat=sample_fmts=fltp:channel_layouts=stereo{fill}[a{index}];",
            first + index,
        );
    }
    join(&mut graph, 'v', count, "v=1:a=0");
    join(&mut graph, 'a', sounds.len(), "v=0:a=1");
    let burn = if captions { format!("subtitles={CAPTIONS}") } else { "null".to_owned() };
    // Loudness as streaming services play it: -16 LUFS.
    let _ = write!(graph, "[v]{burn}[picture];[a]loudnorm=I=-16:TP=-1.5:LRA=11,aresample=48000[heard]");
    graph
}

fn join(graph: &mut String, kind: char, count: usize, kinds: &str) {
    for index in 0..count {
        let _ = write!(graph, "[{kind}{index}]");
    }
    let _ = write!(graph, "concat=n={count}:{kinds}[{kind}];");
}

/// Where the part lies in what FFmpeg reads.
fn part(run: &Run) -> (String, String) {
    match run.input {
        Input::Fetched(_) => (seconds(run.skip_ms), seconds(run.skip_ms + run.take_ms)),
        // FFmpeg sought to its beginning.
        Input::Address(_) => (seconds(0), seconds(run.take_ms)),
    }
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}
