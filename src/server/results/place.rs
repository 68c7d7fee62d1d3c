//! A result as pages get it, and how far a page has read.

use std::sync::Arc;

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

/// What pages that follow an owner get.
#[derive(Debug, Clone)]
pub(super) enum Passed {
    /// A result.
    Result(Arc<Event>),
    /// News of this instance, which no log keeps: a page that is away misses them.
    News {
        name: &'static str,
        /// JSON in one line.
        data: Arc<str>,
    },
}

/// A page's place: the next offset of each of the application's result topics, in the partition of its key, and the
/// last result that the page got. The last result tells whether the place belongs to this log: after a reset, and on
/// another server, another result has that offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    next: Vec<Offset>,
    last: Option<Last>,
}

/// The last result of a page: its topic and its time. Its offset is the one before the topic's next offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) topic: usize,
    pub(super) timestamp: i64,
}

impl Place {
    pub(super) fn start(app: App) -> Self {
        Self { next: vec![0; app.results.len()], last: None }
    }

    /// Parses the text of [`Place::text`]. The part behind the `@` may be missing.
    pub(super) fn parse(app: App, text: &str) -> Option<Self> {
        let (offsets, last) = match text.split_once('@') {
            None => (text, None),
            Some((offsets, last)) => {
                let (topic, timestamp) = last.split_once('.')?;
                (offsets, Some(Last { topic: topic.parse().ok()?, timestamp: timestamp.parse().ok()? }))
            }
        };
        let next: Vec<Offset> = offsets.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let fits = next.len() == app.results.len() && next.iter().all(|offset| *offset >= 0);
        let has_last = last.is_none_or(|last| next.get(last.topic).is_some_and(|next| *next > 0));
        (fits && has_last).then_some(Self { next, last })
    }

    pub(super) fn text(&self) -> String {
        let offsets = self.next.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        match self.last {
            None => offsets,
            Some(Last { topic, timestamp }) => format!("{offsets}@{topic}.{timestamp}"),
        }
    }

    pub(super) fn is_before(&self, event: &Event) -> bool {
        self.next[event.topic] <= event.offset
    }

    pub(super) fn pass(&mut self, event: &Event) {
        let Event { topic, offset, timestamp, .. } = *event;
        self.next[topic] = offset + 1;
        self.last = Some(Last { topic, timestamp });
    }

    /// The next offset of a result topic.
    pub(super) fn of(&mut self, topic: usize) -> &mut Offset {
        &mut self.next[topic]
    }

    /// The last result that the page got; `None` if the place does not tell.
    pub(super) fn last(&self) -> Option<Last> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::APPLICATIONS;

    #[test]
    fn a_place_survives_as_text() {
        let app = APPLICATIONS[0];
        let mut place = Place::start(app);
        assert_eq!(Place::parse(app, &place.text()), Some(place.clone()));
        place.pass(&Event { topic: 1, offset: 6, timestamp: 1_767_225_600_000, name: "clip", data: Bytes::new() });
        assert_eq!(place.text(), "0-7-0-0@1.1767225600000");
        assert_eq!(Place::parse(app, &place.text()), Some(place));
        for wrong in ["", "0", "0-7-0", "0-7-0-x", "0-7-0--1"] {
            assert_eq!(Place::parse(app, wrong), None, "{wrong}");
        }
        for wrong in ["", "1", "4.5", "0.5", "1.x"] {
            assert_eq!(Place::parse(app, &format!("0-7-0-0@{wrong}")), None, "{wrong}");
        }
    }
}
