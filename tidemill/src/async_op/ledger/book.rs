//! What this member wrote and will write.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    super::Usage,
    tally::{Sign, Totals},
    time::{KEEP_HOURS, KEEP_MINUTES, REWRITE_MS, hour_of, minute, minute_of, minute_of_hour},
    wire::{Body, EntryKey, Open, Rate},
};

/// An entry takes so many reservations. Further ones go to another block, so that each record stays short.
const OPEN_PER_BLOCK: usize = 32;

/// A reservation of this member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// What a reservation is for, where it is written, and how far it got.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) key: EntryKey,
    pub(super) open: Open,
    pub(super) stage: Stage,
}

/// How far a reservation got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It belongs to no entry yet.
    Noted,
    /// It is decided when a record with this or a later number is read back. The number is known once it is written.
    Asked(Option<u64>),
    Granted,
}

#[derive(Debug, Default)]
struct Entry {
    calls: u64,
    used: Usage,
    minutes: BTreeMap<u8, (u64, u64)>,
    open: BTreeSet<Ticket>,
    /// The number and the time of the last record, and the highest number that was read back.
    written: u64,
    written_ms: i64,
    read: u64,
}

#[derive(Debug)]
pub(super) struct Book {
    member: Arc<str>,
    entries: BTreeMap<EntryKey, Entry>,
    held: HashMap<Ticket, Held>,
    noted: BTreeSet<Ticket>,
    /// Entries to be written, and entries that were written but not read back.
    dirty: BTreeSet<EntryKey>,
    unread: BTreeSet<EntryKey>,
    records: u64,
    tickets: u64,
}

impl Book {
    pub(super) fn new(member: Arc<str>) -> Self {
        let (entries, held, noted) = (BTreeMap::new(), HashMap::new(), BTreeSet::new());
        let (dirty, unread) = (BTreeSet::new(), BTreeSet::new());
        Self { member, entries, held, noted, dirty, unread, records: 0, tickets: 0 }
    }

    pub(super) fn member(&self) -> &Arc<str> {
        &self.member
    }

    pub(super) fn held(&self, ticket: Ticket) -> Option<&Held> {
        self.held.get(&ticket)
    }

    pub(super) fn has_open(&self) -> bool {
        !self.held.is_empty()
    }

