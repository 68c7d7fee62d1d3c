//! A request from its arrival to its end, as the log and the bill see it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;

use crate::asked::Asked;
use crate::desk::Desk;
use crate::key;
use crate::ledger::{Call, Outcome};
use crate::reply::Usage;
use crate::schedule::Schedule;

/// What is known of a request when it comes.
pub(crate) struct Arrival<'a> {
    pub(crate) id: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) model: String,
    pub(crate) asked: &'a Result<Asked, String>,
}

/// A request that is at the desk. If it is dropped before its end, the client has left.
pub(crate) struct Visit {
    desk: Arc<Desk>,
    schedule: Arc<Schedule>,
    model: String,
    /// Its place in the log.
    pub(crate) number: u64,
    /// How often its id was asked.
    pub(crate) asking: u64,
    began: Instant,
    /// What is to be billed.
    pub(crate) owes: Option<Usage>,
    over: bool,
}

impl Visit {
    pub(crate) fn begin(desk: &Arc<Desk>, schedule: &Arc<Schedule>, arrival: Arrival<'_>) -> Self {
        let at_ms = desk.now_ms();
        let mut book = desk.book();
        let asking = book.ask(arrival.id);
        let asked = arrival.asked.as_ref().ok();
        let number = book.begin(Call {
            at_ms,
            id: arrival.id.to_owned(),
            asking,
            key: arrival.key.map(key::last_four).unwrap_or_default(),
            model: arrival.model.clone(),
            stream: asked.is_some_and(|asked| asked.stream),
            prompt_tokens: asked.map_or(0, Asked::prompt_tokens),
            input_tokens: 0,
            output_tokens: 0,
            cost_micros: 0,
            billed: false,
            outcome: Outcome::Waiting,
            status: 0,
            latency_ms: 0,
            client_left: false,
        });
        drop(book);
        Self {
            desk: desk.clone(),
            schedule: schedule.clone(),
            model: arrival.model,
            number,
            asking,
            began: Instant::now(),
            owes: None,
            over: false,
        }
    }

    pub(crate) fn pause(&self) -> Duration {
        Duration::from_millis(self.schedule.pause_ms)
    }

    pub(crate) fn pay(&mut self) {
        if let Some(usage) = self.owes.take() {
            let cost = self.schedule.cost_micros(&self.model, usage.prompt, usage.output());
            self.desk.book().charge(self.number, usage, cost);
        }
    }

    pub(crate) fn note(&self, outcome: Outcome, status: StatusCode) {
        self.desk.book().note(self.number, |call| {
            call.outcome = outcome;
            call.status = status.as_u16();
        });
    }

    /// Ends the visit with an answer that is sent at once.
    pub(crate) fn settle(mut self, outcome: Outcome, status: StatusCode) {
        self.note(outcome, status);
        self.end();
    }

    /// Notes that the whole answer is on its way.
    pub(crate) fn end(&mut self) {
        self.finish(false);
    }

    fn finish(&mut self, client_left: bool) {
        if !std::mem::replace(&mut self.over, true) {
            self.desk.book().end(self.number, self.began.elapsed().as_millis() as u64, client_left);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.schedule.bills_abandoned && !self.over {
            self.pay();
        }
        self.finish(true);
    }
}
