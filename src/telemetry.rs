//! Log lines on standard error, and spans for a collector of OpenTelemetry (feature `otel`).

#[cfg(feature = "otel")]
mod export;
#[cfg(feature = "otel")]
mod otlp;

use std::io::IsTerminal as _;

use tracing_subscriber::{
    EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, registry, util::SubscriberInitExt as _,
};

/// What the program tells while it runs. It is to be ended.
pub(crate) struct Telemetry {
    #[cfg(feature = "otel")]
    export: Option<export::Export>,
}

/// Starts logging. The filter was checked with the configuration.
pub(crate) fn start(filter: &str) -> Telemetry {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    let log = fmt::layer().with_ansi(colours).with_writer(std::io::stderr).with_filter(filter);
    #[cfg(not(feature = "otel"))]
    {
        registry().with(log).init();
        Telemetry {}
    }
    #[cfg(feature = "otel")]
    {
        let export = export::start();
        let spans = export.as_ref().ok().and_then(Option::as_ref).map(export::Export::layer);
        registry().with(spans).with(log).init();
        let export = export.unwrap_or_else(|error| {
            tracing::warn!("spans are not exported: {error:#}");
            None
        });
        Telemetry { export }
    }
}

impl Telemetry {
    /// Sends what is not sent yet. Waits a few seconds at most.
    #[cfg_attr(not(feature = "otel"), expect(clippy::unused_self, reason = "the feature otel needs it"))]
    pub(crate) fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(export) = self.export {
            export.end();
        }
    }
}
