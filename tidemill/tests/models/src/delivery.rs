//! Bodies: in pieces, with pauses, cut.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream;

use crate::dialect::{Dialect, Envelope};
use crate::reply::{Answer, Course};
use crate::visit::Visit;

/// The time that what was sent before a cut has to arrive.
const BEFORE_CUT: Duration = Duration::from_millis(5);
/// The size of the pieces of an answer that is no stream, if it is slow.
const SLOW_PIECE: usize = 64;

const JSON: &str = "application/json; charset=UTF-8";

/// A body that is on its way.
struct Parcel {
    pieces: VecDeque<Bytes>,
    pause: Duration,
    cut: bool,
    visit: Visit,
}

/// An answer on its course. The visit ends with the last piece, or when the client leaves.
pub(crate) fn answer(
    dialect: Dialect,
    envelope: Envelope<'_>,
    answer: &Answer,
    course: Course,
    visit: Visit,
) -> Response {
    let stream = envelope.asked.stream;
    let mut pieces: VecDeque<Bytes> = if stream {
        let mut pieces = dialect.pieces(envelope, answer);
        let half = pieces.len().div_ceil(2).min(pieces.len() - 1);
        match course {
            Course::Unfinished => pieces.truncate(half),
            Course::Error => {
                pieces.truncate(half);
                pieces.push(dialect.ok_error());
            }
            _ => {}
        }
        let ends = !matches!(course, Course::Unfinished | Course::Error);
        dialect.framed(&pieces, ends).into_iter().map(Bytes::from).collect()
    } else {
        [Bytes::from(dialect.whole(envelope, answer).to_string())].into()
    };
    let length = (!stream).then(|| pieces.iter().map(Bytes::len).sum::<usize>());
    match course {
        Course::Cut if stream => pieces.truncate(pieces.len() / 2),
        Course::Cut | Course::Unfinished if !stream => pieces = [pieces[0].slice(..pieces[0].len() / 2)].into(),
        Course::Slow if stream => {
            let comment = Bytes::from_static(dialect.comment().as_bytes());
            pieces = pieces.into_iter().flat_map(|piece| [comment.clone(), piece]).collect();
        }
        Course::Slow => {
            let whole = pieces[0].clone();
            let piece = |from: usize| whole.slice(from..whole.len().min(from + SLOW_PIECE));
            pieces = (0..whole.len()).step_by(SLOW_PIECE).map(piece).collect();
        }
        _ => {}
    }
    let pause = if course == Course::Slow { visit.pause() } else { Duration::ZERO };
    let parcel = Parcel { pieces, pause, cut: course == Course::Cut, visit };
    let kind = if stream { dialect.stream_type() } else { JSON };
    let length = if course == Course::Unfinished { None } else { length };
    respond(kind, length, Body::from_stream(sent(parcel)))
}

/// A small answer that is sent at once.
pub(crate) fn object(dialect: Dialect, stream: bool, object: &serde_json::Value) -> Response {
    let (kind, body) = if stream {
        (dialect.stream_type(), dialect.framed(std::slice::from_ref(object), true).concat())
    } else {
        (JSON, object.to_string())
    };
    respond(kind, Some(body.len()), Body::from(body))
}

fn respond(kind: &'static str, length: Option<usize>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response
}

fn sent(parcel: Parcel) -> impl stream::Stream<Item = Result<Bytes, io::Error>> + Send {
    stream::unfold(parcel, |mut parcel| async move {
        let Some(piece) = parcel.pieces.pop_front() else {
            if parcel.cut {
                tokio::time::sleep(BEFORE_CUT).await;
                parcel.cut = false;
                parcel.visit.end();
                return Some((Err(io::Error::other("the connection is cut")), parcel));
            }
            return None;
        };
        if !parcel.pause.is_zero() {
            tokio::time::sleep(parcel.pause).await;
        }
        if parcel.pieces.is_empty() && !parcel.cut {
            // Before it is sent: whoever has the whole answer finds it in the log.
            parcel.visit.end();
        }
        Some((Ok(piece), parcel))
    })
}

/// Never ends.
pub(crate) async fn silence() -> Infallible {
    std::future::pending().await
}
