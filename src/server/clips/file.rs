//! Clips as files: one with ranges, or several as an archive.

use std::{fmt::Write as _, fs::File, io::Read as _, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream::unfold;
use serde::Deserialize;
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
    // Archives take time and space, so a tenant's own wait for each other.
    let _turn = visitor.turn().await;
    let archive = clipping.desk.archive(&id, &wanted).await?;
    let pieces = unfold(Some(archive.file), |file| async { piece(file?).await });
    let mut response = Body::from_stream(pieces).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(archive.bytes));
    let (name, title) = (format!("{}-clips.zip", slug(&id)), format!("{}.zip", title(&id, "clips")));
    dress(response.headers_mut(), HeaderValue::from_static("application/zip"), &name, &title)?;
    Ok(response)
}

/// The next piece of a file, and the file if there may be more.
async fn piece(mut file: File) -> Option<(std::io::Result<Bytes>, Option<File>)> {
    let read = tokio::task::spawn_blocking(move || {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece);
        read.map(|length| {
            piece.truncate(length);
            (Bytes::from(piece), file)
        })
    });
    match read.await {
        Ok(Ok((piece, _))) if piece.is_empty() => None,
        Ok(Ok((piece, file))) => Some((Ok(piece), Some(file))),
        Ok(Err(error)) => Some((Err(error), None)),
        Err(error) => Some((Err(std::io::Error::other(error)), None)),
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
