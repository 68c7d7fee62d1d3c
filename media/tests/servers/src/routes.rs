//! What the server answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::playlist;
use crate::schedule::{Captions, Strike};
use crate::server::{Kind, Stream};

const PLAYLIST: &str = "application/vnd.apple.mpegurl";

pub(crate) fn routes(stream: Arc<Stream>) -> Router {
    Router::new()
        .route("/live/master.m3u8", get(master))
        .route("/live/video.m3u8", get(video))
        .route("/live/captions.m3u8", get(captions))
        .route("/live/video/{name}", get(segment))
        .route("/live/captions/{name}", get(caption))
        .route("/recording.mp4", get(recording))
        .layer(middleware::from_fn_with_state(Arc::clone(&stream), expire))
        .route("/watch", get(watch))
        .with_state(stream)
}

/// The address of a stream works for some hours only.
async fn expire(State(stream): State<Arc<Stream>>, request: Request, next: Next) -> Response {
    match stream.schedule.faults.expires_at {
        Some(at) if stream.made() >= at && !stream.renewed() => StatusCode::FORBIDDEN.into_response(),
        _ => next.run(request).await,
    }
}

async fn master(State(stream): State<Arc<Stream>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PLAYLIST)], playlist::master(&stream.schedule))
}

async fn video(State(stream): State<Arc<Stream>>) -> impl IntoResponse {
    let text = playlist::media(&stream.schedule, &stream.content, stream.made(), ("video", "ts"));
    ([(header::CONTENT_TYPE, PLAYLIST)], text)
}

async fn captions(State(stream): State<Arc<Stream>>) -> Response {
    if stream.schedule.captions == Captions::Off {
        return StatusCode::NOT_FOUND.into_response();
    }
    let text = playlist::media(&stream.schedule, &stream.content, stream.made(), (playlist::CAPTIONS, "vtt"));
    ([(header::CONTENT_TYPE, PLAYLIST)], text).into_response()
}

/// The number in `N.ending`, where that segment can be had.
fn number(stream: &Stream, name: &str) -> Result<u64, StatusCode> {
    let number = name.split('.').next().and_then(|number| number.parse().ok()).ok_or(StatusCode::NOT_FOUND)?;
    let made = stream.schedule.ends_after.map_or(stream.made(), |end| stream.made().min(end));
    let ended = stream.schedule.ends_after == Some(made);
    // Servers keep segments a while after the playlist no longer lists them.
    let oldest = if ended { 0 } else { made.saturating_sub(stream.schedule.window * 2) };
    if (oldest..made).contains(&number) { Ok(number) } else { Err(StatusCode::NOT_FOUND) }
}

async fn segment(State(stream): State<Arc<Stream>>, Path(name): Path<String>) -> Result<Response, StatusCode> {
    if let Some(init) = stream.content.init().filter(|_| name == "init.wav") {
        return Ok(([(header::CONTENT_TYPE, "audio/wav")], init).into_response());
    }
    let number = number(&stream, &name)?;
    answer(&stream, Kind::Media, number, stream.content.segment(number))
}

/// Answers with a segment, as the faults want it.
fn answer(stream: &Arc<Stream>, kind: Kind, number: u64, bytes: Bytes) -> Result<Response, StatusCode> {
    let asked = stream.ask(kind, number);
    if stream.schedule.faults.lost.contains(&number) {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let kind = match kind {
        Kind::Media => (header::CONTENT_TYPE, "video/mp2t"),
        Kind::Captions => (header::CONTENT_TYPE, "text/vtt"),
    };
    match stream.schedule.faults.strike(number).filter(|_| asked == 1) {
        None => Ok(([kind], bytes).into_response()),
        Some(Strike::Busy) => Err(StatusCode::SERVICE_UNAVAILABLE),
        Some(Strike::Cut) => {
            let half = bytes.slice(..bytes.len() / 2);
            let parts: [io::Result<Bytes>; 2] = [Ok(half), Err(io::Error::other("cut off"))];
            let body = Body::from_stream(stream::iter(parts));
            Ok(([kind, (header::CONTENT_LENGTH, &bytes.len().to_string())], body).into_response())
        }
        Some(Strike::Slow) => {
            let pause = Duration::from_millis(stream.schedule.faults.slow_ms);
            let (length, half) = (bytes.len().to_string(), bytes.len() / 2);
            let first = stream::iter([Ok::<_, io::Error>(bytes.slice(..half))]);
            let second = stream::once(async move {
                tokio::time::sleep(pause).await;
                Ok(bytes.slice(half..))
            });
            Ok(([kind, (header::CONTENT_LENGTH, &length)], Body::from_stream(first.chain(second))).into_response())
        }
    }
}

async fn caption(State(stream): State<Arc<Stream>>, Path(name): Path<String>) -> Result<Response, StatusCode> {
    let number = number(&stream, &name)?;
    let text = stream.content.captions(number, stream.schedule.captions);
    answer(&stream, Kind::Captions, number, text.into())
}

/// The recording, whole or from a byte on: FFmpeg seeks by that.
async fn recording(State(stream): State<Arc<Stream>>, headers: HeaderMap) -> Result<Response, StatusCode> {
    let path = stream.content.recording().to_owned();
    let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
    let bytes = Bytes::from(read.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?.map_err(|_| StatusCode::NOT_FOUND)?);
    let from: Option<usize> = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let kind = (header::CONTENT_TYPE, "video/mp4".to_owned());
    let ranges = (header::ACCEPT_RANGES, "bytes".to_owned());
    Ok(match from {
        Some(from) if from < bytes.len() => {
            let part = (header::CONTENT_RANGE, format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()));
            (StatusCode::PARTIAL_CONTENT, [kind, ranges, part], bytes.slice(from..)).into_response()
        }
        _ => ([kind, ranges], bytes).into_response(),
    })
}

async fn watch(State(stream): State<Arc<Stream>>) -> Html<String> {
    stream.renew();
    let title = stream.schedule.title.replace('&', "&amp;").replace('<', "&lt;");
    Html(format!(
        "<!doctype html><html><head><title>{title}</title></head><body>\
         <video controls><source src=\"live/master.m3u8\" type=\"application/x-mpegURL\"></video></body></html>"
    ))
}
