//! A result as pages get it, and how far a page has read.

use bytes::Bytes;
use tidemill::transport::Offset;

use crate::apps::App;

/// A result to be sent to pages.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Index of the result topic in the application's list.
    pub(super) topic: usize,
    pub(super) offset: Offset,
    pub(super) timestamp: i64,
    pub(super) name: &'static str,
    /// JSON in one line.
    pub(super) data: Bytes,
}

/// A page's place: the next offset of each of the application's result topics, in the partition of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place(Vec<Offset>);

impl Place {
    pub(super) fn start(app: App) -> Self {
        Self(vec![0; app.results.len()])
    }

    /// Parses the text of [`Place::text`].
    pub(super) fn parse(app: App, text: &str) -> Option<Self> {
        let offsets: Vec<Offset> = text.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let fits = offsets.len() == app.results.len() && offsets.iter().all(|offset| *offset >= 0);
        fits.then_some(Self(offsets))
    }

    pub(super) fn text(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("-")
    }

    pub(super) fn is_before(&self, event: &Event) -> bool {
        self.0[event.topic] <= event.offset
    }

    pub(super) fn pass(&mut self, event: &Event) {
        self.0[event.topic] = event.offset + 1;
    }

    /// The next offset of a result topic.
    pub(super) fn of(&mut self, topic: usize) -> &mut Offset {
        &mut self.0[topic]
    }
}
