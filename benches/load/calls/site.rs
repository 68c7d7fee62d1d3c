//! Runs one load: starts the stand-in and the server, opens the pages, sends the events, waits for the results.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tidemill::{Clock as _, SystemClock};
use tidemill_apps::apps::http_client;
use tidemill_model_server::{Call, ModelServer, Schedule};

use super::{
    connectors::{self, Connector, Times},
    results::{Results, Window},
};
use crate::{
    follow::follow,
    process::{Launch, Process, Sample, Used},
};

/// The time before the first window. Pages and connections open in this time.
const LEAD_MS: i64 = 3_000;
/// How late chat may arrive.
const GRACE_MS: i64 = 500;
/// How long results may take after the last event.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a second result of a window is waited for.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// A load.
pub(super) struct Plan {
    pub(super) connectors: Vec<Connector>,
    pub(super) windows: i64,
    pub(super) window_ms: i64,
    /// What the stand-in does; `None` for the offline analyst.
    pub(super) models: Option<Schedule>,
    pub(super) settings: Vec<String>,
    /// The text of the configuration file.
    pub(super) file: String,
}

/// The stand-in and a server that are ready for events.
pub(super) struct Site {
    pub(super) models: ModelServer,
    /// The stand-in's start, in epoch milliseconds.
    models_ms: i64,
    pub(super) process: Process,
    plan: Plan,
    pub(super) times: Times,
}

/// What a run told.
pub(super) struct Run {
    pub(super) windows: Vec<Window>,
    /// The stand-in's log, with times in epoch milliseconds.
    pub(super) calls: Vec<(i64, Call)>,
    pub(super) used: Used,
    pub(super) samples: Vec<Sample>,
    pub(super) most_at_once: usize,
}

impl Site {
    pub(super) async fn start(plan: Plan) -> Result<Self> {
        let models = ModelServer::start(plan.models.clone().unwrap_or_default());
        let models_ms = SystemClock.now_ms() - models.now_ms() as i64;
        let window = format!("live.window={}ms", plan.window_ms);
        let mut settings = vec![window, format!("live.grace={GRACE_MS}ms")];
        if plan.models.is_some() {
            settings.extend([
                "analyst.kind=gemini".to_owned(),
                format!("analyst.endpoint={}", models.url()),
                "analyst.price=0.30/2.50".to_owned(),
                "analyst.money_per_day=1000".to_owned(),
                "analyst.tenant_money_per_hour=100".to_owned(),
            ]);
        }
        settings.extend(plan.settings.iter().cloned());
        let variables =
            if plan.models.is_some() { vec![("TIDEMILL_ANALYST_API_KEY", "load-test")] } else { Vec::new() };
        let launch = Launch { settings, variables, file: plan.file.clone() };
        let process = Process::start(None, &launch).await?;
        let lead_ms = SystemClock.now_ms() + LEAD_MS;
        let first_ms = lead_ms - lead_ms % plan.window_ms + plan.window_ms;
        let times = Times { first_ms, window_ms: plan.window_ms, grace_ms: GRACE_MS, windows: plan.windows };
        Ok(Self { models, models_ms, process, plan, times })
    }

    /// A time in epoch milliseconds on the stand-in's clock.
    pub(super) fn models_time(&self, epoch_ms: i64) -> u64 {
        u64::try_from(epoch_ms - self.models_ms).unwrap_or(0)
    }

    /// Sends all events and waits for all results.
    pub(super) async fn run(mut self) -> Result<Run> {
        let results = Arc::new(Results::default());
        let http = http_client(Duration::from_hours(1))?;
        let mut pages = Vec::new();
        for connector in &self.plan.connectors {
            for (stream, id) in connector.streams.clone() {
                let url = format!("http://{}/v1/streams/{id}/events?after=0", self.process.address);
                let (http, results, token) = (http.clone(), results.clone(), connector.token.clone());
                pages.push(tokio::spawn(async move {
                    let arrived = |event: &str| results.arrived(stream, event);
                    if let Err(error) = follow(&http, &url, token.as_deref(), arrived).await {
                        eprintln!("{url}: {error}");
                    }
                }));
            }
        }
        let senders = connectors::all(&self.plan.connectors, self.process.address, self.times, &results)?;
        crate::tally::until(self.times.first_ms).await;
        self.process.begin()?;
        let length_ms = self.times.window_ms * self.times.windows + GRACE_MS;
        let watched = self.process.watch(Duration::from_millis(length_ms as u64));
        for sender in senders {
            sender.await.context("a connector ended")??;
        }
        results.complete(PATIENCE).await;
        let used = self.process.used()?;
        tokio::time::sleep(AFTERWARDS).await;
        pages.iter().for_each(tokio::task::JoinHandle::abort);
        ensure!(results.refusals() == 0, "the server did not accept {} requests", results.refusals());
        let calls = self.models.calls().into_iter().map(|call| (self.models_ms + call.at_ms as i64, call)).collect();
        let samples = watched.await.context("the watch ended")?;
        Ok(Run { windows: results.windows(), calls, used, samples, most_at_once: self.models.most_at_once() })
    }
}

impl Run {
    pub(super) fn missing(&self) -> usize {
        self.windows.iter().filter(|window| window.results == 0).count()
    }

    pub(super) fn twice(&self) -> usize {
        self.windows.iter().filter(|window| window.results > 1).count()
    }

    /// Fails if a window has no result, or more than one.
    pub(super) fn check(&self) -> Result<()> {
        let (all, missing, twice) = (self.windows.len(), self.missing(), self.twice());
        ensure!(all > 0, "no window was closed");
        ensure!(missing == 0 && twice == 0, "of {all} windows, {missing} have no result and {twice} more than one");
        Ok(())
    }

    /// The number of results by outcome, the reasons of drafts and fallbacks without their numbers.
    pub(super) fn reasons(&self) -> Vec<(String, usize)> {
        let mut counts = HashMap::<String, usize>::new();
        for window in &self.windows {
            let told = &window.provenance;
            let reason: String = told.reason.chars().filter(|letter| !letter.is_ascii_digit()).take(90).collect();
            *counts.entry(format!("{:?} {reason}", told.outcome)).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    pub(super) fn load_average(&self) -> f64 {
        self.samples.last().map_or(0.0, |sample| sample.load)
    }
}
