//! An owner's results as they stand now: of each window the last one, for views.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tidemill::{
    Clock as _, SystemClock, Window, Windowed, WindowedCodec,
    state::{Codec, CodecError, Utf8},
    transport::TransportError,
};

use super::hub::Hub;
use crate::{
    apps::{App, Span, Stored},
    server::log::scan,
};

/// The most windows of one view: more than two days of minutes.
const WINDOWS: usize = 3_000;
/// The most bytes of one view's results, as they are on the log.
const BYTES: usize = 32 << 20;
/// How long the log may be read for one view.
const PATIENCE: Duration = Duration::from_secs(20);

impl Hub {
    /// The results of an owner's windows in a part of them. Blocks.
    pub(in crate::server) fn stored(&self, app: App, key: &str, span: Span) -> Result<Stored, TransportError> {
        let partition = self.partition(app.results[0].topic, key)?;
        let (mut found, started) = (Found::new(span), Instant::now());
        // A log deletes later than it may: whole files, and on Kafka as the brokers are told.
        let (kept, now_ms) = (self.kept, SystemClock.now_ms());
        let mut is_late = false;
        self.log.read(|reader| {
            scan(reader, &partition, 0, |record| {
                if let Some(window) = record.key.as_ref().and_then(|raw| window(raw, key))
                    && kept.keeps(window.end, now_ms)
                {
                    found.take(window, record.value.as_ref());
                }
                is_late = started.elapsed() > PATIENCE;
                !is_late
            })
        })?;
        if is_late {
            let problem = format!("{partition} cannot be read in {} seconds", PATIENCE.as_secs());
            return Err(TransportError::Retriable(problem.into()));
        }
        let (values, left_out) = found.values();
        let mut results = Vec::with_capacity(values.len());
        for value in values {
            match self.to_json[&app][0](value) {
                Ok(json) => results.push(json),
                Err(CodecError::NotYet { reason }) => return Err(TransportError::Retriable(reason.into())),
                Err(error) => tracing::warn!(topic = app.results[0].topic, %error, "a result cannot be read"),
            }
        }
        Ok(Stored { results, left_out, kept })
    }
}

/// The window of a result, if it is the owner's.
fn window(raw: &Bytes, owner: &str) -> Option<Window> {
    // Most results of a partition are those of other owners.
    if !raw.starts_with(owner.as_bytes()) {
        return None;
    }
    let Windowed { key, window }: Windowed<String> = WindowedCodec::new(Utf8).decode(raw.clone()).ok()?;
    (key == owner).then_some(window)
}

/// Windows by start and end.
type Place = (i64, i64);

/// The results that were found so far, as far as they fit.
struct Found {
    span: Span,
    windows: BTreeMap<Place, Bytes>,
    bytes: usize,
    /// Windows that did not fit. All are older than those that are kept.
    left_out: BTreeSet<Place>,
    most: (usize, usize),
}

impl Found {
    fn new(span: Span) -> Self {
        Self { span, windows: BTreeMap::new(), bytes: 0, left_out: BTreeSet::new(), most: (WINDOWS, BYTES) }
    }

    /// Takes the next result of a window; `None` deletes the one before.
    fn take(&mut self, Window { start, end }: Window, value: Option<&Bytes>) {
        if let Span::Between(from, to) = self.span
            && (start >= to || end <= from)
        {
            return;
        }
        let place = (start, end);
        self.left_out.remove(&place);
        if let Some(earlier) = self.windows.remove(&place) {
            self.bytes -= earlier.len();
        }
        let Some(value) = value else { return };
        // A copy: the value may be a part of a larger piece of the log, which would stay in memory with it.
        self.windows.insert(place, Bytes::copy_from_slice(value));
        self.bytes += value.len();
        let (windows, bytes) = self.most;
        while self.windows.len() > windows || (self.bytes > bytes && self.windows.len() > 1) {
            let Some((oldest, value)) = self.windows.pop_first() else { break };
            self.bytes -= value.len();
            self.left_out.insert(oldest);
        }
    }

    /// The results in the order of their windows, and the number of windows that did not fit.
    fn values(mut self) -> (Vec<Bytes>, usize) {
        if let Span::Last(ms) = self.span {
            let newest = self.windows.keys().map(|(_, end)| *end).max().unwrap_or_default();
            let from = newest.saturating_sub(ms.max(1));
            self.windows.retain(|(_, end), _| *end > from);
            self.left_out.retain(|(_, end)| *end > from);
        }
        (self.windows.into_values().collect(), self.left_out.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes results of windows of ten milliseconds by their starts; an empty text deletes.
    fn found(span: Span, most: (usize, usize), taken: &[(i64, &'static str)]) -> (String, usize) {
        let mut found = Found { most, ..Found::new(span) };
        for (start, value) in taken {
            let value = Bytes::from_static(value.as_bytes());
            found.take(Window { start: *start, end: start + 10 }, (!value.is_empty()).then_some(&value));
        }
        let (values, left_out) = found.values();
        (values.iter().map(|value| String::from_utf8_lossy(value)).collect::<Vec<_>>().join(" "), left_out)
    }

    const MANY: (usize, usize) = (9, 99);

    #[test]
    fn the_last_result_of_a_window_counts_and_a_deleted_one_is_gone() {
        let taken = [(10, "b"), (0, "a"), (20, "c"), (10, "B"), (20, ""), (30, "d")];
        assert_eq!(found(Span::Whole, MANY, &taken), ("a B d".to_owned(), 0));
    }

    #[test]
    fn a_window_is_in_a_part_that_it_overlaps() {
        let taken = [(0, "a"), (10, "b"), (20, "c"), (40, "d")];
        for (span, kept) in [
            (Span::Between(10, 20), "b"),
            (Span::Between(9, 21), "a b c"),
            (Span::Between(30, 40), ""),
            (Span::Last(1), "d"),
            (Span::Last(20), "d"),
            (Span::Last(21), "c d"),
        ] {
            assert_eq!(found(span, MANY, &taken), (kept.to_owned(), 0), "{span:?}");
        }
    }

    #[test]
    fn the_oldest_windows_are_left_out_and_counted_once() {
        let taken = [(0, "a"), (10, "b"), (20, "c"), (0, "A"), (30, "d")];
        assert_eq!(found(Span::Whole, (2, 99), &taken), ("c d".to_owned(), 2));
        assert_eq!(found(Span::Last(15), (2, 99), &taken), ("c d".to_owned(), 0), "nothing of it is missing");
        assert_eq!(found(Span::Whole, (9, 3), &[(0, "aa"), (10, "bb"), (20, "c")]), ("bb c".to_owned(), 1));
        assert_eq!(found(Span::Whole, (9, 3), &[(0, "a"), (10, "long")]), ("long".to_owned(), 1), "one always fits");
        let erased = [(0, "a"), (10, "b"), (20, "c"), (0, ""), (10, ""), (20, "")];
        assert_eq!(found(Span::Whole, (2, 99), &erased), (String::new(), 0));
    }

    #[test]
    fn the_key_of_another_owner_has_no_window_here() {
        let raw = |owner: &str| {
            let key = Windowed { key: owner.to_owned(), window: Window { start: 60, end: 120 } };
            WindowedCodec::new(Utf8).encode(&key).expect("encodes").expect("a key")
        };
        assert_eq!(window(&raw("ada"), "ada"), Some(Window { start: 60, end: 120 }));
        assert_eq!(window(&raw("adam"), "ada"), None);
        assert_eq!(window(&raw("bob"), "ada"), None);
    }
}
