//! The pages and their files.

use std::{path::Path as FilePath, sync::Arc};

use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::{http::Shared, problem::Problem};
use crate::apps::{App, File, SHARED_FILES};

/// Pages load files only from this server. The pose model needs WebAssembly and the camera.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; \
    object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn serve(file: Option<&File>) -> Result<Response, Problem> {
    let file = file.ok_or_else(|| Problem::not_found("such page", "GET / lists streams and athletes"))?;
    let headers = [
        (header::CONTENT_TYPE, file.kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, file.bytes).into_response())
}

/// The folder of the files that all pages share, as addresses name it.
const SHARED: &str = "shared";

fn shared_file(name: &str) -> Option<&'static File> {
    SHARED_FILES.iter().find(|file| file.path.strip_prefix("page/") == Some(name))
}

/// `GET /`
pub(in crate::server) async fn home() -> Result<Response, Problem> {
    serve(shared_file("index.html"))
}

/// `GET /<section>/<owner>`: the page of an application.
pub(in crate::server) fn of_app(app: App) -> Result<Response, Problem> {
    serve(app.page_file("index.html"))
}

/// `GET /assets/{folder}/{file}`
pub(in crate::server) async fn asset(
    State(shared): State<Arc<Shared>>,
    Path((folder, file)): Path<(String, String)>,
) -> Result<Response, Problem> {
    if folder == SHARED {
        return serve(shared_file(&file));
    }
    let app = shared.engine.settings().known().into_iter().find(|app| app.section == folder);
    serve(app.and_then(|app| app.page_file(&file)))
}

/// `GET /mediapipe/pose/{file}`: the pose model, from the folder that the configuration names.
pub(in crate::server) async fn pose_model(
    State(shared): State<Arc<Shared>>,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("such file of the pose model", "set pages.mediapipe_dir to its folder");
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let folder = shared.engine.settings().mediapipe_dir.clone().ok_or_else(missing)?;
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
