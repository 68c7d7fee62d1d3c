//! A source as it changes.

use std::{sync::Arc, time::Duration};

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use serde_json::Value;
use tokio::{sync::watch, time::sleep};

use super::{Sources, shown};
use crate::apps::App;

/// The shortest time between two changes that are told: the number of messages changes all the time.
const CALM: Duration = Duration::from_millis(300);

/// What was told of a source.
struct Following {
    sources: Arc<Sources>,
    id: String,
    changes: watch::Receiver<u64>,
    /// `None` before the first time.
    told: Option<Value>,
}

impl Sources {
    /// The source of an owner as clients see it; `None` if nothing is read of it.
    pub(in crate::server) fn of(&self, app: App, id: &str) -> Option<Value> {
        let running = self.running.as_ref().filter(|_| app == self.app)?;
        running.view().get(id).map(|seen| shown::source(running, &seen))
    }

    /// The source of an owner as it is now, and then each time when it has changed; null if nothing is read. Without
    /// sources on this server, nothing comes.
    pub(in crate::server) fn follow(self: &Arc<Self>, app: App, id: &str) -> BoxStream<'static, Value> {
        let Some(running) = self.running.as_ref().filter(|_| app == self.app) else { return stream::empty().boxed() };
        let changes = running.view().changes();
        let following = Following { sources: self.clone(), id: id.to_owned(), changes, told: None };
        stream::unfold(following, |mut following| async move {
            let source = following.next().await?;
            Some((source, following))
        })
        .boxed()
    }
}

impl Following {
    async fn next(&mut self) -> Option<Value> {
        if self.told.is_some() {
            sleep(CALM).await;
        }
        loop {
            self.changes.mark_unchanged();
            let running = self.sources.running.as_ref()?;
            if running.view().is_ready() {
                let source = running.view().get(&self.id).map_or(Value::Null, |seen| shown::source(running, &seen));
                if self.told.as_ref() != Some(&source) {
                    self.told = Some(source.clone());
                    return Some(source);
                }
            }
            self.changes.changed().await.ok()?;
        }
    }
}
