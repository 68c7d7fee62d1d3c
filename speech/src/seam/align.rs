//! The words of two sessions that heard the same seconds, side by side.

use super::{plain, similar};
use crate::Word;

/// Equal words are the same word up to this distance of their middles.
const EQUAL_MS: i64 = 1_000;
/// Words of different text are the same word up to this distance.
const DIFFERENT_MS: i64 = 400;
/// The cost of a word that only one session heard. A pair costs less than two of them.
const ALONE: f64 = 0.7;

/// Where the new session takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changeover {
    /// So many words of the old session count.
    pub keep_old: usize,
    /// So many words of the new session do not.
    pub skip_new: usize,
}

/// One place of the alignment: a word of the old session, of the new one, or of both.
#[derive(Debug, Clone, Copy)]
struct Place {
    old: Option<usize>,
    new: Option<usize>,
    agreed: bool,
}

/// Decides where the new session takes over. Both lists are in order of time, and hold the words near the seconds that both
/// heard. The first `fixed` words of the old session count in any case. `middle_ms` is the middle of what both heard.
pub fn align(old: &[Word], fixed: usize, new: &[Word], middle_ms: i64) -> Changeover {
    let places = places(old, new);
    let first = places.iter().rposition(|place| place.old.is_some_and(|i| i < fixed)).map_or(0, |last| last + 1);
    let badness = |at: usize| {
        let agreed = |place: Option<&Place>| match place {
            Some(place) if place.agreed => 0.0,
            Some(_) => 1_000.0,
            None => 500.0,
        };
        let before = at.checked_sub(1).and_then(|i| places.get(i));
        let time = |place: Option<&Place>| {
            let word = place.and_then(|place| place.old.map(|i| &old[i]).or(place.new.map(|j| &new[j])));
            word.map(Word::middle_ms)
        };
        let at_ms = match (time(before), time(places.get(at))) {
            (Some(a), Some(b)) => i64::midpoint(a, b),
            (one, other) => one.or(other).unwrap_or(middle_ms),
        };
        (at_ms - middle_ms).abs() as f64 + agreed(before) + agreed(places.get(at))
    };
    let at = (first..=places.len()).min_by(|a, b| badness(*a).total_cmp(&badness(*b))).unwrap_or(places.len());
    Changeover {
        keep_old: places[..at].iter().filter(|place| place.old.is_some()).count().max(fixed.min(old.len())),
        skip_new: places[..at].iter().filter(|place| place.new.is_some()).count(),
    }
}

/// The cheapest alignment of all words, in order.
fn places(old: &[Word], new: &[Word]) -> Vec<Place> {
    let texts = |words: &[Word]| words.iter().map(|word| plain(&word.text)).collect::<Vec<_>>();
    let (old_texts, new_texts) = (texts(old), texts(new));
    let pair = |i: usize, j: usize| {
        let apart_ms = (old[i].middle_ms() - new[j].middle_ms()).abs();
        let apart = apart_ms as f64;
        if old_texts[i] == new_texts[j] {
            return (apart_ms <= EQUAL_MS).then_some(1.3 * apart / EQUAL_MS as f64);
        }
        let base = if similar(&old_texts[i], &new_texts[j]) { 0.4 } else { 0.7 };
        (apart_ms <= DIFFERENT_MS).then_some(base + 0.6 * apart / DIFFERENT_MS as f64)
    };
    let (rows, columns) = (old.len() + 1, new.len() + 1);
    let mut cost = vec![f64::INFINITY; rows * columns];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            let mut best = if (i, j) == (old.len(), new.len()) { 0.0 } else { f64::INFINITY };
            if i < old.len() {
                best = best.min(ALONE + cost[(i + 1) * columns + j]);
            }
            if j < new.len() {
                best = best.min(ALONE + cost[i * columns + j + 1]);
            }
            if i < old.len()
                && j < new.len()
                && let Some(pair) = pair(i, j)
            {
                best = best.min(pair + cost[(i + 1) * columns + j + 1]);
            }
            cost[i * columns + j] = best;
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut places = Vec::new();
    while i < old.len() || j < new.len() {
        let here = cost[i * columns + j];
        let is = |other: f64| (here - other).abs() < 1e-9;
        if i < old.len() && j < new.len() && pair(i, j).is_some_and(|pair| is(pair + cost[(i + 1) * columns + j + 1])) {
            places.push(Place { old: Some(i), new: Some(j), agreed: old_texts[i] == new_texts[j] });
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && is(ALONE + cost[(i + 1) * columns + j]) {
            places.push(Place { old: Some(i), new: None, agreed: false });
            i += 1;
        } else {
            places.push(Place { old: None, new: Some(j), agreed: false });
            j += 1;
        }
    }
    places
}
