//! The pages and their files.

use std::{path::Path as FilePath, sync::Arc};

use axum::{
    extract::{Path, State},
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};

use super::{http::Server, problem::Problem};

/// Addresses, types and bytes of all files.
const ASSETS: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The recordings that the program brings: names and JSON lines.
pub fn recordings() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = ASSETS.iter().filter(|(at, ..)| at.starts_with("/recordings/"));
    all.filter_map(|(at, _, bytes)| Some((*at, std::str::from_utf8(bytes).ok()?)))
}

/// Pages load from here alone; the pose model needs WebAssembly and the camera.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; \
    object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn serve(address: &str) -> Result<Response, Problem> {
    let (_, kind, bytes) = ASSETS
        .iter()
        .find(|(at, ..)| *at == address)
        .ok_or_else(|| Problem::not_found("such page", "GET / lists streams and athletes"))?;
    let headers = [
        (header::CONTENT_TYPE, *kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, *bytes).into_response())
}

/// `GET /`
pub(super) async fn home() -> Result<Response, Problem> {
    serve("/assets/shared/index.html")
}

/// `GET /live/{stream_id}`
pub(super) async fn live() -> Result<Response, Problem> {
    serve("/assets/live/index.html")
}

/// `GET /coach/{user_id}`
pub(super) async fn coach() -> Result<Response, Problem> {
    serve("/assets/coach/index.html")
}

/// `GET /assets/…`
pub(super) async fn asset(uri: Uri) -> Result<Response, Problem> {
    serve(uri.path())
}

/// `GET /mediapipe/pose/{file}`: the pose model, from the folder that the configuration names.
pub(super) async fn pose_model(
    State(server): State<Arc<Server>>,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("such file of the pose model", "set pages.mediapipe_dir to its folder");
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let folder = server.engine.settings().mediapipe_dir.clone().ok_or_else(missing)?;
    if file.starts_with('.') || !file.bytes().all(is_name) {
        return Err(missing());
    }
    let kind = match FilePath::new(&file).extension().and_then(|end| end.to_str()) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    };
    let read = tokio::task::spawn_blocking(move || std::fs::read(folder.join(file))).await;
    let bytes = read.map_err(|error| Problem::internal(&error))?.map_err(|_| missing())?;
    let mut response = bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
    Ok(response)
}
