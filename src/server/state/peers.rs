//! Asks other instances for keys that they have.

use std::time::Duration;

use axum::{
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use tidemill::HostInfo;

use super::inspector::Inspector;

/// Header of a request from another instance. Such a request is not forwarded again, so no request goes in circles.
pub(super) const FORWARDED: &str = "tidemill-forwarded";

/// How long another instance may take to answer.
pub(in crate::server) const PATIENCE: Duration = Duration::from_secs(5);

/// The requested key, and the client's token.
pub(super) struct Asked {
    pub(super) store: String,
    pub(super) key: String,
    pub(super) token: Option<String>,
}

impl Inspector {
    /// Asks another instance. A found value or an unknown key is an answer. Everything else is the reason why there is
    /// no answer.
    pub(super) async fn forward(&self, host: &HostInfo, asked: &Asked, standby: bool) -> Result<Response, String> {
        let instance = &host.instance;
        let address = host.address.as_ref();
        let address = address.ok_or_else(|| {
            format!("instance {instance}, which has the key, has no known address: set server.advertise there")
        })?;
        let mut url = reqwest::Url::parse(&format!("http://{address}"))
            .map_err(|error| format!("the address {address} of instance {instance} is not valid: {error}"))?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(["state", "stores", &asked.store, &asked.key]);
        }
        if standby {
            url.set_query(Some("standby=true"));
        }
        let request = self.http.get(url).header(FORWARDED, "1");
        let request = match &asked.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let failed = |error: reqwest::Error| {
            tracing::warn!(%instance, %address, %error, "an instance cannot be asked");
            format!("instance {instance}, which has the key, cannot be reached")
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        if status == StatusCode::OK || status == StatusCode::NOT_FOUND {
            let kind = response.headers().get(header::CONTENT_TYPE).cloned();
            let body = response.bytes().await.map_err(failed)?;
            let mut answer = (status, Body::from(body)).into_response();
            answer.headers_mut().extend(kind.map(|kind| (header::CONTENT_TYPE, kind)));
            return Ok(answer);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(format!("instance {instance}, which has the key, is not ready to answer"));
        }
        tracing::warn!(%instance, %address, %status, "an instance refuses to answer");
        Err(format!("instance {instance}, which has the key, refuses to answer with status {status}"))
    }
}
