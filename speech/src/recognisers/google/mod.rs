//! Google Speech-to-Text, version 2, by its stream.

mod call;
mod refusal;
mod results;
mod settings;

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated from the description of the service")]
mod proto {
    tonic::include_proto!("google.cloud.speech.v2");
}

use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use crate::error::shorten;
use crate::{BoxFuture, Limits, Recogniser, Session, SpeechError};

pub use settings::GoogleSettings;

/// Recognition by Google Speech-to-Text V2. Each session is a stream; the transcriber begins a new one before Google ends
/// it after five minutes.
#[derive(Debug, Clone)]
pub struct Google {
    settings: GoogleSettings,
    channel: Channel,
}

impl Google {
    /// A recogniser with these settings, on the current tokio runtime. It connects with the first session. An error says
    /// what is wrong with the settings.
    pub fn new(settings: GoogleSettings) -> Result<Self, SpeechError> {
        settings.check()?;
        let address = settings.address();
        let wrong = |error: tonic::transport::Error| {
            SpeechError::refused(
                format!("the address of Google Speech-to-Text cannot be used ({})", shorten(&error.to_string())),
                "leave it out, or set one like https://eu-speech.googleapis.com",
            )
        };
        let is_tls = address.starts_with("https:");
        let mut endpoint = Endpoint::from_shared(address)
            .map_err(wrong)?
            .connect_timeout(std::time::Duration::from_secs(10))
            .http2_keep_alive_interval(std::time::Duration::from_secs(30))
            .keep_alive_timeout(std::time::Duration::from_secs(20));
        if is_tls {
            endpoint = endpoint.tls_config(ClientTlsConfig::new().with_enabled_roots()).map_err(wrong)?;
        }
        Ok(Self { settings, channel: endpoint.connect_lazy() })
    }
}

impl Recogniser for Google {
    fn name(&self) -> &'static str {
        "google"
    }

    fn limits(&self) -> Limits {
        self.settings.limits
    }

    fn start<'a>(&'a self, _start_ms: i64, language: &'a str) -> BoxFuture<'a, Result<Session, SpeechError>> {
        Box::pin(call::start(&self.settings, self.channel.clone(), language))
    }
}
