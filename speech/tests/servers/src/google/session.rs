//! One stream.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use prost_types::Duration;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::Desk;
use super::proto::explicit_decoding_config::AudioEncoding;
use super::proto::recognition_config::DecodingConfig;
use super::proto::streaming_recognize_request::StreamingRequest;
use super::proto::{
    SpeechRecognitionAlternative, StreamingRecognitionConfig, StreamingRecognitionResult, StreamingRecognizeRequest,
    StreamingRecognizeResponse, WordInfo,
};
use crate::draw::Draw;
use crate::{Heard, Hearing, SAMPLES_PER_MS};

/// The most bytes of audio in a message.
const MESSAGE: usize = 15 * 1_024;
/// A pause that ends a result, in milliseconds.
const PAUSE_MS: i64 = 450;
/// Without a pause, a result ends after this time.
const LONG_MS: i64 = 9_000;
/// Results that may change come this often, in milliseconds of audio.
const INTERIM_MS: i64 = 1_000;

type Say = mpsc::Sender<Result<StreamingRecognizeResponse, Status>>;

pub(super) async fn run(desk: Arc<Desk>, number: u64, mut requests: Streaming<StreamingRecognizeRequest>, say: Say) {
    let ended = tokio::select! {
        ended = hear(&desk, number, &mut requests, &say) => ended,
        () = say.closed() => return,
    };
    if let Err(status) = ended {
        let _ = say.send(Err(status)).await;
    }
}

/// Hears a stream to its end.
async fn hear(
    desk: &Desk,
    number: u64,
    requests: &mut Streaming<StreamingRecognizeRequest>,
    say: &Say,
) -> Result<(), Status> {
    let faults = desk.settings.faults;
    let mut draw = Draw::of(faults.seed, number);
    let broken = |status: Status| {
        desk.tally.broken.fetch_add(1, Relaxed);
        Err(status)
    };
    let first = requests.message().await?.ok_or_else(|| Status::invalid_argument("no request was received"))?;
    check(&first)?;
    if draw.strikes(faults.unavailable) {
        return broken(Status::unavailable("The service is currently unavailable."));
    }
    if draw.strikes(faults.exhausted) {
        return broken(Status::resource_exhausted("Quota exceeded for quota metric 'Streaming requests'."));
    }
    let longest_ms = desk.settings.longest_ms;
    let cut_ms = draw.strikes(faults.cut).then(|| draw.between(0, longest_ms * 9 / 10));
    let late_ms = if draw.strikes(faults.late) { draw.between(1_000, 8_000) } else { 250 };
    let mut hearing = Hearing::new(Arc::clone(&desk.settings.script), faults.jitter_ms, faults.seed ^ number);
    let (mut final_ms, mut interim_ms) = (0, 0);
    while let Some(request) = requests.message().await? {
        let Some(StreamingRequest::Audio(audio)) = request.streaming_request else {
            return Err(Status::invalid_argument("Expected audio after the first request."));
        };
        if audio.len() > MESSAGE {
            return Err(Status::invalid_argument("Audio chunk is too large."));
        }
        let samples: Vec<i16> = audio.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        hearing.feed(&samples);
        desk.tally.heard_ms.fetch_add((samples.len() / SAMPLES_PER_MS) as u64, Relaxed);
        let heard_ms = hearing.heard_ms();
        if heard_ms > longest_ms {
            desk.tally.ended.fetch_add(1, Relaxed);
            return Err(Status::aborted("Max duration of 5 minutes reached for stream."));
        }
        if cut_ms.is_some_and(|cut_ms| heard_ms > cut_ms) {
            return broken(if draw.strikes(0.5) {
                Status::internal("Received RST_STREAM with code 2")
            } else {
                Status::unknown("")
            });
        }
        let mut words = hearing.phrase(late_ms, PAUSE_MS);
        if words.is_empty() && heard_ms - final_ms > LONG_MS + late_ms {
            words = hearing.words(late_ms.max(300));
        }
        let mut results = Vec::new();
        if !words.is_empty() {
            final_ms = heard_ms;
            results.push(final_result(&words));
        }
        if heard_ms - interim_ms >= INTERIM_MS {
            interim_ms = heard_ms;
            results.extend(interim_result(&hearing));
        }
        send(say, results).await;
    }
    let rest = hearing.rest();
    if !rest.is_empty() {
        send(say, vec![final_result(&rest)]).await;
    }
    Ok(())
}

async fn send(say: &Say, results: Vec<StreamingRecognitionResult>) {
    if !results.is_empty() {
        // A client that went away is noticed by the caller.
        let _ = say.send(Ok(StreamingRecognizeResponse { results, ..StreamingRecognizeResponse::default() })).await;
    }
}

fn final_result(heard: &[Heard]) -> StreamingRecognitionResult {
    let words: Vec<WordInfo> = heard
        .iter()
        .map(|word| WordInfo {
            word: word.text.clone(),
            start_offset: Some(duration(word.start_ms)),
            end_offset: Some(duration(word.end_ms)),
            confidence: 0.0,
        })
        .collect();
    let text = heard.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    StreamingRecognitionResult {
        alternatives: vec![SpeechRecognitionAlternative { transcript: format!(" {text}."), confidence: 0.9, words }],
        is_final: true,
        result_end_offset: heard.last().map(|word| duration(word.end_ms)),
        language_code: "en-us".to_owned(),
        ..StreamingRecognitionResult::default()
    }
}

fn interim_result(hearing: &Hearing) -> Option<StreamingRecognitionResult> {
    let transcript = hearing.open_text();
    (!transcript.is_empty()).then(|| StreamingRecognitionResult {
        alternatives: vec![SpeechRecognitionAlternative { transcript, ..SpeechRecognitionAlternative::default() }],
        stability: 0.8,
        result_end_offset: Some(duration(hearing.heard_ms())),
        language_code: "en-us".to_owned(),
        ..StreamingRecognitionResult::default()
    })
}

fn duration(ms: i64) -> Duration {
    Duration { seconds: ms / 1_000, nanos: (ms % 1_000) as i32 * 1_000_000 }
}

/// Whether a stream's first request can be used.
fn check(first: &StreamingRecognizeRequest) -> Result<(), Status> {
    let parts: Vec<&str> = first.recognizer.split('/').collect();
    if !matches!(parts[..], ["projects", _, "locations", _, "recognizers", _]) {
        return Err(Status::invalid_argument("Invalid resource field value in the request."));
    }
    let Some(StreamingRequest::StreamingConfig(StreamingRecognitionConfig { config: Some(config), .. })) =
        &first.streaming_request
    else {
        return Err(Status::invalid_argument("The first request must have a streaming_config."));
    };
    if config.model.is_empty() || config.language_codes.iter().all(String::is_empty) {
        return Err(Status::invalid_argument("model and language_codes are required."));
    }
    let Some(DecodingConfig::ExplicitDecodingConfig(decoding)) = &config.decoding_config else {
        return Err(Status::invalid_argument("Headerless audio needs an explicit_decoding_config."));
    };
    let is_pcm = decoding.encoding == i32::from(AudioEncoding::Linear16)
        && (decoding.sample_rate_hertz, decoding.audio_channel_count) == (16_000, 1);
    if is_pcm { Ok(()) } else { Err(Status::invalid_argument("The audio does not fit its decoding_config.")) }
}
