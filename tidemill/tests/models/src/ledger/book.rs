//! The log of calls, with their sums.

use std::collections::{HashMap, VecDeque};

use super::{Bill, Call};
use crate::reply::Usage;

/// How many calls the log keeps. Sums are of all.
const KEPT: usize = 200_000;

/// The log of calls, with their sums.
#[derive(Debug, Default)]
pub(crate) struct Book {
    calls: VecDeque<Call>,
    /// The number of the first call that is kept.
    first: u64,
    bill: Bill,
    asked: HashMap<String, u64>,
    at_once: usize,
    most_at_once: usize,
}

impl Book {
    /// Notes that an id is asked, and says how often it was by now.
    pub(crate) fn ask(&mut self, id: &str) -> u64 {
        let asked = self.asked.entry(id.to_owned()).or_default();
        *asked += 1;
        *asked
    }

    /// Notes a call that begins, and says its number.
    pub(crate) fn begin(&mut self, call: Call) -> u64 {
        self.at_once += 1;
        self.most_at_once = self.most_at_once.max(self.at_once);
        self.bill.count(&call);
        self.calls.push_back(call);
        if self.calls.len() > KEPT {
            self.calls.pop_front();
            self.first += 1;
        }
        self.first + self.calls.len() as u64 - 1
    }

    /// Changes a call, if it is still kept.
    pub(crate) fn note(&mut self, number: u64, change: impl FnOnce(&mut Call)) {
        if let Some(call) = number.checked_sub(self.first).and_then(|at| self.calls.get_mut(at as usize)) {
            change(call);
        }
    }

    /// Bills a call's answer.
    pub(crate) fn charge(&mut self, number: u64, usage: Usage, cost_micros: u64) {
        let Some(call) = number.checked_sub(self.first).and_then(|at| self.calls.get_mut(at as usize)) else { return };
        call.billed = true;
        call.input_tokens = usage.prompt;
        call.output_tokens = usage.output();
        call.cost_micros = cost_micros;
        self.bill.charge(call);
    }

    /// Notes the end of a call.
    pub(crate) fn end(&mut self, number: u64, latency_ms: u64, client_left: bool) {
        self.at_once -= 1;
        self.note(number, |call| {
            call.latency_ms = latency_ms;
            call.client_left = client_left;
        });
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.iter().cloned().collect()
    }

    pub(crate) fn bill(&self) -> Bill {
        self.bill.clone()
    }

    pub(crate) fn asked(&self, id: &str) -> u64 {
        self.asked.get(id).copied().unwrap_or_default()
    }

    pub(crate) fn at_once(&self) -> usize {
        self.at_once
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once
    }
}
