//! One stream: its configuration, its audio, its results.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use futures_util::stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::GoogleSettings;
use super::proto::explicit_decoding_config::AudioEncoding;
use super::proto::recognition_config::DecodingConfig;
use super::proto::speech_client::SpeechClient;
use super::proto::streaming_recognize_request::StreamingRequest;
use super::proto::{
    ExplicitDecodingConfig, RecognitionConfig, RecognitionFeatures, StreamingRecognitionConfig,
    StreamingRecognitionFeatures, StreamingRecognizeRequest,
};
use super::refusal::error_of;
use super::results::Results;
use crate::{Credential, Recognised, SAMPLE_RATE, SAMPLES_PER_MS, Session, SpeechError};

/// Messages of audio that wait to be sent.
const AUDIO: usize = 8;
/// Results that wait to be read.
const RESULTS: usize = 64;
/// The most bytes of audio in a message. Google takes 15 KB.
const MESSAGE: usize = 15_000;
/// So much audio may be sent at once, in milliseconds, before its speed counts.
const BURST_MS: i64 = 3_000;

type Say = mpsc::Sender<Result<Recognised, SpeechError>>;

pub(super) async fn start(settings: &GoogleSettings, channel: Channel, language: &str) -> Result<Session, SpeechError> {
    let used = settings.token.reveal().await?;
    let (audio, heard) = mpsc::channel(AUDIO);
    let (say, results) = mpsc::channel(RESULTS);
    let (over, ended) = oneshot::channel::<()>();
    let first = StreamingRequest::StreamingConfig(configuration(settings, language));
    let recognizer = settings.recognizer();
    let first = StreamingRecognizeRequest { recognizer: recognizer.clone(), streaming_request: Some(first) };
    let complete = Arc::new(AtomicBool::new(false));
    let feed = Feed {
        first: Some(first),
        heard,
        pace: Pace::new(settings.fastest),
        rest: Vec::new(),
        complete: Arc::clone(&complete),
    };
    // The stream of audio ends with the stream of results: what comes later is not taken.
    let feed = stream::unfold((feed, ended), |(mut feed, mut ended)| async move {
        let message = tokio::select! {
            message = feed.next() => message,
            _ = &mut ended => None,
        };
        message.map(|message| (message, (feed, ended)))
    });
    let mut request = Request::new(feed);
    let mut bearer: MetadataValue<Ascii> = format!("Bearer {used}").parse().map_err(|_| {
        SpeechError::refused(format!("{} holds no usable token", settings.token), "put an access token there")
    })?;
    bearer.set_sensitive(true);
    request.metadata_mut().insert("authorization", bearer);
    let escaped = recognizer.replace('/', "%2F");
    if let Ok(routing) = format!("recognizer={escaped}").parse() {
        request.metadata_mut().insert("x-goog-request-params", routing);
    }
    let token = settings.token.clone();
    tokio::spawn(async move {
        let _over = over;
        let mut client = SpeechClient::new(channel);
        tokio::select! {
            ended = run(&mut client, request, &say, &token) => {
                let error = match ended {
                    Ok(()) if complete.load(Relaxed) => return,
                    Ok(()) => SpeechError::over("Google Speech-to-Text ends the stream before its audio"),
                    Err(status) => error_of(&status, &token, &used),
                };
                let _ = say.send(Err(error)).await;
            }
            // Nobody waits for results any more: the stream ends, too.
            () = say.closed() => {}
        }
    });
    Ok(Session { audio, results })
}

async fn run(
    client: &mut SpeechClient<Channel>,
    request: Request<impl stream::Stream<Item = StreamingRecognizeRequest> + Send + 'static>,
    say: &Say,
    token: &Credential,
) -> Result<(), Status> {
    let mut responses = client.streaming_recognize(request).await?.into_inner();
    token.proven();
    let mut results = Results::default();
    while let Some(response) = responses.message().await? {
        for result in results.read(response) {
            if say.send(Ok(result)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn configuration(settings: &GoogleSettings, language: &str) -> StreamingRecognitionConfig {
    let pcm = ExplicitDecodingConfig {
        encoding: AudioEncoding::Linear16.into(),
        sample_rate_hertz: SAMPLE_RATE as i32,
        audio_channel_count: 1,
    };
    let features = RecognitionFeatures {
        enable_word_time_offsets: true,
        enable_automatic_punctuation: true,
        ..RecognitionFeatures::default()
    };
    StreamingRecognitionConfig {
        config: Some(RecognitionConfig {
            model: settings.model.clone(),
            language_codes: vec![language.to_owned()],
            features: Some(features),
            decoding_config: Some(DecodingConfig::ExplicitDecodingConfig(pcm)),
        }),
        streaming_features: Some(StreamingRecognitionFeatures {
            interim_results: true,
            ..StreamingRecognitionFeatures::default()
        }),
    }
}

/// The messages of a stream, in their order.
struct Feed {
    first: Option<StreamingRecognizeRequest>,
    heard: mpsc::Receiver<Vec<i16>>,
    pace: Pace,
    /// Bytes that did not fit into the last message.
    rest: Vec<u8>,
    /// All audio was sent.
    complete: Arc<AtomicBool>,
}

impl Feed {
    async fn next(&mut self) -> Option<StreamingRecognizeRequest> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.rest.is_empty() {
            let Some(samples) = self.heard.recv().await else {
                self.complete.store(true, Relaxed);
                return None;
            };
            self.pace.wait((samples.len() / SAMPLES_PER_MS) as i64).await;
            self.rest = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        }
        let later = self.rest.split_off(self.rest.len().min(MESSAGE));
        let audio = std::mem::replace(&mut self.rest, later);
        Some(StreamingRecognizeRequest {
            recognizer: String::new(),
            streaming_request: Some(StreamingRequest::Audio(audio)),
        })
    }
}

/// Keeps audio that was kept from being sent much faster than it was spoken.
struct Pace {
    fastest: f64,
    begun: Instant,
    sent_ms: i64,
}

impl Pace {
    fn new(fastest: f64) -> Self {
        Self { fastest, begun: Instant::now(), sent_ms: 0 }
    }

    async fn wait(&mut self, ms: i64) {
        let ahead_ms = (self.sent_ms - BURST_MS).max(0) as f64;
        let due = self.begun + Duration::from_secs_f64(ahead_ms / self.fastest / 1_000.0);
        self.sent_ms += ms;
        tokio::time::sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn audio_that_was_kept_is_sent_no_faster_than_set() {
        let mut pace = Pace::new(3.0);
        let begun = Instant::now();
        for _ in 0..630 {
            pace.wait(100).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        assert!((19.0..21.0).contains(&seconds), "a minute took {seconds} s");
    }

    #[tokio::test(start_paused = true)]
    async fn audio_as_fast_as_speech_does_not_wait() {
        let mut pace = Pace::new(3.0);
        let begun = Instant::now();
        for _ in 0..600 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            pace.wait(100).await;
        }
        assert_eq!(begun.elapsed().as_secs(), 60);
    }
}