    /// The settled attempts and the granted reservations of each entry.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&EntryKey, u64, Usage, Vec<Open>)> {
        self.entries.iter().map(|(key, entry)| {
            let held = entry.open.iter().filter_map(|ticket| self.held.get(ticket));
            let granted = held.filter(|held| held.stage == Stage::Granted).map(|held| held.open).collect();
            (key, entry.calls, entry.used, granted)
        })
    }

    /// Notes a reservation.
    pub(super) fn note(&mut self, key: EntryKey, open: Open, asked: &mut Totals) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        asked.open(&key, &open, Sign::Plus);
        self.held.insert(ticket, Held { key, open, stage: Stage::Noted });
        self.noted.insert(ticket);
        ticket
    }

    /// Takes a reservation back to where it belongs to no entry: its record is too old to be decided.
    pub(super) fn note_again(&mut self, ticket: Ticket) {
        self.leave(ticket);
        if let Some(held) = self.held.get_mut(&ticket) {
            held.stage = Stage::Noted;
            self.noted.insert(ticket);
        }
    }

    /// Counts a reservation as granted.
    pub(super) fn grant(&mut self, ticket: Ticket, known: &mut Totals, asked: &mut Totals) {
        if let Some(held) = self.held.get_mut(&ticket) {
            asked.open(&held.key, &held.open, Sign::Minus);
            known.open(&held.key, &held.open, Sign::Plus);
            held.stage = Stage::Granted;
        }
    }

    /// Takes a reservation away without a trace.
    pub(super) fn withdraw(&mut self, ticket: Ticket, known: &mut Totals, asked: &mut Totals) -> Option<Held> {
        self.leave(ticket);
        self.noted.remove(&ticket);
        let held = self.held.remove(&ticket)?;
        let totals = if held.stage == Stage::Granted { known } else { asked };
        totals.open(&held.key, &held.open, Sign::Minus);
        Some(held)
    }

    /// Replaces a reservation by what was used.
    pub(super) fn settle(&mut self, ticket: Ticket, used: Usage, now_ms: i64, known: &mut Totals, asked: &mut Totals) {
        if self.noted.contains(&ticket) {
            self.place(ticket, now_ms, asked);
        }
        let Some(Held { key, open, .. }) = self.withdraw(ticket, known, asked) else { return };
        known.settled(&key, 1, &used, Sign::Plus);
        known.rate(&key, open.minute, 1, used.tokens(), Sign::Plus);
        let entry = self.entries.entry(key).or_default();
        entry.calls = entry.calls.saturating_add(1);
        entry.used += used;
        let rate = entry.minutes.entry(open.minute).or_default();
        *rate = (rate.0.saturating_add(1), rate.1.saturating_add(used.tokens()));
    }

    /// The records to write: those that only take away come first.
    pub(super) fn write(&mut self, now_ms: i64, known: &mut Totals, asked: &mut Totals) -> Vec<(Bytes, Option<Bytes>)> {
        for ticket in std::mem::take(&mut self.noted) {
            self.place(ticket, now_ms, asked);
        }
        let lost = |key: &&EntryKey| {
            let written_ms = self.entries.get(*key).map_or(now_ms, |entry| entry.written_ms);
            now_ms < written_ms || now_ms - written_ms >= REWRITE_MS
        };
        let lost: Vec<_> = self.unread.iter().filter(lost).cloned().collect();
        self.dirty.extend(lost);
        let (asking, taking): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.dirty).into_iter().partition(|key| self.is_asking(key));
        taking.into_iter().chain(asking).filter_map(|key| self.write_entry(&key, now_ms, known)).collect()
    }

    /// The reservations that can be decided now that a record of this entry was read back.
    pub(super) fn read_back(&mut self, key: &EntryKey, seq: u64) -> Vec<Ticket> {
        let entry = self.entries.entry(key.clone()).or_default();
        if seq < entry.read || seq > entry.written {
            // An old record came again behind a newer one, or a record that this process did not write. The topic must
            // not end with it.
            self.dirty.insert(key.clone());
            return Vec::new();
        }
        entry.read = seq;
        if entry.read == entry.written {
            self.unread.remove(key);
        }
        let stage = |ticket: &Ticket| self.held.get(ticket).map(|held| held.stage);
        let positioned = |ticket: &&Ticket| matches!(stage(ticket), Some(Stage::Asked(Some(since))) if since <= seq);
        entry.open.iter().filter(positioned).copied().collect()
    }

    /// Deletes old entries without reservations.
    pub(super) fn clean(&mut self, now_ms: i64, known: &mut Totals) -> Vec<(Bytes, Option<Bytes>)> {
        let oldest = hour_of(now_ms) - KEEP_HOURS;
        let old = self.entries.iter().filter(|(key, entry)| key.hour < oldest && entry.open.is_empty());
        let old: Vec<_> = old.map(|(key, _)| key.clone()).collect();
        let mut tombstones = Vec::new();
        for key in old {
            let Some(entry) = self.entries.remove(&key) else { continue };
            known.settled(&key, entry.calls, &entry.used, Sign::Minus);
            for (minute, (calls, tokens)) in entry.minutes {
                known.rate(&key, minute, calls, tokens, Sign::Minus);
            }
            self.dirty.remove(&key);
            self.unread.remove(&key);
            tombstones.push((key.encode(), None));
        }
        tombstones
    }

    /// Gives a reservation its entry: that of the current hour, with its first block that has room.
    fn place(&mut self, ticket: Ticket, now_ms: i64, asked: &mut Totals) {
        self.noted.remove(&ticket);
        let Some(held) = self.held.get_mut(&ticket) else { return };
        asked.open(&held.key, &held.open, Sign::Minus);
        (held.key.hour, held.key.block) = (hour_of(now_ms), 0);
        held.open.minute = minute_of_hour(now_ms);
        while self.entries.get(&held.key).is_some_and(|entry| entry.open.len() >= OPEN_PER_BLOCK) {
            held.key.block += 1;
        }
        held.stage = Stage::Asked(None);
        asked.open(&held.key, &held.open, Sign::Plus);
        self.entries.entry(held.key.clone()).or_default().open.insert(ticket);
        self.dirty.insert(held.key.clone());
    }

    /// Takes a reservation out of its entry, if it is in one.
    fn leave(&mut self, ticket: Ticket) {
        if let Some(held) = self.held.get(&ticket)
            && let Some(entry) = self.entries.get_mut(&held.key)
            && entry.open.remove(&ticket)
        {
            self.dirty.insert(held.key.clone());
        }
    }

    fn is_asking(&self, key: &EntryKey) -> bool {
        let mut open = self.entries.get(key).into_iter().flat_map(|entry| &entry.open);
        open.any(|ticket| self.held.get(ticket).is_some_and(|held| held.stage == Stage::Asked(None)))
    }

    fn write_entry(&mut self, key: &EntryKey, now_ms: i64, known: &mut Totals) -> Option<(Bytes, Option<Bytes>)> {
        let entry = self.entries.get_mut(key)?;
        self.records += 1;
        (entry.written, entry.written_ms) = (self.records, now_ms);
        let oldest = minute_of(now_ms) - KEEP_MINUTES;
        entry.minutes.retain(|of_hour, (calls, tokens)| {
            let keep = minute(key.hour, *of_hour) >= oldest;
            if !keep {
                known.rate(key, *of_hour, *calls, *tokens, Sign::Minus);
            }
            keep
        });
        let mut open = Vec::with_capacity(entry.open.len());
        for ticket in &entry.open {
            let held = self.held.get_mut(ticket).expect("entries hold tickets of reservations");
            if held.stage == Stage::Asked(None) {
                held.stage = Stage::Asked(Some(self.records));
            }
            open.push(held.open);
        }
        let minutes = entry.minutes.iter().map(|(minute, (calls, tokens))| Rate(*minute, *calls, *tokens)).collect();
        let (calls, used) = (entry.calls, entry.used);
        let body = Body { seq: self.records, at_ms: now_ms, calls, used, minutes, open };
        self.unread.insert(key.clone());
        Some((key.encode(), Some(body.encode())))
    }
}
