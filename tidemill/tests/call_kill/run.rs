//! A run: the server, the log, the lives, and what its driver sees.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use tidemill::transport::{ConsumedRecord, Transport};
use tidemill_model_server::{Call, Latency, ModelServer, Outcome, Price, Rates, Schedule};

use crate::{
    Tested,
    child::{Life, Past, Process},
    journal::{self, Attempt, Executor},
    site::{self, Site},
    time::real_ms,
    work::{self, APP, MICROS, OUTPUT, Plan, ROUTES},
};

/// A run without progress for so long hangs: better an error than a test that never ends.
const HANGS: Duration = Duration::from_secs(150);

pub(crate) struct Run {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) site: Site,
    pub(crate) plan: Plan,
    pub(crate) models: ModelServer,
    pub(crate) began_real_ms: i64,
    /// When the server began, on the machine's clock.
    server_began_ms: i64,
    pub(crate) past: Vec<Past>,
    lives: u32,
    pub(crate) portions: i64,
    /// When an answer of each request was first seen in the response topic. The key is the partition and the id.
    pub(crate) answered_ms: BTreeMap<(i32, Vec<u8>), i64>,
}

/// In memory where there is such a folder: a killed process leaves its files as it would on a disk, and the disk's
/// flushes, most of this test's time, are spared.
pub(crate) fn folder() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

impl Run {
    pub(crate) fn new(folder: tempfile::TempDir, site: Site, plan: Plan, seed: u64) -> Tested<Self> {
        site::create_topics(&*site.open()?)?;
        let rates = Rates {
            internal_error: 0.04,
            unavailable: 0.02,
            wrong_schema: 0.02,
            malformed: 0.02,
            hang: 0.01,
            cut: 0.01,
            no_usage: 0.01,
            ..Rates::default()
        };
        let price = Price { input_micros: MICROS.0, output_micros: MICROS.1 };
        let models = ModelServer::start(Schedule {
            seed,
            latency: Latency { median_ms: 60, spread: 0.8 },
            rates,
            retry_after_ms: (50, 150),
            prices: ROUTES.map(|name| (name.to_owned(), price)).into(),
            ..Schedule::default()
        });
        // The smallest pause between the two readings counts.
        let server_began_ms = (0..50).map(|_| real_ms() - models.now_ms() as i64).max().unwrap_or_default();
        Ok(Self {
            folder,
            site,
            plan,
            models,
            began_real_ms: real_ms(),
            server_began_ms,
            past: Vec::new(),
            lives: 0,
            portions: 0,
            answered_ms: BTreeMap::new(),
        })
    }

