//! Makes one clip, in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::clips::footage::{Input, Material, Run};
use crate::clips::gather::{Gathering, Span, disk, gone};
use crate::clips::turns::Turns;
use crate::clips::{ClipRequest, ClipsOptions, Footage, captions, command};
use crate::error::MediaError;
use crate::hls::Fetch;
use crate::process::{Program, Running, read_lines};
use crate::resolve::{Kind, Want};

/// The folder in which a clip is made; it goes with everything in it.
#[derive(Debug)]
pub(super) struct Workplace(PathBuf);

impl Workplace {
    pub(super) fn new(path: PathBuf) -> Result<Self, MediaError> {
        // What an earlier attempt left is of no use.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| disk(&error))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What stays is removed when clips are opened.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Gets the footage of a clip: of the first one that has this part.
pub(super) async fn gather(
    request: &ClipRequest,
    options: &ClipsOptions,
    turns: &Turns,
    folder: &Path,
) -> Result<Material, MediaError> {
    let mut first_error = None;
    for (index, footage) in request.footage.iter().enumerate() {
        let folder = folder.join(index.to_string());
        fs::create_dir_all(&folder).map_err(|error| disk(&error))?;
        match from(request, footage, options, turns, &folder).await {
            Ok(material) => return Ok(material),
            Err(error) => {
                tracing::info!(%error, "footage does not have the part of a clip");
                // The next one may take the same space. What stays goes with the workplace.
                let _ = fs::remove_dir_all(&folder);
                // Trouble that passes counts, even where another footage is of no use at all.
                match &first_error {
                    Some(first) if !error.is_transient() || MediaError::is_transient(first) => {}
                    _ => first_error = Some(error),
                }
            }
        }
    }
    Err(first_error.unwrap_or_else(|| gone("The clip has no footage.")))
}

async fn from(
    request: &ClipRequest,
    footage: &Footage,
    options: &ClipsOptions,
    turns: &Turns,
    folder: &Path,
) -> Result<Material, MediaError> {
    let resolved = options.resolver.resolve(&footage.address, Want::Video).await?;
    let begins_ms = resolved.started_ms.or(footage.start_ms);
    let span = Span { from_ms: request.from_ms(), start_ms: request.start_ms, end_ms: request.end_ms };
    if resolved.kind == Kind::Hls {
        let gathering = Gathering {
            fetch: &Fetch::new(options.attempts, options.backoff(1), options.reach)?,
            turns,
            owner: &request.owner,
            span,
            begins_ms,
            now_ms: (options.now_ms)(),
            folder,
            bytes_left: span.bytes().saturating_add(options.spare_bytes).into(),
            lines: options.lines,
            reload: options.reload,
            give_up_after: options.give_up_after,
            backoff: options.backoff(2),
        };
        return gathering.material(&resolved.media).await;
    }
    if resolved.is_live {
        return Err(gone("This kind of live stream cannot be rewound."));
    }
    // FFmpeg follows redirects without asking.
    options.reach.check_program(&resolved.media)?;
    let begins_ms = begins_ms.ok_or_else(|| {
        MediaError::refused("It is not known when the recording begins.", "Tell the event time of its first picture.")
    })?;
    let start_ms = span.from_ms.max(begins_ms);
    if start_ms > span.start_ms {
        return Err(gone("The recording begins after the clip."));
    }
    let run = |input: Input| Run { input, skip_ms: start_ms - begins_ms, take_ms: span.end_ms - start_ms, start_ms };
    let sound = resolved.sound.map(|sound| vec![run(Input::Address(sound))]);
    Ok(Material { runs: vec![run(Input::Address(resolved.media))], sound })
}

/// What was cut.
pub(super) struct Cut {
    pub(super) path: PathBuf,
    pub(super) duration_ms: i64,
}

/// Cuts the clip; gives shares from 0 to 1 to `told`.
pub(super) async fn cut(
    ffmpeg: &Program,
    request: &ClipRequest,
    material: &Material,
    options: &ClipsOptions,
    folder: &Path,
    told: &(dyn Fn(f64) + Send + Sync),
) -> Result<Cut, MediaError> {
    let length_ms = material.length_ms();
    let cues = captions::cues(&request.captions, request.shape, length_ms, |ms| material.place(ms));
    let script = captions::script(&cues, request.shape, request.shape.size(options.lines));
    fs::write(folder.join(command::CAPTIONS), script).map_err(|error| disk(&error))?;
    let mut command = ffmpeg.command();
    command.args(command::arguments(request, material, options.lines, !cues.is_empty())?);
    command.current_dir(folder).stdout(Stdio::piped());
    let mut running = Running::start(ffmpeg, command)?;
    let mut pictures = 0;
    let stdout = running.stdout();
    let work = async {
        if let Some(stdout) = stdout {
            read_lines(stdout, |line| match Progress::read(&line) {
                Some(Progress::Pictures(count)) => pictures = count,
                Some(Progress::Time(ms)) => told((ms as f64 / length_ms.max(1) as f64).clamp(0.0, 1.0)),
                None => {}
            })
            .await;
        }
        running.wait().await
    };
    let exit = tokio::time::timeout(options.longest_work, work).await.map_err(|_| {
        MediaError::transient(format!("Cutting the clip took longer than {} seconds.", options.longest_work.as_secs()))
    })??;
    // FFmpeg is content with a part that does not exist: versions differ in how they end then.
    let is_empty = exit.success() || exit.last_lines.iter().any(|line| line.contains("Nothing was written"));
    if pictures == 0 && is_empty {
        return Err(gone("The footage has nothing at the time of the clip."));
    }
    if !exit.success() {
        return Err(exit.explain("the footage"));
    }
    let duration_ms = (pictures * 1000 / command::RATE).min(length_ms);
    Ok(Cut { path: folder.join(command::OUTPUT), duration_ms })
}

/// A line of FFmpeg's `-progress`.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// How many pictures were written.
    Pictures(i64),
    /// Up to which time of the clip, in milliseconds.
    Time(i64),
}

impl Progress {
    fn read(line: &str) -> Option<Self> {
        let (name, value) = line.split_once('=')?;
        let value: i64 = value.trim().parse().ok()?;
        match name {
            "frame" => Some(Self::Pictures(value)),
            "out_time_us" => Some(Self::Time(value.max(0) / 1000)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;

    #[test]
    fn progress_is_read_and_what_is_not_known_yet_is_none() {
        assert_eq!(Progress::read("out_time_us=1500000"), Some(Progress::Time(1500)));
        assert_eq!(Progress::read("out_time_us=N/A"), None);
        assert_eq!(Progress::read("out_time_us=-23000"), Some(Progress::Time(0)));
        assert_eq!(Progress::read("frame=  45"), Some(Progress::Pictures(45)));
        assert_eq!(Progress::read("speed=1.0x"), None);
    }
}
