//! Clips as files: one with ranges, or several as an archive.

use std::{fmt::Write as _, fs::File, io, io::Read as _, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use super::Clipping;
use crate::{
    clips::ClipView,
    server::{access::Visitor, problem::Problem},
};

/// The most clips of one archive.
const PACKED: usize = 100;
/// How much of an archive is read at once.
const PIECE: usize = 256 << 10;
/// How many archives are made and read at the same time. Each is a file until it is read.
pub(super) const ARCHIVES: usize = 4;
/// An archive of which nothing is taken for so long is given up.
const UNREAD: Duration = Duration::from_mins(1);
/// What a client may ask of a file.
const ASKED: [header::HeaderName; 3] = [header::RANGE, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE];

/// `GET /v1/streams/{id}/clips/{clip}/file`: the file of a finished clip, or a range of it.
pub(in crate::server) async fn file(
    clipping: Arc<Clipping>,
    id: String,
    clip: String,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    visitor.may(clipping.app, &id)?;
    let (clip, path) = clipping.desk.file(&id, &clip)?;
    let mut request = Request::new(Body::empty());
    let asked = ASKED.into_iter().filter_map(|name| Some((name.clone(), headers.get(&name)?.clone())));
    request.headers_mut().extend(asked);
    // Whether the file is still the one that the client has a part of is not known, so it gets the whole file.
    if headers.contains_key(header::IF_RANGE) {
        request.headers_mut().remove(header::RANGE);
    }
    let Ok(served) = ServeFile::new(path).oneshot(request).await;
    let mut response = match served.status() {
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let fix = "ask for bytes of the file: the header Content-Range tells how many it has";
            let size = served.headers().get(header::CONTENT_RANGE).cloned();
            let refused = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "the file has no such range", fix);
            let mut refused = refused.into_response();
            refused.headers_mut().extend(size.map(|size| (header::CONTENT_RANGE, size)));
            return Ok(refused);
        }
        // It was deleted meanwhile.
        StatusCode::NOT_FOUND => {
            return Err(Problem::not_found("file of this clip any more", "ask for the clip again"));
        }
        _ => served.map(Body::new),
    };
    let kind = HeaderValue::from_static("video/mp4");
    dress(response.headers_mut(), kind, &name(&id, &clip), &format!("{}.mp4", title(&id, &clip.reason)))?;
    Ok(response)
}

/// The clips of an archive, separated by commas.
#[derive(Debug, Deserialize)]
pub(in crate::server) struct Packed {
    ids: Option<String>,
}

/// `GET /v1/streams/{id}/clips/archive?ids=A,B`: several finished clips as a zip archive.
pub(in crate::server) async fn archive(
    clipping: Arc<Clipping>,
    id: String,
    Packed { ids }: Packed,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.may(clipping.app, &id)?;
    let ids = ids.unwrap_or_default();
    let mut wanted: Vec<&str> = Vec::new();
    for clip in ids.split(',').map(str::trim).filter(|clip| !clip.is_empty()) {
        if !wanted.contains(&clip) {
            wanted.push(clip);
        }
    }
    if !(1..=PACKED).contains(&wanted.len()) {
        let problem = format!("the archive has {} clips", wanted.len());
        let fix = format!("write ids=A,B with the ids of 1 to {PACKED} finished clips");
        return Err(Problem::new(StatusCode::BAD_REQUEST, problem, fix));
    }
    let place = clipping.archives.clone().try_acquire_owned().map_err(|_| {
        let problem = format!("{ARCHIVES} archives are made or read at this moment");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, problem, "ask again when one of them has been read")
    })?;
    // Archives take time and space, so a tenant's own wait for each other.
    let turn = visitor.turn().await;
    let archive = clipping.desk.archive(&id, &wanted).await?;
    drop(turn);
    let (pieces, read) = mpsc::channel(1);
    tokio::spawn(send(archive.file, pieces, place));
    let pieces = unfold(read, |mut read| async { read.recv().await.map(|piece| (piece, read)) });
    let mut response = Body::from_stream(pieces).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(archive.bytes));
    let (name, title) = (format!("{}-clips.zip", slug(&id)), format!("{}.zip", title(&id, "clips")));
    dress(response.headers_mut(), HeaderValue::from_static("application/zip"), &name, &title)?;
    Ok(response)
}

/// Sends a file in pieces, as they are taken. It ends when nobody takes more.
async fn send(file: File, pieces: mpsc::Sender<io::Result<Bytes>>, _place: OwnedSemaphorePermit) {
    let mut rest = Some(file);
    while let Some(mut file) = rest.take() {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            Ok((Bytes::from(piece), file))
        });
        let piece = match read.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok((piece, _)) if piece.is_empty() => return,
            Ok((piece, file)) => {
                rest = Some(file);
                Ok(piece)
            }
            Err(error) => Err(error),
        };
        if !timeout(UNREAD, pieces.send(piece)).await.is_ok_and(|sent| sent.is_ok()) {
            return;
        }
    }
}

/// `name` is ASCII without quotation marks; `title` is the name for programs that take other letters, too (RFC 6266).
fn dress(headers: &mut HeaderMap, kind: HeaderValue, name: &str, title: &str) -> Result<(), Problem> {
    let encoded = encoded(title);
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\"; filename*=UTF-8''{encoded}"));
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_DISPOSITION, disposition.map_err(|error| Problem::internal(&error))?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(())
}

/// The name of a clip's file, in ASCII without quotation marks.
fn name(id: &str, clip: &ClipView) -> String {
    let what = slug(&clip.reason);
    let what = if what.is_empty() { clip.id.clone() } else { what };
    format!("{}-{what}.mp4", slug(id))
}

/// The name of a file in the letters of its title.
fn title(id: &str, reason: &str) -> String {
    let parts = [id, reason].map(|part| slug_of(part, char::is_alphanumeric));
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// All bytes but the letters and digits of ASCII, `.` and `-` as RFC 8187 writes them.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("strings take everything");
        }
    }
    encoded
}

fn slug(text: &str) -> String {
    slug_of(text, |letter| letter.is_ascii_alphanumeric())
}

fn slug_of(text: &str, is_letter: impl Fn(char) -> bool) -> String {
    let mut slug = String::new();
    for letter in text.chars().take(60) {
        if is_letter(letter) {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_hold_nothing_that_a_header_or_a_folder_could_take_for_something_else() {
        assert_eq!(slug("Chat ran 3.1 times, after \"go\"\r\n/.."), "Chat-ran-3-1-times-after-go");
        assert_eq!(slug("…"), "");
        assert_eq!(
            encoded(&title("ada", "何という ゴール!")),
            "ada-%E4%BD%95%E3%81%A8%E3%81%84%E3%81%86-%E3%82%B4%E3%83%BC%E3%83%AB"
        );
        assert_eq!(title("ada", "\"\r\n/"), "ada");
    }
}
