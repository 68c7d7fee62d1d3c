//! Asks questions: some at a time, again after errors that pass, and never for more money than was said.

use std::{future::Future, sync::Arc, time::Duration};

use serde_json::Value;
use tidemill::{CallPolicy, Retry, Usage, llm::AnswerDetails};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::purse::Purse;
use crate::apps::Question;

/// How questions are asked.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    /// How many are asked at the same time.
    pub at_once: usize,
    /// How often one is asked if errors pass.
    pub attempts: u32,
    /// Time limit of an attempt.
    pub timeout: Duration,
    /// How long to wait between attempts.
    pub patience: Patience,
}

/// How long to wait between attempts.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The pause after the first attempt. It doubles after each further one.
    pub first: Duration,
    /// The longest pause, if the service asks for none.
    pub longest: Duration,
    /// A question is given up if the service asks for a longer pause than this.
    pub most: Duration,
}

impl Asking {
    /// Asks as executors with this policy do.
    pub fn of(policy: &CallPolicy) -> Self {
        Self {
            at_once: policy.max_in_flight.max(1),
            attempts: policy.max_attempts.max(1),
            timeout: policy.timeout,
            patience: Patience {
                first: policy.first_backoff,
                longest: policy.max_backoff,
                most: Duration::from_secs(120),
            },
        }
    }
}

/// A question whose last attempt has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The index of the question.
    pub index: usize,
    /// How it ended.
    pub tried: Tried,
}

/// How the attempts of a question ended.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The answer, or the failure's short name and message.
    pub outcome: Result<Value, (String, String)>,
    /// What all attempts consumed.
    pub usage: Usage,
    /// How long the last attempt took, without waiting.
    pub latency: Duration,
    /// The number of attempts.
    pub attempts: u32,
    /// How the model came to its answer.
    pub details: AnswerDetails,
}

/// The most that the questions may use, if each is asked once.
pub fn most(questions: &[Arc<dyn Question>]) -> Usage {
    questions.iter().map(|question| question.most()).sum()
}

/// Asks all questions, until `stop` ends. Returns what was answered so far. `told` hears of each end.
///
/// The money of all attempts together is at most what [`most`] says: a further attempt is not made if the money may not
/// suffice.
pub async fn ask(
    questions: &[Arc<dyn Question>],
    asking: &Asking,
    stop: impl Future<Output = ()>,
    mut told: impl FnMut(&Ended),
) -> Vec<Ended> {
    let (room, purse) = (Arc::new(Semaphore::new(asking.at_once)), Arc::new(Purse::new(most(questions).cost_micros)));
    let (mut running, mut ended) = (JoinSet::new(), Vec::new());
    for (index, question) in questions.iter().cloned().enumerate() {
        let (room, purse, asking) = (room.clone(), purse.clone(), *asking);
        running.spawn(async move {
            let tried = try_question(&*question, &asking, &room, &purse).await;
            Ended { index, tried }
        });
    }
    let all = async {
        while let Some(one) = running.join_next().await {
            // A panic is a bug of a task, and leaves its question unanswered.
            if let Ok(one) = one {
                told(&one);
                ended.push(one);
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = all => {}
    }
    ended.sort_by_key(|one| one.index);
    ended
}

async fn try_question(question: &dyn Question, asking: &Asking, room: &Semaphore, purse: &Purse) -> Tried {
    let (most, mut usage) = (question.most().cost_micros, Usage::default());
    let mut attempt = 1;
    loop {
        // While a question waits for its next attempt, others are asked.
        let place = room.acquire().await;
        if !purse.take(most) {
            let failure = ("money".to_owned(), "another attempt may cost more than was said".to_owned());
            let (latency, details) = (Duration::ZERO, AnswerDetails::default());
            return Tried { outcome: Err(failure), usage, latency, attempts: attempt - 1, details };
        }
        let started = Instant::now();
        let trial = question.ask(attempt, asking.timeout).await;
        let latency = started.elapsed();
        purse.put_back(most.saturating_sub(trial.usage.cost_micros));
        drop(place);
        usage += trial.usage;
        let name = trial.failure.unwrap_or("error");
        let outcome = trial.outcome.map_err(|error| (error.retry, (name.to_owned(), error.message)));
        let pause = match &outcome {
            Err((retry, _)) if attempt < asking.attempts => asking.patience.pause(attempt, *retry),
            _ => None,
        };
        let Some(pause) = pause else {
            let outcome = outcome.map_err(|(_, failure)| failure);
            return Tried { outcome, usage, latency, attempts: attempt, details: trial.details };
        };
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}

impl Patience {
    /// The pause before the next attempt; `None` if there is none.
    fn pause(&self, attempt: u32, retry: Retry) -> Option<Duration> {
        let doubled = self.first.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(self.longest);
        match retry {
            Retry::Never | Retry::OtherRoute => None,
            Retry::Backoff => Some(doubled),
            Retry::After(asked) => (asked <= self.most).then(|| doubled.max(asked)),
        }
    }
}
