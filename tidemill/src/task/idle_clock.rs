//! The idle clocks of a task: they advance while all inputs of the task are silent.

use super::{
    partition_group::Input,
    silence::{Rest, Silence, Writers},
};
use crate::idle_note::IdleNote;

/// The horizon is this many times the silence that closes everything.
const FAR: i64 = 4;

/// During a long silence notes become rarer: the next note comes when the silence has grown by one part in this many.
pub(super) const GROWTH: i64 = 16;

/// A clock's knowledge of one source of silence: an input that the task observes itself, or a task that writes it.
#[derive(Debug, Clone, Copy)]
struct Voice {
    /// The source has not been heard since the task was opened.
    is_new: bool,
    /// The last known silence, and the wall time at which it was told.
    silent_ms: i64,
    at_ms: i64,
    /// When the source last told that it sends a record.
    sent_ms: i64,
    /// The part of the silence that the clock has not counted yet.
    unused_ms: i64,
    /// The source rests: it sends no more notes until it sends a record. Answers of the log replace its notes.
    rests: bool,
    /// The last knowledge came from the log.
    is_learnt: bool,
}

/// A clock that advances while all of its inputs are silent.
///
/// Each source tells how long it has been silent, and at what wall time. The clock counts only time for which all
/// sources have told their silence, each millisecond once. So a late source holds the clock, whatever the others tell:
/// its thread may hang, restore, or fail to commit. A resting source sends no notes. While something may be open, a
/// resting source also holds the clock, until the log has told that it has no work.
#[derive(Debug)]
pub(super) struct IdleClock {
    /// The sources of each input; empty for an input that does not count.
    voices: Vec<Vec<Voice>>,
    /// Whether the task observes all of these inputs itself.
    hears_all: bool,
    /// Wall time up to which silence was counted.
    counted_ms: i64,
    /// If a source's time is this much earlier, its wall clock was set back.
    far_ms: i64,
    /// After this silence nothing is open.
    horizon_ms: i64,
    /// The shortest silence that matters.
    every_ms: i64,
    /// When the task last took a record, or sent one to the topic that this clock belongs to, by `now_ms`.
    acted_ms: i64,
    /// The idle time. It starts at 0 when the task is opened and never falls.
    pub(super) now_ms: i64,
}

impl IdleClock {
    /// A clock of the inputs for which `counts` is true.
    pub(super) fn new(inputs: &[Input], counts: impl Fn(&Input) -> bool) -> Self {
        let voice = |rests: bool, silent_ms: i64| Voice {
            is_new: !rests,
            silent_ms,
            at_ms: i64::MIN,
            sent_ms: i64::MIN,
            unused_ms: 0,
            rests,
            is_learnt: false,
        };
        let voices = inputs.iter().map(|input| match &input.silence {
            _ if !counts(input) => Vec::new(),
            Silence::Heard(_) => vec![voice(false, 0)],
            Silence::Told(Writers { rests, horizon_ms, .. }) => {
                rests.iter().map(|rests| voice(*rests, if *rests { *horizon_ms } else { 0 })).collect()
            }
        });
        let voices = voices.collect();
        let told = || {
            inputs.iter().filter(|input| counts(input)).filter_map(|input| match &input.silence {
                Silence::Told(writers) => Some(writers),
                Silence::Heard(_) => None,
            })
        };
        let horizon_ms = told().map(|writers| writers.horizon_ms).max().unwrap_or(0);
        let every_ms = told().map(|writers| writers.every_ms).min().unwrap_or(0);
        let (hears_all, far_ms) = (told().next().is_none(), horizon_ms / FAR);
        Self { voices, hears_all, counted_ms: i64::MIN, far_ms, horizon_ms, every_ms, acted_ms: 0, now_ms: 0 }
    }

    /// A poll has returned, and the inputs' silence is up to date.
    pub(super) fn wait(&mut self, inputs: &[Input], rest: Rest) {
        let mut passed_ms = None;
        for (number, input) in inputs.iter().enumerate() {
            if let (Silence::Heard(heard), Some(voice)) = (&input.silence, self.voices[number].first_mut()) {
                passed_ms = Some(passed_ms.unwrap_or(i64::MAX).min(heard.more_ms));
                if !self.hears_all {
                    voice.tell(heard.silent_ms, rest.wall_ms, self.far_ms);
                }
            }
        }
        if self.hears_all {
            self.now_ms = self.now_ms.saturating_add(passed_ms.unwrap_or(rest.waited_ms));
        } else {
            self.count();
        }
    }

    /// Takes up a note of a task that writes an input. `true` if the note counts.
    fn hear(&mut self, input: usize, note: IdleNote, at_ms: i64, rests: bool) -> bool {
        let writer = usize::try_from(note.writer).unwrap_or(usize::MAX);
        let heard =
            self.voices[input].get_mut(writer).is_some_and(|voice| voice.tell(note.idle_ms, at_ms, self.far_ms));
        if heard {
            self.count();
            self.voices[input][writer].rests = rests;
        }
        heard
    }

    /// The task took or sent a record, so something may be open again.
    #[inline]
    pub(super) fn act(&mut self) {
        self.acted_ms = self.now_ms;
    }

    /// Whether all sources rest and nothing is open. Then the clock stands still.
    pub(super) fn is_over(&self) -> bool {
        !self.hears_all && self.nothing_is_open() && self.voices.iter().flatten().all(|voice| voice.rests)
    }

