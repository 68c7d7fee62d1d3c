//! Looks into a video file: what it holds, and how its picture differs from that of another file.

use std::{
    io::{self, Error},
    ops::Range,
    path::Path,
    process::Command,
};

use serde_json::Value;

/// What ffprobe sees in a video file.
#[derive(Debug)]
pub struct Video {
    /// The length.
    pub seconds: f64,
    /// The width of the picture, in pixels.
    pub width: u64,
    /// The height of the picture, in pixels.
    pub height: u64,
    /// Whether the file has sound.
    pub has_sound: bool,
}

impl Video {
    /// Looks into a file.
    ///
    /// # Errors
    /// If ffprobe cannot be run, or the file is not a video.
    pub fn of(file: &Path) -> io::Result<Self> {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-show_entries", "stream=codec_type,width,height:format=duration", "-of", "json"]);
        let seen: Value = serde_json::from_slice(&command.arg(file).output()?.stdout)?;
        let of = |kind: &str| seen["streams"].as_array()?.iter().find(|stream| stream["codec_type"] == kind);
        let without = |what: &str| Error::other(format!("{} has no {what}", file.display()));
        let picture = of("video").ok_or_else(|| without("picture"))?;
        let size = |name: &str| picture[name].as_u64().ok_or_else(|| without(name));
        let seconds = seen["format"]["duration"].as_str().and_then(|text| text.parse().ok());
        Ok(Self {
            seconds: seconds.ok_or_else(|| without("duration"))?,
            width: size("width")?,
            height: size("height")?,
            has_sound: of("audio").is_some(),
        })
    }
}

/// By how much two pictures differ: mean steps of brightness, of 255.
#[derive(Debug)]
pub struct Difference {
    /// In the upper two thirds.
    pub upper: f64,
    /// In the lower third, where captions are.
    pub lower: f64,
}

impl Difference {
    /// Compares the pictures of two files at a time.
    ///
    /// # Errors
    /// If FFmpeg cannot be run, a file has no picture at that time, or the pictures are not of one size.
    pub fn at(second: f64, a: &Path, b: &Path) -> io::Result<Self> {
        let (a, b) = (picture(a, second)?, picture(b, second)?);
        if a.len() != b.len() {
            return Err(Error::other("the pictures are not of one size"));
        }
        let mean = |part: Range<usize>| {
            let steps: u64 = part.clone().map(|index| u64::from(a[index].abs_diff(b[index]))).sum();
            steps as f64 / part.len() as f64
        };
        let two_thirds = a.len() * 2 / 3;
        Ok(Self { upper: mean(0..two_thirds), lower: mean(two_thirds..a.len()) })
    }
}

/// The brightness of a picture, byte by byte.
fn picture(file: &Path, second: f64) -> io::Result<Vec<u8>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-ss", &format!("{second:.2}"), "-i"]).arg(file);
    let seen = command.args(["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]).output()?.stdout;
    if seen.is_empty() {
        return Err(Error::other(format!("{} has no picture at {second:.2} s", file.display())));
    }
    Ok(seen)
}
