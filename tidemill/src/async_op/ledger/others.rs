//! What the other members wrote.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    tally::{Sign, Totals},
    time::{DEAD_MS, HOUR_MS, KEEP_HOURS, LOST_MS, hour_of},
    wire::{Alive, Body, EntryKey},
};

/// So many requests of attempts that ended elsewhere are remembered.
const REMEMBERED: usize = 16_384;

#[derive(Debug, Default)]
pub(super) struct Others {
    entries: HashMap<EntryKey, Body>,
    /// When each member was last heard of, by its own clock.
    heard_ms: HashMap<Arc<str>, i64>,
    /// Members that lost a request to this one.
    lost: HashSet<Arc<str>>,
    /// How many open reservations each request has.
    open: HashMap<u64, usize>,
    ended: HashSet<u64>,
    ended_order: VecDeque<u64>,
}

impl Others {
    /// A member wrote at this time. A time that lies ahead of the reader's clock counts as now.
    pub(super) fn hear(&mut self, member: &Arc<str>, at_ms: i64, now_ms: i64) {
        let heard_ms = self.heard_ms.entry(member.clone()).or_insert(i64::MIN);
        *heard_ms = (*heard_ms).max(at_ms.min(now_ms));
    }

    /// This member has read a request. A member with an open reservation for it has lost the request's partition, so it
    /// counts as dead after a shorter silence.
    pub(super) fn taken_over(&mut self, id: u64) {
        if !self.open.contains_key(&id) {
            return;
        }
        let holds = |body: &Body| body.open.iter().any(|open| open.id == id);
        let losers = self.entries.iter().filter(|(_, body)| holds(body)).map(|(key, _)| key.member.clone());
        self.lost.extend(losers);
    }

    /// Whether a member counts as alive for someone who writes at this time.
    pub(super) fn is_alive(&self, member: &str, at_ms: i64) -> bool {
        let silence_ms = if self.lost.contains(member) { LOST_MS } else { DEAD_MS };
        self.heard_ms.get(member).is_some_and(|heard_ms| at_ms.saturating_sub(*heard_ms) <= silence_ms)
    }

    /// Replaces an entry, unless a later record of it was read before.
    pub(super) fn fold(&mut self, key: EntryKey, body: Body, now_ms: i64, totals: &mut Totals) {
        self.hear(&key.member, body.at_ms, now_ms);
        if self.entries.get(&key).is_some_and(|old| old.seq >= body.seq) {
            return;
        }
        for open in &body.open {
            *self.open.entry(open.id).or_default() += 1;
        }
        totals.body(&key, &body, Sign::Plus);
        let calls = body.calls;
        let still: HashSet<u64> = body.open.iter().map(|open| open.id).collect();
        if let Some(old) = self.entries.insert(key.clone(), body) {
            totals.body(&key, &old, Sign::Minus);
            self.close(&old);
            // If nothing was settled, then what is no longer open was refused or withdrawn.
            if calls > old.calls {
                old.open.iter().filter(|open| !still.contains(&open.id)).for_each(|open| self.remember(open.id));
            }
        }
    }

    /// Forgets an entry.
    pub(super) fn remove(&mut self, key: &EntryKey, totals: &mut Totals) {
        if let Some(old) = self.entries.remove(key) {
            totals.body(key, &old, Sign::Minus);
            self.close(&old);
        }
    }

    /// Forgets a member that was silent for as long as entries are kept.
    pub(super) fn forget(&mut self, member: &str, now_ms: i64) {
        if self.heard_ms.get(member).is_some_and(|heard_ms| is_past(*heard_ms, now_ms)) {
            self.heard_ms.remove(member);
            self.lost.remove(member);
        }
    }

    /// Deletes the old entries of dead members, then those members.
    pub(super) fn clean(&mut self, now_ms: i64, totals: &mut Totals) -> Vec<(Bytes, Option<Bytes>)> {
        let oldest = hour_of(now_ms) - KEEP_HOURS;
        let old = |key: &&EntryKey| key.hour < oldest && !self.is_alive(&key.member, now_ms);
        let old: BTreeSet<EntryKey> = self.entries.keys().filter(old).cloned().collect();
        for key in &old {
            self.remove(key, totals);
        }
        let used: HashSet<&str> = self.entries.keys().map(|key| &*key.member).collect();
        let gone = |(member, heard_ms): &(&Arc<str>, &i64)| is_past(**heard_ms, now_ms) && !used.contains(&***member);
        let gone: BTreeSet<Arc<str>> = self.heard_ms.iter().filter(gone).map(|(member, _)| member.clone()).collect();
        for member in &gone {
            self.forget(member, now_ms);
        }
        let keys = old.iter().map(EntryKey::encode).chain(gone.iter().map(|member| Alive::key(member)));
        keys.map(|key| (key, None)).collect()
    }

    /// Whether a request has or had an open reservation.
    pub(super) fn begun(&self, id: u64) -> bool {
        self.open.contains_key(&id) || self.ended.contains(&id)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&EntryKey, &Body)> {
        self.entries.iter()
    }

    fn close(&mut self, body: &Body) {
        for open in &body.open {
            if let Some(count) = self.open.get_mut(&open.id) {
                *count -= 1;
                if *count == 0 {
                    self.open.remove(&open.id);
                }
            }
        }
    }

    fn remember(&mut self, id: u64) {
        if self.ended.insert(id) {
            self.ended_order.push_back(id);
        }
        if self.ended_order.len() > REMEMBERED
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }
}

fn is_past(heard_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(heard_ms) > KEEP_HOURS * HOUR_MS
}
