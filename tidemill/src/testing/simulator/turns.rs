//! The turns of a simulation: chance decides who acts, and which fault occurs.

use std::time::Duration;

use super::{SimulationError, Simulator};
use crate::{clock::Clock, testing::instance::Instance};

/// Longer than tombstones are kept.
const DAY: Duration = Duration::from_hours(25);

/// The most by which one fault changes the clock.
const HOUR_MS: u64 = 3_600_000;

impl Simulator {
    /// One random turn.
    pub(super) fn turn(&mut self) -> Result<(), SimulationError> {
        if self.instances.is_empty() {
            return Ok(());
        }
        self.instances.iter().for_each(Instance::trickle);
        if !self.executors.is_empty() && self.fate.below(3) == 0 {
            let at = self.fate.below(self.executors.len() as u64) as usize;
            self.executors[at].turn();
            return self.check_calls();
        }
        let at = self.fate.below(self.instances.len() as u64) as usize;
        let session_ms = self.config.session_timeout.as_millis() as u64;
        let fate = self.fate.clone();
        let instance = &mut self.instances[at];
        if !instance.is_up() {
            if fate.below(10) == 0 {
                instance.start()?;
            } else {
                fate.clock.advance(Duration::from_millis(fate.below(10)));
            }
            return Ok(());
        }
        let thread = fate.below(instance.threads() as u64) as usize;
        if fate.strikes(|rates| rates.crash) {
            instance.crash();
        } else if fate.strikes(|rates| rates.close) {
            instance.close();
        } else if fate.strikes(|rates| rates.pause) {
            instance.pause(thread, Duration::from_millis(fate.below(2 * session_ms)));
        } else if fate.strikes(|rates| rates.twin) {
            instance.duplicate()?;
        } else if fate.strikes(|rates| rates.cut_off) {
            instance.cut_off(Duration::from_millis(fate.below(2 * session_ms)));
        } else if fate.strikes(|rates| rates.maintenance) {
            fate.note("maintenance");
            self.log.maintain()?;
        } else if fate.strikes(|rates| rates.idle_day) {
            fate.note("a day passes");
            fate.clock.advance(DAY);
            self.log.maintain()?;
        } else if fate.strikes(|rates| rates.clock_set) {
            let by = Duration::from_millis(fate.below(HOUR_MS));
            let back = fate.below(2) == 0;
            fate.note(&format!("the wall clock is set {} by {by:?}", if back { "back" } else { "forward" }));
            // The clock must not go back before the epoch.
            let since_epoch = Duration::from_millis(fate.clock.now_ms().max(0).unsigned_abs());
            if back { fate.clock.set_back(by.min(since_epoch)) } else { fate.clock.set_forward(by) }
        } else if fate.below(4) == 0 {
            fate.clock.advance(Duration::from_millis(1 + fate.below(50)));
        } else {
            instance.step(thread, Duration::ZERO)?;
            self.peaks.count(instance.load());
        }
        Ok(())
    }

    /// Gives each thread one turn. Returns whether there was work.
    pub(super) fn step_all(&mut self, timeout: Duration) -> Result<bool, SimulationError> {
        let mut busy = false;
        for instance in &mut self.instances {
            for thread in 0..instance.threads() {
                busy |= instance.step(thread, timeout)? > 0;
            }
            busy |= !instance.is_idle();
            self.peaks.count(instance.load());
        }
        for executor in &mut self.executors {
            busy |= executor.turn() || executor.waits();
        }
        self.check_calls()?;
        Ok(busy)
    }

    /// Gives each thread one turn, and then moves the clock by a commit interval. Returns whether there was work.
    pub(super) fn round(&mut self) -> Result<bool, SimulationError> {
        let busy = self.step_all(Duration::ZERO)?;
        // Longer than the commit interval and a tick, but shorter than a session.
        let interval = self.config.commit_interval.max(crate::runtime::TICK).min(self.config.session_timeout / 4);
        self.fate.clock.advance(interval);
        Ok(busy)
    }

    /// The partitions that are not processed to their end.
    pub(super) fn behind(&mut self) -> String {
        let mut lags = self.log.group_lag(&self.config.application_id);
        let stopped: Vec<_> = self.instances.iter_mut().flat_map(Instance::stopped).collect();
        lags.retain(|lag| !stopped.contains(&lag.partition));
        if let Some(executor) = self.executors.first() {
            lags.extend(self.log.group_lag(executor.group()));
        }
        let behind = lags.iter().filter(|lag| lag.lag > 0 || lag.member.is_none());
        let texts: Vec<_> = behind.map(|lag| format!("{} by {} ({:?})", lag.partition, lag.lag, lag.member)).collect();
        texts.join(", ")
    }
}
