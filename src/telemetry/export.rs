//! Sends spans of model calls to a collector of OpenTelemetry. A thread of its own does it, so nothing waits for the
//! collector: while it is away, spans are dropped.

use std::{
    env,
    fmt::{self, Debug, Formatter},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use reqwest::{
    Client, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use tidemill_apps::apps::http_client;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::{Layer, Registry, filter::filter_fn};

use super::otlp;

/// The spans of model calls have this module's name. They have no content of requests and answers.
const CALLS: &str = "tidemill::llm";
/// How long the end of the program waits for the collector.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the collector may take, if the environment does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running export.
pub(super) struct Export(SdkTracerProvider);

/// Starts the export, if the environment names a collector.
pub(super) fn start() -> Result<Option<Export>> {
    let is_off = env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    let Some(url) = endpoint()?.filter(|_| !is_off) else { return Ok(None) };
    let timeout = variable("TIMEOUT").map(|ms| ms.parse().map(Duration::from_millis)).transpose();
    let timeout = timeout.context("OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds")?.unwrap_or(TIMEOUT);
    let client = http_client(timeout).context("the HTTPS client cannot be made")?;
    let runtime = Builder::new_current_thread().enable_all().build().context("the runtime cannot be started")?;
    let resource = Resource::builder();
    let is_named = env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty());
    let resource = if is_named { resource } else { resource.with_service_name("tidemill") }.build();
    let collector = Collector { client, url, headers: headers()?, runtime, resource: resource.clone() };
    let provider = SdkTracerProvider::builder().with_batch_exporter(collector).with_resource(resource);
    Ok(Some(Export(provider.build())))
}

/// A variable of the exporter: for traces, or else for all signals.
fn variable(name: &str) -> Option<String> {
    let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{name}"), format!("OTEL_EXPORTER_OTLP_{name}")];
    names.into_iter().find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Where spans are sent. The address for traces is taken as it is; the one for all signals has their paths below it.
fn endpoint() -> Result<Option<Url>> {
    let own = env::var("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").ok().filter(|url| !url.is_empty());
    let all = env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok().filter(|url| !url.is_empty());
    let url = own.or_else(|| Some(format!("{}/v1/traces", all?.trim_end_matches('/'))));
    url.map(|url| Url::parse(&url).with_context(|| format!("'{url}' is no address of a collector"))).transpose()
}

/// The headers of requests, such as `authorization=Bearer x,tenant=a`.
fn headers() -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in variable("HEADERS").unwrap_or_default().split(',').filter(|pair| !pair.trim().is_empty()) {
        // A value may be secret, so the error does not quote it.
        let wrong = || anyhow!("OTEL_EXPORTER_OTLP_HEADERS has a part that is not NAME=VALUE");
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(&decoded(value.trim())).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(headers)
}

/// Puts bytes in the place of their codes, such as `%20`.
fn decoded(text: &str) -> String {
    let byte = |code: &str| u8::from_str_radix(code, 16).ok();
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some((before, behind)) = rest.split_once('%') {
        out.extend_from_slice(before.as_bytes());
        match behind.get(..2).and_then(byte) {
            Some(byte) => {
                out.push(byte);
                rest = &behind[2..];
            }
            None => {
                out.push(b'%');
                rest = behind;
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

impl Export {
    /// Takes the spans of model calls, and no events: those are for the log.
    pub(super) fn layer(&self) -> impl Layer<Registry> + use<> {
        let layer = tracing_opentelemetry::layer::<Registry>().with_tracer(self.0.tracer("tidemill"));
        let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false);
        layer.with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with(CALLS)))
    }

    /// Sends what is not sent yet.
    pub(super) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(PATIENCE) {
            tracing::warn!("the last spans did not reach the collector: {error}");
        }
    }
}

/// A collector. It is asked on the thread of the batches, which is on no runtime.
struct Collector {
    client: Client,
    url: Url,
    headers: HeaderMap,
    runtime: Runtime,
    resource: Resource,
}

impl Debug for Collector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Collector({})", self.url)
    }
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let body = otlp::request(&self.resource, &batch).to_string();
        let request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        let sent = self.runtime.block_on(async { request.send().await?.error_for_status() });
        let sent = sent.map(drop).map_err(|error| error.without_url().to_string());
        sent.map_err(|error| {
            tracing::warn!("{} spans are lost, because the collector did not take them: {error}", batch.len());
            OTelSdkError::InternalFailure(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_headers_are_decoded() {
        assert_eq!(decoded("Bearer%20a%3Db%"), "Bearer a=b%");
        assert_eq!(decoded("50%zz"), "50%zz");
    }
}
