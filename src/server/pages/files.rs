//! Files of the pages, which are built into the program.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::PathBuf,
    sync::Arc,
};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    apps::{App, File, SHARED_FILES},
    server::{address::Path, problem::Problem, settings::Settings},
};

/// Pages load files only from this server. The pose model needs WebAssembly and the camera.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; \
    object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The folder of the files that all pages share, as addresses name it.
const SHARED: &str = "shared";

/// The pages of the applications.
pub(in crate::server) struct Pages {
    /// All files, by folder and name.
    files: HashMap<(&'static str, &'static str), Page>,
    applications: Value,
    /// The folder of the pose model.
    pub(super) pose_model: Option<PathBuf>,
}

struct Page {
    file: &'static File,
    /// Names the content: a browser that has the content already is told so.
    tag: HeaderValue,
}

impl Pages {
    pub(in crate::server) fn new(settings: &Settings) -> Self {
        let apps = settings.known();
        let folders = apps.iter().map(|app| (app.section, app.files)).chain([(SHARED, SHARED_FILES)]);
        let files = folders.flat_map(|(folder, files)| {
            let pages = files.iter().filter_map(|file| Some((file, file.path.strip_prefix("page/")?)));
            pages.map(move |(file, name)| ((folder, name), Page { file, tag: tag(file.bytes) }))
        });
        let applications = apps.iter().map(|app| {
            let owner = json!({ "word": app.owner.word, "plural": app.owner.plural, "field": app.owner.field });
            let reads = settings.runs_sources() && app.reads_streams;
            json!({ "id": app.id, "section": app.section, "owner": owner, "door": app.door, "sources": reads })
        });
        Self {
            files: files.collect(),
            applications: applications.collect(),
            pose_model: settings.mediapipe_dir.clone(),
        }
    }

    fn answer(&self, folder: &str, name: &str, asked: &HeaderMap) -> Result<Response, Problem> {
        let page = self.files.get(&(folder, name));
        let Page { file, tag } = page.ok_or_else(|| Problem::not_found("such page", "GET / is the first page"))?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(file.kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::ETAG, tag.clone()),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        if has(asked, tag) {
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        Ok((headers, file.bytes).into_response())
    }

    /// `GET /<section>/<owner>`: the page of an application.
    pub(in crate::server) fn of_app(&self, app: App, asked: &HeaderMap) -> Result<Response, Problem> {
        self.answer(app.section, "index.html", asked)
    }
}

/// A tag of a content. It is weak, because compression changes the bytes that are sent.
fn tag(content: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    HeaderValue::from_str(&format!("W/\"{:016x}\"", hasher.finish())).expect("a tag is ASCII")
}

/// Whether the client already has the content with this tag.
fn has(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    known.flat_map(|tags| tags.split(',')).any(|known| known.trim() == tag || known.trim() == "*")
}

/// `GET /`
pub(in crate::server) async fn home(State(pages): State<Arc<Pages>>, asked: HeaderMap) -> Result<Response, Problem> {
    pages.answer(SHARED, "index.html", &asked)
}

/// `GET /operator`
pub(in crate::server) async fn operator(
    State(pages): State<Arc<Pages>>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    pages.answer(SHARED, "operator.html", &asked)
}

/// `GET /applications`: all applications, whether they run here or not.
pub(in crate::server) async fn applications(State(pages): State<Arc<Pages>>) -> Response {
    Json(&pages.applications).into_response()
}

/// `GET /assets/{folder}/{file}`
pub(in crate::server) async fn asset(
    State(pages): State<Arc<Pages>>,
    Path((folder, file)): Path<(String, String)>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    pages.answer(&folder, &file, &asked)
}
