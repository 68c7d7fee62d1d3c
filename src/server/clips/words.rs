//! What was said in a clip, read when it is cut: from the transcript on the log, and from stored insights where that is gone.

use std::{sync::Arc, time::Duration};

use tidemill::{Clock as _, SystemClock, transport::TransportError};
use tidemill_media::{ClipRequest, clips::Caption};

use crate::{
    apps::{App, Span},
    clips::{AskCaptions, TRANSCRIPT, Words},
    server::{engine::Engine, log::scan, results::Hub, sources::Sources},
};

/// How long a recogniser may take for what was said at the end of a clip.
const PATIENCE_MS: i64 = 20_000;

/// Reads what was said.
pub(super) struct Reading {
    pub(super) engine: Arc<Engine>,
    pub(super) hub: Arc<Hub>,
    pub(super) sources: Arc<Sources>,
    pub(super) app: App,
}

impl Reading {
    /// The question that the desk asks.
    pub(super) fn ask(self: Arc<Self>) -> AskCaptions {
        Arc::new(move |request| {
            let (reading, request) = (self.clone(), request.clone());
            Box::pin(async move { reading.said(request).await })
        })
    }

    async fn said(self: Arc<Self>, request: ClipRequest) -> Vec<Caption> {
        let patience_ms = (request.end_ms.saturating_add(PATIENCE_MS) - SystemClock.now_ms()).min(PATIENCE_MS);
        if let Some(patience_ms) = u64::try_from(patience_ms).ok().filter(|patience_ms| *patience_ms > 0) {
            let patience = Duration::from_millis(patience_ms);
            self.sources.until_heard(&request.owner, request.end_ms, patience).await;
        }
        let read = tokio::task::spawn_blocking(move || self.read(&request)).await;
        // A clip without captions is better than none.
        match read {
            Ok(Ok(captions)) => captions,
            Ok(Err(error)) => {
                tracing::warn!(%error, "what was said cannot be read, a clip has no captions");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    fn read(&self, request: &ClipRequest) -> Result<Vec<Caption>, TransportError> {
        let (from_ms, to_ms) = (request.from_ms(), request.end_ms);
        let mut words = Words::between(self.engine.format(), from_ms, to_ms);
        let partition = self.hub.partition(TRANSCRIPT, &request.owner)?;
        self.engine.log().read(|reader| {
            scan(reader, &partition, 0, |record| {
                if record.key.as_deref() == Some(request.owner.as_bytes())
                    && let Some(value) = record.value
                {
                    words.take(value);
                }
                true
            })
        })?;
        let stored = self.hub.stored(self.app, &request.owner, Span::Between(from_ms, to_ms))?;
        stored.results.iter().for_each(|insight| words.take_insight(insight));
        Ok(words.captions())
    }
}
