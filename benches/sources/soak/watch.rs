//! Looks at the server while it runs: its memory, and whether connectors come back when they say they do.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::Value;
use tidemill::{Clock as _, SystemClock};

use crate::{
    figures::{Figures, mebibytes},
    instance::Instance,
};

/// So much later than it said a connector may try again: it opens meanwhile, and machines are busy.
const SLACK_MS: i64 = 10_000;
/// From this length on, memory is compared: before, caches still fill.
const STEADY: Duration = Duration::from_mins(5);
/// By so much memory may grow from the first third to the last one.
const GROWTH: f64 = 1.15;

/// What was seen.
pub(super) struct Watch {
    started: Instant,
    /// The memory of each second: the server's, and that of its programs.
    memory: Vec<(u64, u64)>,
    /// For what each part of a stream waits: until when, and since when.
    waiting: HashMap<(String, &'static str), (i64, i64)>,
    waits: u64,
    longest_ms: i64,
    latest_ms: i64,
    overdue: Vec<String>,
    reasons: HashMap<String, u64>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            memory: Vec::new(),
            waiting: HashMap::new(),
            waits: 0,
            longest_ms: 0,
            latest_ms: 0,
            overdue: Vec::new(),
            reasons: HashMap::new(),
        }
    }

    /// Looks once. Returns what has not ended yet.
    pub(super) async fn look(&mut self, instance: &Instance, ids: &[&str]) -> Result<Vec<String>> {
        let mut open = Vec::new();
        for id in ids {
            let source = instance.source(id).await?;
            for (part, state) in [("chat", &source), ("speech", &source["speech"])] {
                ensure!(state["state"] != "refused", "{part} of {id} was refused: {state}");
                if state["state"] != "ended" && !(part == "speech" && state.is_null()) {
                    open.push(format!("{part} of {id}: {} {}", state["state"], state["reason"]));
                }
                self.note(id, part, state);
            }
        }
        while self.memory.len() as u64 <= self.started.elapsed().as_secs() {
            let usage = instance.usage()?;
            self.memory.push((usage.server_rss, usage.programs_rss));
        }
        Ok(open)
    }

    fn note(&mut self, id: &str, part: &'static str, state: &Value) {
        let (key, now_ms) = ((id.to_owned(), part), SystemClock.now_ms());
        let until_ms = state["until_ms"].as_i64().filter(|_| state["state"] == "waiting");
        let before = self.waiting.get(&key).copied();
        if let Some((due_ms, _)) = before.filter(|(due_ms, _)| until_ms != Some(*due_ms) || now_ms > *due_ms) {
            let late_ms = now_ms - due_ms;
            self.latest_ms = self.latest_ms.max(late_ms);
            if late_ms > SLACK_MS && until_ms == Some(due_ms) {
                self.overdue.push(format!("{part} of {id} is {late_ms} ms late: {}", state["reason"]));
                self.waiting.remove(&key);
                return;
            }
        }
        match until_ms {
            Some(until_ms) if before.is_none_or(|(due_ms, _)| due_ms != until_ms) => {
                self.waits += 1;
                self.longest_ms = self.longest_ms.max(until_ms - now_ms);
                *self.reasons.entry(state["reason"].to_string()).or_default() += 1;
                self.waiting.insert(key, (until_ms, now_ms));
            }
            Some(_) => {}
            None => drop(self.waiting.remove(&key)),
        }
    }

    pub(super) fn report(self, figures: &mut Figures) {
        figures.add("connectors waited before another attempt", format!("{} times", self.waits));
        let mut reasons: Vec<_> = self.reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (reason, count) in reasons.into_iter().take(8) {
            figures.add(format!("  {count} times"), reason);
        }
        figures.add("the longest back-off", format!("{} ms", self.longest_ms));
        let is_back = self.overdue.is_empty();
        let told = format!("at most {} ms after it {}", self.latest_ms.max(0), self.overdue.join(", "));
        figures.check("connectors are back within their back-off", told.trim(), is_back);
        let third = (self.memory.len() / 3).max(1);
        let mean = |of: fn(&(u64, u64)) -> u64, part: &[(u64, u64)]| {
            part.iter().map(of).sum::<u64>() as f64 / part.len().max(1) as f64
        };
        let (first, last) = (&self.memory[..third], &self.memory[self.memory.len() - third..]);
        let of_server = [first, last].map(|part| mean(|(server, _)| *server, part));
        let told = of_server.map(mebibytes).join(" → ");
        if self.started.elapsed() < STEADY {
            figures.add("memory, first third → last third (compared from 5 minutes on)", told);
        } else {
            figures.check("memory is flat, first third → last third", told, of_server[1] <= of_server[0] * GROWTH);
        }
        let programs = [first, last].map(|part| mebibytes(mean(|(_, programs)| *programs, part)));
        figures.add("memory of FFmpeg, likewise", programs.join(" → "));
    }
}
