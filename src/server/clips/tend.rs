//! What happens to clips without a request: news for pages, retention, erasures, wishes for the end of a stream.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::{Clipping, NEWS, all::Made};

/// How often erasures and ends of streams are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How often old clips are looked for.
const TIDY: Duration = Duration::from_mins(1);
/// How long the last results of a stream may be on their way, beside the times of its windows.
const REST: Duration = Duration::from_secs(5);
/// How long a wish waits after trouble.
const AGAIN: Duration = Duration::from_secs(30);

/// Passes changes of clips to the pages that follow their streams.
pub(super) async fn tell(clipping: Arc<Clipping>) {
    let mut told = clipping.desk.told();
    loop {
        match told.recv().await {
            Ok(told) => {
                let data = json!({ "id": told.id, "clip": told.clip }).to_string();
                clipping.hub.tell(clipping.app, &told.stream_id, NEWS, &data);
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Looks after clips until the server closes.
pub(super) async fn tend(clipping: Arc<Clipping>) {
    let mut tidied = Instant::now();
    let mut due = BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK).await;
        for (id, at_ms) in clipping.sources.take_erased() {
            if let Err(error) = clipping.desk.erase(&id, Some(at_ms)) {
                tracing::warn!(stream = %id, %error, "clips of an erased stream cannot be deleted");
            }
        }
        clipping.fulfil(&mut due).await;
        if tidied.elapsed() > TIDY {
            tidied = Instant::now();
            clipping.desk.tidy();
        }
    }
}

impl Clipping {
    /// Makes all clips of the streams that have ended and whose last results are there. `due` notes when that is.
    async fn fulfil(&self, due: &mut BTreeMap<String, Instant>) {
        let wishing = self.desk.wishing();
        due.retain(|id, _| wishing.contains(id));
        for id in wishing {
            if self.sources.has_ended(&id) != Some(true) {
                due.remove(&id);
                continue;
            }
            let windows = self.engine.settings().windows(self.app);
            let rest = windows.window + windows.grace + windows.idle_after + windows.answer_within + REST;
            let at = due.entry(id.clone()).or_insert_with(|| Instant::now() + rest);
            if Instant::now() < *at {
                continue;
            }
            let Some(wish) = self.desk.wished(&id) else { continue };
            match self.make_all(&id, &wish, None).await {
                Ok(Made { clips, refused }) => {
                    tracing::info!(stream = %id, clips = clips.len(), refused = refused.len(), "all clips of a stream are made");
                    if let Err(error) = self.desk.wish(&id, None) {
                        tracing::warn!(stream = %id, %error, "a wish for clips cannot be taken back");
                    }
                }
                Err(problem) => {
                    tracing::warn!(stream = %id, ?problem, "all clips of a stream cannot be made yet, trying again");
                    due.insert(id, Instant::now() + AGAIN);
                }
            }
        }
    }
}