    pub(crate) fn place(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Writes the next portion of input.
    pub(crate) fn feed(&mut self, log: &dyn Transport) -> Tested {
        site::append(log, work::portion(self.portions))?;
        self.portions += 1;
        Ok(())
    }

    /// Starts a process.
    pub(crate) fn start(&mut self, instance: usize) -> Tested<Process> {
        self.start_until(instance, None)
    }

    /// Starts a process that ends by itself when there are so many effects.
    pub(crate) fn start_until(&mut self, instance: usize, until: Option<usize>) -> Tested<Process> {
        self.lives += 1;
        Process::start(&Life {
            number: self.lives,
            site: self.site.clone(),
            place: self.place(),
            instance,
            models: self.models.url(),
            plan: self.plan.clone(),
            began_real_ms: self.began_real_ms,
            until,
        })
    }

    /// Waits until a process has a call at the server, but not for long: limits may keep it waiting.
    pub(crate) fn wait_for_call(&self, process: &Process, most: Duration) {
        let began = Instant::now();
        let waits = |call: &Call| call.outcome == Outcome::Waiting && process.is_life(&call.key);
        while began.elapsed() < most && !self.models.calls().iter().rev().take(100).any(waits) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The answers that are in the log at this moment.
    pub(crate) fn saw(&mut self, answers: &[(i32, ConsumedRecord)], now_ms: i64) {
        for (partition, record) in answers {
            let key = (*partition, record.key.as_deref().unwrap_or_default().to_vec());
            self.answered_ms.entry(key).or_insert(now_ms);
        }
    }

    /// Waits until every window has its effect.
    pub(crate) fn wait_for_all(&self, effects: impl Fn() -> Tested<usize>) -> Tested {
        let expected = work::windows(self.portions).len();
        let (mut known, mut moved) = (0, Instant::now());
        loop {
            let now = effects()?;
            if now >= expected {
                return Ok(());
            }
            if now > known {
                (known, moved) = (now, Instant::now());
            } else if moved.elapsed() > HANGS {
                return Err(format!("no progress for {HANGS:?} at {now} of {expected} effects in {OUTPUT}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Everything that is to be checked.
    pub(crate) fn evidence(self) -> Tested<Evidence> {
        // What the server got from processes that were killed.
        let settled = Instant::now();
        while self.models.at_once() > 0 && settled.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = self.site.open()?;
        let call = work::call();
        let effects = site::read_all(&*log, OUTPUT)?;
        let answers = site::read_all(&*log, &call.response_topic(APP))?;
        let ledger = site::read_all(&*log, &call.ledger_topic(APP))?;
        let (mut attempts, mut executors) = (Vec::new(), BTreeMap::new());
        for past in &self.past {
            let noted = journal::read(&self.place(), past.number)?;
            attempts.extend(noted.attempts);
            let ends = noted.opened_ms.iter().skip(1).map(|next_ms| (*next_ms, Ending::Reopened));
            let last = if past.killed { Ending::Killed } else { Ending::Closed };
            for (number, end) in (1..).zip(ends.chain([(past.ended_ms, last)])) {
                executors.insert((past.number, number), end);
            }
        }
        let unknown = bill(&mut attempts, &self.models.calls(), self.server_began_ms);
        Ok(Evidence { run: self, effects, answers, ledger, attempts, executors, unknown })
    }
}

/// How an executor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Killed,
    /// The log failed it, or its group gave it up. Its process went on with another one.
    Reopened,
    Closed,
}

/// What a run left behind.
pub(crate) struct Evidence {
    pub(crate) run: Run,
    pub(crate) effects: Vec<(i32, ConsumedRecord)>,
    pub(crate) answers: Vec<(i32, ConsumedRecord)>,
    pub(crate) ledger: Vec<(i32, ConsumedRecord)>,
    pub(crate) attempts: Vec<Attempt>,
    /// When and how each executor ended.
    pub(crate) executors: BTreeMap<Executor, (i64, Ending)>,
    /// Calls that reached the server and that no journal has.
    pub(crate) unknown: Vec<Call>,
}

/// Notes at each ask what the server billed for it. Returns the calls of the server that belong to no ask.
fn bill(attempts: &mut [Attempt], calls: &[Call], server_began_ms: i64) -> Vec<Call> {
    /// Clocks of one machine, read in two ways.
    const SLACK_MS: i64 = 100;
    let mut by_ask: BTreeMap<(u32, String), Vec<&Call>> = BTreeMap::new();
    for call in calls.iter().rev() {
        by_ask.entry((call.key.parse().unwrap_or(0), call.id.clone())).or_default().push(call);
    }
    for attempt in attempts {
        for ask in &mut attempt.asks {
            let Some(left) = by_ask.get_mut(&(attempt.executor.0, ask.id.clone())) else { continue };
            let until_ms = ask.told.as_ref().map_or(i64::MAX, |told| told.at_ms + SLACK_MS);
            let is_its = |call: &&Call| {
                let at_ms = server_began_ms + call.at_ms as i64;
                at_ms + SLACK_MS >= ask.at_ms && at_ms <= until_ms
            };
            if left.last().is_some_and(is_its)
                && let Some(call) = left.pop()
                && call.billed
            {
                ask.billed = Some(tidemill::Usage {
                    input_tokens: call.input_tokens,
                    output_tokens: call.output_tokens,
                    cost_micros: call.cost_micros,
                });
            }
        }
    }
    by_ask.into_values().flatten().cloned().collect()
}
