//! One process: audio in, words out, and an end in any case.

use std::process::ExitStatus;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc;

use super::output::Output;
use crate::error::shorten;
use crate::{Recognised, Session, SpeechError};

/// Messages of audio that wait for the process.
const AUDIO: usize = 8;
/// Results that wait to be read.
const RESULTS: usize = 16;
/// The longest line that is read, in bytes. A session's words have far less.
const LINE: usize = 1 << 20;

type Say = mpsc::Sender<Result<Recognised, SpeechError>>;

/// The session of this process.
pub(super) fn session(child: Child) -> Session {
    let (audio, heard) = mpsc::channel(AUDIO);
    let (say, results) = mpsc::channel(RESULTS);
    tokio::spawn(async move {
        let over = say.clone();
        // The process is killed when it is dropped: nobody waits for the results any more.
        tokio::select! {
            () = run(child, heard, say) => {}
            () = over.closed() => {}
        }
    });
    Session { audio, results }
}

async fn run(mut child: Child, heard: mpsc::Receiver<Vec<i16>>, say: Say) {
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return;
    };
    let output = async { tokio::join!(read(stdout, &say), complaint(stderr)) };
    tokio::pin!(output);
    let (read, complaint) = tokio::select! {
        // It ended before its audio.
        output = &mut output => output,
        () = feed(stdin, heard) => output.await,
    };
    let error = match (read, child.wait().await) {
        (Err(error), _) => Some(SpeechError::transient(format!("the output of pocketsphinx cannot be read ({error})"))),
        (_, Err(error)) => Some(SpeechError::transient(format!("pocketsphinx has no exit status ({error})"))),
        (Ok(()), Ok(status)) if status.success() => None,
        (Ok(()), Ok(status)) => Some(failed(status, complaint)),
    };
    if let Some(error) = error {
        let _ = say.send(Err(error)).await;
    }
}

/// A status of its own says that the program refuses its model or arguments; a signal may be the machine's lack of memory.
fn failed(status: ExitStatus, complaint: Option<String>) -> SpeechError {
    let why = complaint.unwrap_or_else(|| "it does not say why".to_owned());
    if status.code().is_some() {
        SpeechError::refused(
            format!("pocketsphinx failed ({status}; {why})"),
            "install its model, on Debian: apt-get install pocketsphinx-en-us, or check its arguments",
        )
    } else {
        SpeechError::transient(format!("pocketsphinx was ended ({status})"))
    }
}

async fn feed(mut stdin: ChildStdin, mut heard: mpsc::Receiver<Vec<i16>>) {
    while let Some(samples) = heard.recv().await {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        if stdin.write_all(&bytes).await.is_err() {
            // Its exit status says why it takes no more. The rest is not wanted.
            return;
        }
    }
}

async fn read(stdout: impl AsyncRead + Unpin, say: &Say) -> std::io::Result<()> {
    let mut output = Output::default();
    let mut lines = Lines::new(stdout);
    while let Some(line) = lines.next().await? {
        if let Some(result) = output.line(&line) {
            let _ = say.send(Ok(result)).await;
        }
    }
    if let Some(result) = output.end() {
        let _ = say.send(Ok(result)).await;
    }
    Ok(())
}

/// The last error that the process wrote. All of its chatter is read, so that it never waits for a reader.
async fn complaint(stderr: impl AsyncRead + Unpin) -> Option<String> {
    let mut lines = Lines::new(stderr);
    let mut last = None;
    while let Ok(Some(line)) = lines.next().await {
        if line.starts_with("ERROR") || line.starts_with("FATAL") {
            last = Some(shorten(&line));
        }
    }
    last
}

/// Lines of a length that is bounded.
struct Lines<R>(BufReader<R>);

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(from: R) -> Self {
        Self(BufReader::new(from))
    }

    async fn next(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        loop {
            let available = self.0.fill_buf().await?;
            if available.is_empty() {
                break;
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(available.len());
            let room = LINE.saturating_sub(line.len());
            line.extend_from_slice(&available[..taken.min(room)]);
            self.0.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
        }
        Ok((!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned()))
    }
}
