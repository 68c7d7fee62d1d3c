//! The media of a stream: segments, recording, and what is said when.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;

use crate::schedule::Captions;
use crate::script::{Line, Spoken};
use crate::speech;

/// The length of a segment.
pub const SEGMENT_MS: i64 = 2000;
/// Where the media's clock begins, in seconds: streams hardly ever begin at zero.
pub(crate) const CLOCK_FROM: i64 = 10;

/// The media of a stream.
#[derive(Debug, Clone)]
pub struct Content {
    /// What comes before the first segment that a reader takes.
    init: Option<Bytes>,
    segments: Vec<Bytes>,
    spoken: Vec<Spoken>,
    recording: PathBuf,
}

impl Content {
    /// Makes `seconds` (rounded up to whole segments) of test picture and speech. Files are left in `folder`: the caller
    /// removes them when the server has stopped. This blocks for some seconds.
    ///
    /// # Errors
    /// Where FFmpeg is missing or fails.
    pub fn make(folder: &Path, lines: &[Line], seconds: u32) -> io::Result<Self> {
        let seconds = seconds.max(2).next_multiple_of(2);
        let (track, spoken) = speech::track(lines, seconds);
        let wav = folder.join("speech.wav");
        std::fs::write(&wav, speech::wav(&track))?;
        let picture = format!("testsrc2=size=640x360:rate=15:duration={seconds}");
        let mut media = ffmpeg();
        media.args(["-f", "lavfi", "-i", &picture, "-i"]).arg(&wav);
        media.args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0"]);
        media.args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k", "-ar", "44100"]);
        media.args(["-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", &CLOCK_FROM.to_string()]);
        media.args(["-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "-hls_segment_filename"]);
        media.arg(folder.join("%05d.ts")).arg(folder.join("media.m3u8"));
        run(media)?;
        let recording = folder.join("recording.mp4");
        let mut file = ffmpeg();
        file.arg("-i").arg(folder.join("media.m3u8")).args(["-c", "copy", "-movflags", "+faststart"]).arg(&recording);
        run(file)?;
        let count = u64::from(seconds) * 1000 / SEGMENT_MS as u64;
        let segments = (0..count).map(|index| std::fs::read(folder.join(format!("{index:05}.ts"))).map(Bytes::from));
        Ok(Self { init: None, segments: segments.collect::<io::Result<_>>()?, spoken, recording })
    }

    /// The same samples come out of the stream that went into it: 16,000 a second, of one channel. There is no picture, no
    /// recording and no caption, and no program is needed. The last segment is filled up with silence.
    pub fn of_samples(samples: &[i16]) -> Self {
        let each = (SEGMENT_MS * i64::from(speech::EXACT_RATE) / 1000) as usize;
        let bytes = |samples: &[i16]| -> Bytes {
            let silence = std::iter::repeat_n(0, each - samples.len());
            samples.iter().copied().chain(silence).flat_map(i16::to_le_bytes).collect()
        };
        // A header that tells no length; what follows are samples, in whatever pieces they come.
        let init = Some(Bytes::from(speech::header(speech::EXACT_RATE, u32::MAX)));
        Self {
            init,
            segments: samples.chunks(each).map(bytes).collect(),
            spoken: Vec::new(),
            recording: PathBuf::new(),
        }
    }

    /// What comes before the first segment that a reader takes.
    pub(crate) fn init(&self) -> Option<Bytes> {
        self.init.clone()
    }

    /// What is said when.
    pub fn spoken(&self) -> &[Spoken] {
        &self.spoken
    }

    /// The media as a file.
    pub fn recording(&self) -> &Path {
        &self.recording
    }

    /// How long it is.
    pub fn duration_ms(&self) -> i64 {
        self.segments.len() as i64 * SEGMENT_MS
    }

    /// The bytes of the stream's segment `number`: a stream that is longer than its media plays it again.
    pub(crate) fn segment(&self, number: u64) -> Bytes {
        self.segments[(number % self.segments.len() as u64) as usize].clone()
    }

    /// Whether the media begins again with this segment.
    pub(crate) fn begins_again(&self, number: u64) -> bool {
        number > 0 && number.is_multiple_of(self.segments.len() as u64)
    }

    /// The captions of a segment: the cues that overlap it, timed by the media's clock.
    pub(crate) fn captions(&self, number: u64, captions: Captions) -> String {
        let from = (number % self.segments.len() as u64) as i64 * SEGMENT_MS;
        let to = from + SEGMENT_MS;
        let mut text = format!("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{},LOCAL:00:00:00.000\n\n", CLOCK_FROM * 90_000);
        let mut before = String::new();
        for (index, line) in self.spoken.iter().enumerate() {
            let escaped = line.text.replace('&', "&amp;").replace('<', "&lt;");
            let next = self.spoken.get(index + 1);
            let (start, end, shown) = match captions {
                Captions::Off => continue,
                Captions::Cues => (line.start_ms, line.end_ms, escaped.clone()),
                Captions::Cut => (line.start_ms.max(from), line.end_ms.min(to), escaped.clone()),
                Captions::RollUp => {
                    let end = next.map_or(line.end_ms, |next| next.start_ms);
                    (line.start_ms, end, format!("{before}{escaped}"))
                }
            };
            before = format!("{escaped}\n");
            if start < to && end > from && start < end {
                let _ = write!(text, "{index}\n{} --> {} line:85%\n{shown}\n\n", time(start), time(end));
            }
        }
        text
    }
}

fn time(ms: i64) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]).stdin(Stdio::null());
    command
}

fn run(mut command: Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("ffmpeg failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
