//! FFmpeg, as a decoder: media in, PCM with event times out. All in pipes.

use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::audio::{AudioOptions, Pcm, SAMPLE_RATE};
use crate::error::MediaError;
use crate::process::{Exit, MEDIA, Program, Running};

const SAMPLES_PER_MS: i64 = SAMPLE_RATE as i64 / 1000;

/// Where blocks go. It remembers where the last one ended, so that nothing is given twice.
#[derive(Debug)]
pub(super) struct Sink {
    blocks: mpsc::Sender<Result<Pcm, MediaError>>,
    block_samples: usize,
    /// Samples before this time were given already.
    floor_ms: i64,
}

impl Sink {
    pub(super) fn new(blocks: mpsc::Sender<Result<Pcm, MediaError>>, options: &AudioOptions) -> Self {
        let block_samples = (options.block_ms.max(10) * (SAMPLE_RATE / 1000)) as usize;
        Self { blocks, block_samples, floor_ms: options.resume_after_ms.unwrap_or(i64::MIN) }
    }

    /// Where the last block ended; `None` before the first one.
    pub(super) fn floor_ms(&self) -> Option<i64> {
        (self.floor_ms > i64::MIN).then_some(self.floor_ms)
    }

    /// Gives a block, without what was given before. False where nobody takes blocks any more.
    async fn give(&mut self, mut pcm: Pcm) -> bool {
        let end_ms = pcm.end_ms();
        if end_ms <= self.floor_ms {
            return true;
        }
        let early = self.floor_ms.saturating_sub(pcm.start_ms);
        if early > 0 {
            pcm.samples.drain(..((early * SAMPLES_PER_MS) as usize).min(pcm.samples.len()));
            pcm.start_ms = self.floor_ms;
        }
        self.floor_ms = end_ms;
        self.blocks.send(Ok(pcm)).await.is_ok()
    }
}

/// How a decoder ended.
pub(super) struct Decoded {
    pub(super) exit: Exit,
    /// How many samples came out.
    pub(super) samples: u64,
    pub(super) sink: Sink,
}

/// FFmpeg that decodes.
pub(super) struct Decoder {
    running: Running,
    stdin: Option<ChildStdin>,
    reader: Reader,
}

/// The task that takes FFmpeg's output; it stops with the decoder.
struct Reader(JoinHandle<(Sink, u64)>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Decoder {
    /// A decoder of what [`Decoder::write`] gives it. Its first sample has the time `start_ms`.
    pub(super) fn of_pipe(ffmpeg: &Program, start_ms: i64, sink: Sink) -> Result<Self, MediaError> {
        // Segments are short: FFmpeg should not wait for more than one until it begins.
        let probe = ["-probesize", "2000000", "-analyzeduration", "2000000"];
        let input = ["-format_whitelist", MEDIA, "-protocol_whitelist", "pipe", "-i", "pipe:0"];
        let input = [probe.as_slice(), &input].concat();
        Self::start(ffmpeg, &input.iter().map(|&option| option.to_owned()).collect::<Vec<_>>(), true, start_ms, sink)
    }

    /// A decoder of what FFmpeg reads by itself: `input` are its options, with the address.
    pub(super) fn of_input(ffmpeg: &Program, input: &[String], start_ms: i64, sink: Sink) -> Result<Self, MediaError> {
        Self::start(ffmpeg, input, false, start_ms, sink)
    }

    fn start(ffmpeg: &Program, input: &[String], piped: bool, start_ms: i64, sink: Sink) -> Result<Self, MediaError> {
        let mut command = ffmpeg.command();
        command.args(["-hide_banner", "-nostats", "-loglevel", "error"]).args(input);
        // Holes in the timestamps become silence, and audio that begins after the video begins with silence: then the
        // number of a sample tells its time.
        command.args(["-map", "0:a:0", "-af", "aresample=16000:async=1:first_pts=0", "-ac", "1", "-ar", "16000"]);
        command.args(["-f", "s16le", "-flush_packets", "1", "pipe:1"]).stdout(Stdio::piped());
        if piped {
            command.stdin(Stdio::piped());
        }
        let mut running = Running::start(ffmpeg, command)?;
        let stdin = running.stdin();
        let stdout = running.stdout().ok_or_else(|| MediaError::transient("FFmpeg has no output."))?;
        let reader = Reader(tokio::spawn(read(stdout, start_ms, sink)));
        Ok(Self { running, stdin, reader })
    }

    /// Gives FFmpeg more. Waits while it cannot take more. False where FFmpeg takes nothing any more.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> bool {
        match self.stdin.as_mut() {
            Some(stdin) => stdin.write_all(bytes).await.is_ok(),
            None => false,
        }
    }

    /// Tells FFmpeg that there is no more, and waits until all samples were taken.
    pub(super) async fn finish(mut self) -> Result<Decoded, MediaError> {
        drop(self.stdin.take());
        let lost = |_| MediaError::transient("The reader of FFmpeg's output stopped.");
        let (sink, samples) = (&mut self.reader.0).await.map_err(lost)?;
        // Its output is closed: it ends, or it hangs and is killed.
        if let Ok(exit) = tokio::time::timeout(std::time::Duration::from_secs(20), self.running.wait()).await {
            return Ok(Decoded { exit: exit?, samples, sink });
        }
        self.running.kill();
        Ok(Decoded { exit: self.running.wait().await?, samples, sink })
    }
}

async fn read(mut stdout: ChildStdout, start_ms: i64, mut sink: Sink) -> (Sink, u64) {
    let mut given = 0_u64;
    let mut block = vec![0; sink.block_samples * 2];
    loop {
        let mut filled = 0;
        while filled < block.len() {
            match stdout.read(&mut block[filled..]).await {
                Ok(0) | Err(_) => break,
                Ok(count) => filled += count,
            }
        }
        let samples: Vec<i16> = block[..filled].as_chunks().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
        if samples.is_empty() {
            return (sink, given);
        }
        let start = start_ms + (given as i64) / SAMPLES_PER_MS;
        given += samples.len() as u64;
        if !sink.give(Pcm { samples, start_ms: start }).await || filled < block.len() {
            return (sink, given);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::Sink;
    use crate::audio::{AudioOptions, Pcm};

    #[tokio::test]
    async fn samples_that_were_given_are_cut_off() {
        let (sender, mut blocks) = mpsc::channel(9);
        let mut sink = Sink::new(sender, &AudioOptions { resume_after_ms: Some(150), ..AudioOptions::new(0) });
        for start_ms in [0, 100, 100, 200] {
            assert!(sink.give(Pcm { samples: vec![1; 1600], start_ms }).await);
        }
        drop(sink);
        let mut got = Vec::new();
        while let Some(Ok(pcm)) = blocks.recv().await {
            got.push((pcm.start_ms, pcm.samples.len()));
        }
        assert_eq!(got, [(150, 800), (200, 1600)]);
    }
}