    fn nothing_is_open(&self) -> bool {
        self.now_ms - self.acted_ms >= self.horizon_ms
    }

    /// Whether the clock waits for resting writers of an input. Then the log must be asked about their work. The longer
    /// the silence, the rarer the inquiries.
    pub(super) fn asks(&self, input: usize, wall_ms: i64) -> bool {
        if self.hears_all || self.nothing_is_open() {
            return false;
        }
        let others = self.voices.iter().flatten().filter(|voice| !voice.rests);
        let until_ms = others.map(|voice| if voice.is_new { i64::MIN } else { voice.at_ms }).min().unwrap_or(wall_ms);
        let enough_ms = self.every_ms.max((self.now_ms - self.acted_ms) / GROWTH);
        let lags = |voice: &Voice| {
            let ahead_ms = until_ms.saturating_sub(voice.at_ms);
            ahead_ms >= enough_ms || ahead_ms < -self.far_ms
        };
        until_ms > i64::MIN && self.voices[input].iter().any(|voice| voice.rests && lags(voice))
    }

    /// The resting writers of an input had no work at this wall time.
    pub(super) fn learn(&mut self, input: usize, at_ms: i64) {
        let far_ms = self.far_ms;
        self.voices[input].iter_mut().filter(|voice| voice.rests).for_each(|voice| voice.learn(at_ms, far_ms));
        self.count();
    }

    fn count(&mut self) {
        let nothing_is_open = self.nothing_is_open();
        let (mut told, mut learnt): (Option<Span>, Option<Span>) = (None, None);
        for voice in self.voices.iter().flatten().filter(|voice| !(voice.rests && nothing_is_open)) {
            if voice.is_new || voice.at_ms == i64::MIN {
                return;
            }
            let all = if voice.is_learnt { &mut learnt } else { &mut told };
            let own = Span { until_ms: voice.at_ms, unused_ms: voice.unused_ms };
            *all = Some(all.map_or(own, |all| all.and(own)));
        }
        // Time after the log's last answer about resting sources does not count.
        let (Some(Span { until_ms, unused_ms }), bound) = (told.or(learnt), told.and(learnt)) else { return };
        if self.counted_ms.saturating_sub(until_ms) > self.far_ms {
            self.counted_ms = until_ms;
        }
        let mut passed_ms = until_ms.saturating_sub(self.counted_ms).min(unused_ms);
        let mut counted_ms = until_ms;
        if let Some(bound) = bound {
            counted_ms = until_ms.min(bound.until_ms);
            passed_ms = passed_ms.saturating_sub(until_ms.saturating_sub(counted_ms)).min(bound.unused_ms);
        }
        let passed_ms = passed_ms.max(0);
        self.now_ms = self.now_ms.saturating_add(passed_ms);
        self.voices.iter_mut().flatten().for_each(|voice| voice.unused_ms -= passed_ms.min(voice.unused_ms));
        self.counted_ms = self.counted_ms.max(counted_ms);
    }
}

/// The time up to which a group of sources was silent, and the part of it that the clock has not counted.
#[derive(Debug, Clone, Copy)]
struct Span {
    until_ms: i64,
    unused_ms: i64,
}

impl Span {
    fn and(self, other: Self) -> Self {
        Self { until_ms: self.until_ms.min(other.until_ms), unused_ms: self.unused_ms.min(other.unused_ms) }
    }
}

impl Voice {
    /// Takes up a silence told at `at_ms`. `true` if it counts. With at-least-once, a note of a replaced task may
    /// arrive after its successor's notes. Such a note must not hide that the successor sent a record.
    fn tell(&mut self, silent_ms: i64, at_ms: i64, far_ms: i64) -> bool {
        let sent_ms = if silent_ms == 0 { at_ms } else { self.sent_ms };
        if at_ms < sent_ms && sent_ms.saturating_sub(at_ms) <= far_ms {
            return false;
        }
        self.unused_ms = match silent_ms - self.silent_ms {
            _ if self.is_new => 0,
            more @ 0.. => self.unused_ms.saturating_add(more),
            _ => silent_ms,
        };
        *self = Self { is_new: false, silent_ms, at_ms, sent_ms, rests: false, is_learnt: false, ..*self };
        true
    }

    /// The source rests, and had no work at this wall time.
    fn learn(&mut self, at_ms: i64, far_ms: i64) {
        let more_ms = at_ms.saturating_sub(self.at_ms);
        if self.at_ms > i64::MIN {
            self.unused_ms = self.unused_ms.saturating_add(more_ms.max(0));
        }
        if more_ms > 0 || more_ms < -far_ms {
            self.at_ms = at_ms;
            self.is_learnt = true;
        }
    }
}

/// Passes a note from an input to all clocks.
pub(super) fn hear<'a>(
    clocks: impl Iterator<Item = &'a mut IdleClock>,
    input: &mut Input,
    number: usize,
    note: IdleNote,
    at_ms: i64,
) {
    let Silence::Told(writers) = &mut input.silence else { return };
    let rests = note.idle_ms >= writers.horizon_ms;
    let mut heard = false;
    for clock in clocks {
        heard |= clock.hear(number, note, at_ms, rests);
    }
    if heard && let Some(known) = usize::try_from(note.writer).ok().and_then(|writer| writers.rests.get_mut(writer)) {
        *known = rests;
    }
}

#[cfg(test)]
mod tests;
