//! Which words of a cue are new. Each segment repeats the cues that overlap it, some encoders cut a cue where a segment ends,
//! and captions that roll up repeat the lines that still stand on the screen.

use std::collections::VecDeque;

use crate::clips::Caption;

/// By how much times of the same cue may differ: encoders round.
const SAME_MS: i64 = 300;
/// How long a cue is remembered.
const MEMORY_MS: i64 = 300_000;
/// How many are.
const MEMORY: usize = 512;

/// A cue with event times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) lines: Vec<String>,
}

/// Remembers what was said.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    seen: VecDeque<Shown>,
}

impl Fresh {
    /// What a cue of the segment that begins then says for the first time; `None` if that is nothing.
    pub(super) fn of(&mut self, cue: Shown, segment_start_ms: i64) -> Option<Caption> {
        let is_near = |a: i64, b: i64| (a - b).abs() <= SAME_MS;
        let is_again = self.seen.iter().any(|seen| seen.lines == cue.lines && is_near(seen.start_ms, cue.start_ms));
        if is_again {
            return None;
        }
        let goes_on = is_near(cue.start_ms, segment_start_ms)
            && self.seen.iter().any(|seen| seen.lines == cue.lines && is_near(seen.end_ms, cue.start_ms));
        let before = self.seen.back().filter(|before| cue.start_ms <= before.end_ms + SAME_MS);
        let (text, is_rest) = match before {
            _ if goes_on => (String::new(), true),
            Some(before) => rest(&before.lines, &cue.lines),
            None => (cue.lines.join(" "), false),
        };
        // Words that are added to a cue which is shown already are said when that one ended.
        let grew = before.filter(|before| is_rest && is_near(before.start_ms, cue.start_ms));
        let start_ms = grew.map_or(cue.start_ms, |before| before.end_ms.clamp(cue.start_ms, cue.end_ms - 1));
        let caption = Caption { text, start_ms, end_ms: cue.end_ms };
        self.seen.retain(|seen| seen.start_ms > cue.start_ms - MEMORY_MS);
        self.seen.push_back(cue);
        if self.seen.len() > MEMORY {
            self.seen.pop_front();
        }
        (!caption.text.is_empty()).then_some(caption)
    }
}

/// What `after` says beyond `before`, and whether it repeats something of it: its first lines are the last ones of
/// `before`, and the last of these may have grown.
fn rest(before: &[String], after: &[String]) -> (String, bool) {
    for from in 0..before.len() {
        let kept = &before[from..];
        let Some((last, whole)) = kept.split_last() else { continue };
        let Some((grown, new)) = after.get(whole.len()..).and_then(<[String]>::split_first) else { continue };
        if !after.starts_with(whole) {
            continue;
        }
        let Some(more) = grown.strip_prefix(last.as_str()).filter(|more| more.is_empty() || more.starts_with(' '))
        else {
            continue;
        };
        let mut text = more.trim_start().to_owned();
        for line in new {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(line);
        }
        return (text, true);
    }
    (after.join(" "), false)
}

#[cfg(test)]
mod tests {
    use super::{Fresh, Shown};

    /// What each cue adds: start, end, lines, and when its segment begins.
    fn said(cues: &[(i64, i64, &str, i64)]) -> Vec<(i64, String)> {
        let mut fresh = Fresh::default();
        let said = cues.iter().filter_map(|&(start_ms, end_ms, text, segment_ms)| {
            let lines = text.split('|').map(str::to_owned).collect();
            fresh.of(Shown { start_ms, end_ms, lines }, segment_ms)
        });
        said.map(|caption| (caption.start_ms, caption.text)).collect()
    }

    fn texts(said: Vec<(i64, String)>) -> Vec<String> {
        said.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_cue_that_several_segments_hold_is_said_once() {
        let cues =
            [(1000, 5000, "one", 0), (1001, 5001, "one", 2000), (1000, 6000, "one", 4000), (5500, 6000, "two", 4000)];
        assert_eq!(texts(said(&cues)), ["one", "two"]);
    }

    #[test]
    fn a_cue_that_is_cut_where_segments_end_is_said_once() {
        let cues = [(1000, 2000, "one", 0), (2000, 4000, "one", 2000), (4000, 4500, "one", 4000)];
        assert_eq!(texts(said(&cues)), ["one"]);
        let twice = [(1000, 2500, "no", 0), (2500, 3500, "yes", 2000), (3500, 4000, "no", 2000)];
        assert_eq!(texts(said(&twice)), ["no", "yes", "no"]);
    }

    #[test]
    fn captions_that_roll_up_do_not_double_words() {
        let cues =
            [(0, 2000, "a b", 0), (2000, 4000, "a b|c d", 0), (4000, 6000, "c d|e", 0), (6000, 8000, "c d|e f|g", 0)];
        let again = [(8000, 9000, "g", 8000), (9000, 9500, "g|h", 8000)];
        assert_eq!(texts(said(&[&cues[..], &again].concat())), ["a b", "c d", "e", "f g", "h"]);
    }

    #[test]
    fn captions_that_grow_word_by_word_say_each_word_when_it_came() {
        let cues = [(0, 500, "what", 0), (0, 900, "what a", 0), (900, 1500, "what a goal", 0)];
        assert_eq!(said(&cues), [(0, "what".into()), (500, "a".into()), (900, "goal".into())]);
    }

    #[test]
    fn the_same_words_said_later_count_again() {
        let cues = [(0, 1000, "goal", 0), (5000, 6000, "goal", 4000), (6000, 7000, "goals", 6000)];
        assert_eq!(texts(said(&cues)), ["goal", "goal", "goals"]);
    }
}
