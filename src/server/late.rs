//! The late events of the last minute, by owner: the reports of the applications, for the answers to senders.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::apps::{App, LateEvents};

/// How long senders are told of late events.
const TOLD: Duration = Duration::from_mins(1);
/// The most owners that are known at once. The owners with the oldest reports are forgotten first.
const OWNERS: usize = 10_000;

/// What the applications reported, by application and owner.
#[derive(Default)]
pub(super) struct Late {
    known: Mutex<HashMap<(App, String), Vec<Known>>>,
}

/// Late events of one input of an owner.
struct Known {
    /// Those since `since`, which is at most a minute before `last`.
    recent: LateEvents,
    since: Instant,
    last: Instant,
    /// All that this server was told of.
    total: u64,
}

/// Late events of one input of an owner, as senders get them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Notice {
    id: String,
    input: String,
    /// Late events of the last minute.
    events: u64,
    /// How far behind the owner's newest event they were at most.
    behind_ms: i64,
    /// All late events since this server started.
    total: u64,
    /// What happened and what to do.
    detail: String,
}

impl Late {
    /// Notes a report.
    pub(super) fn note(&self, app: App, report: LateEvents, now: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= OWNERS && !known.contains_key(&(app, report.id.clone())) {
            let oldest = known.iter().min_by_key(|(_, inputs)| inputs.iter().map(|known| known.last).max());
            if let Some(oldest) = oldest.map(|(owner, _)| owner.clone()) {
                known.remove(&oldest);
            }
        }
        let inputs = known.entry((app, report.id.clone())).or_default();
        match inputs.iter_mut().find(|known| known.recent.input == report.input) {
            Some(known) => {
                known.total += report.events;
                known.last = now;
                if now.duration_since(known.since) > TOLD {
                    (known.recent, known.since) = (report, now);
                } else {
                    known.recent.add(&report);
                }
            }
            None => inputs.push(Known { total: report.events, recent: report, since: now, last: now }),
        }
    }

    /// What an owner's senders are told: the late events of the last minute, of one input or of all.
    pub(super) fn of(&self, app: App, owner: &str, input: Option<&str>, now: Instant) -> Vec<Notice> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let inputs = known.get(&(app, owner.to_owned())).into_iter().flatten();
        let recent = inputs.filter(|known| now.duration_since(known.last) <= TOLD);
        let asked = recent.filter(|known| input.is_none_or(|input| input == known.recent.input));
        let notice = |Known { recent, total, .. }: &Known| Notice {
            id: recent.id.clone(),
            input: recent.input.clone(),
            events: recent.events,
            behind_ms: recent.behind_ms,
            total: *total,
            detail: recent.sentence(app.owner.word, app.section),
        };
        asked.map(notice).collect()
    }

    /// Whether no owner has late events.
    pub(super) fn is_empty(&self) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Forgets an owner.
    pub(super) fn forget(&self, app: App, owner: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&(app, owner.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::APPLICATIONS;

    fn report(id: &str, input: &str, events: u64) -> LateEvents {
        let (id, input) = (id.to_owned(), input.to_owned());
        LateEvents { id, input, events, oldest_ms: 0, newest_ms: 9, behind_ms: 40_000 }
    }

    #[test]
    fn late_events_are_told_for_a_minute_and_counted_for_ever() {
        let (late, app, start) = (Late::default(), APPLICATIONS[0], Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let told = |input, seconds| {
            let notices = late.of(app, "ada", input, at(seconds));
            notices.into_iter().map(|notice| (notice.input, notice.events, notice.total)).collect::<Vec<_>>()
        };
        assert!(told(None, 0).is_empty());
        late.note(app, report("ada", "chat", 2), at(0));
        late.note(app, report("ada", "chat", 1), at(30));
        late.note(app, report("ada", "transcript", 5), at(30));
        late.note(app, report("bob", "chat", 7), at(30));
        assert_eq!(told(None, 31), [("chat".into(), 3, 3), ("transcript".into(), 5, 5)]);
        assert_eq!(told(Some("chat"), 90), [("chat".into(), 3, 3)]);
        assert!(told(None, 91).is_empty(), "a minute without late events");
        late.note(app, report("ada", "chat", 4), at(100));
        assert_eq!(told(None, 100), [("chat".into(), 4, 7)]);
        late.forget(app, "ada");
        assert!(told(None, 100).is_empty());
    }

    #[test]
    fn owners_beyond_the_bound_push_out_the_oldest() {
        let (late, app, start) = (Late::default(), APPLICATIONS[0], Instant::now());
        for owner in 0..=OWNERS {
            late.note(app, report(&owner.to_string(), "chat", 1), start + Duration::from_millis(owner as u64));
        }
        let now = start + Duration::from_secs(11);
        assert!(late.of(app, "0", None, now).is_empty());
        assert_eq!(late.of(app, "1", None, now).len(), 1);
    }
}
