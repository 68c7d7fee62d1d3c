//! Gets recorded calls: from a file, or from the journal of a running server.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use reqwest::Url;
use serde_json::Value;
use tidemill_apps::apps::{App, http_client};

use crate::usage::usage;

/// How long a server may take to send its journal.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| usage(format!("{} cannot be read: {error}", path.display())))
}

/// The newest calls of a server.
pub(super) async fn fetch(server: &str, app: App, limit: usize, token: Option<&str>) -> Result<String> {
    let mut url = Url::parse(server).map_err(|error| usage(format!("'{server}' is no address: {error}")))?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["state", "calls", app.id, "journal"]);
    }
    url.query_pairs_mut().append_pair("limit", &limit.to_string());
    let mut request = http_client(TIMEOUT)?.get(url.clone());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.with_context(|| format!("{server} does not answer"))?;
    let status = response.status();
    let text = response.text().await.with_context(|| format!("{server} broke off"))?;
    if status.is_success() {
        return Ok(text);
    }
    let told: Value = serde_json::from_str(&text).unwrap_or_default();
    let told = ["error", "fix"].iter().filter_map(|part| told[part].as_str()).collect::<Vec<_>>().join(": ");
    let hint = match status.as_u16() {
        401 | 403 => "; set TIDEMILL_TOKEN to the token of a tenant with admin = true",
        _ => "",
    };
    bail!("{url} gives no calls: HTTP {status}: {told}{hint}");
}
