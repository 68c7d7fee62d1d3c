//! The pose model, from the folder that the configuration names.

use std::{path::Path as FilePath, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use super::files::Pages;
use crate::server::{address::Path, problem::Problem};

/// `GET /mediapipe/pose/{file}`
pub(in crate::server) async fn pose_model(
    State(pages): State<Arc<Pages>>,
    Path(file): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("such file of the pose model", "set pages.mediapipe_dir to its folder");
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let folder = pages.pose_model.as_ref().ok_or_else(missing)?;
    if file.starts_with('.') || !file.bytes().all(is_name) {
        return Err(missing());
    }
    let kind = match FilePath::new(&file).extension().and_then(|end| end.to_str()) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    };
    let Ok(served) = ServeFile::new(folder.join(file)).oneshot(request).await;
    if served.status() == StatusCode::NOT_FOUND {
        return Err(missing());
    }
    let mut response = served.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
    Ok(response)
}
