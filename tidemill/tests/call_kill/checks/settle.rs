//! Which attempts an executor settled, and with what, so that it makes exactly the ledger's sums.

use std::collections::{BTreeMap, BTreeSet};

use tidemill::Usage;

use crate::{
    journal::Attempt,
    spent::{Entry, fingerprint},
    work::{TIMEOUT, partition_of},
};

/// More ways than this are not tried.
const MOST_WAYS: usize = 1 << 20;

/// How an attempt may have ended: settled with this, or `None` if its reservation is still open.
type End = Option<Usage>;

/// The attempts that are open in the ledger, by their place; `None` if no way makes the ledger's sums.
///
/// Nearly all attempts have settled what they told. The last attempt of a request with a reservation may be open, or the
/// reservation is for the next one, which did not begin. An attempt that told too late was settled with the most before.
pub(super) fn open(attempts: &[&Attempt], ledger: &Entry) -> Option<BTreeSet<usize>> {
    let mut reserved: BTreeMap<u64, usize> = BTreeMap::new();
    for (request, _) in &ledger.open {
        *reserved.entry(*request).or_default() += 1;
    }
    let requests: Vec<u64> =
        attempts.iter().map(|attempt| fingerprint(partition_of(&attempt.name), &attempt.id)).collect();
    let last: BTreeMap<u64, usize> = requests.iter().enumerate().map(|(at, request)| (*request, at)).collect();
    let (mut used, mut calls, mut unsure) = (Usage::default(), 0, Vec::new());
    for (at, attempt) in attempts.iter().enumerate() {
        let (request, late) = (requests[at], is_late(attempt));
        let may_be_open = reserved.contains_key(&request) && (late || last[&request] == at);
        let mut ends: Vec<End> = attempt.told().into_iter().map(Some).collect();
        ends.extend(late.then_some(Some(attempt.most)));
        ends.extend(may_be_open.then_some(None));
        match ends[..] {
            [] => return None,
            [Some(only)] => (used, calls) = (used + only, calls + 1),
            _ => unsure.push((at, ends)),
        }
    }
    let ways = unsure.iter().try_fold(1_usize, |ways, (_, ends)| ways.checked_mul(ends.len()))?;
    (0..ways.min(MOST_WAYS)).find_map(|mut way| {
        let (mut used, mut calls, mut open) = (used, calls, BTreeSet::new());
        for (at, ends) in &unsure {
            match ends[way % ends.len()] {
                Some(settled) => (used, calls) = (used + settled, calls + 1),
                None => drop(open.insert(*at)),
            }
            way /= ends.len();
        }
        (used == ledger.used && calls == ledger.calls).then_some(open)
    })
}

/// Whether the executor may have given the attempt up: after its time, and the same time once more.
fn is_late(attempt: &Attempt) -> bool {
    const SLACK_MS: i64 = 200;
    let patience_ms = 2 * TIMEOUT.as_millis() as i64 - SLACK_MS;
    let told_ms = attempt.asks.last().and_then(|ask| ask.told.as_ref()).map(|told| told.at_ms);
    told_ms.is_none_or(|told_ms| told_ms - attempt.at_ms > patience_ms)
}
