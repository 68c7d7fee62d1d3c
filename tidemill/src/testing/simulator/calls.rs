//! The executors of a simulation's calls, and what they did.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use tidemill_state::Coded;

use super::{SimulationError, Simulator};
use crate::{
    async_op::{AsyncCall, CallError, CallPolicy, CallRequest, Spending, ledger::Ledger},
    clock::Clock,
    record::Data,
    testing::executors::{self, Seat},
};

impl Simulator {
    /// Runs `count` executors of a call beside the instances. They also stop and restart, and their calls are answered
    /// at random moments. A turn returns [`SimulationError::Differs`] if an executor makes a call for a partition that
    /// it does not own.
    ///
    /// ```
    /// # use tidemill::{AsyncCall, CallPolicy, StreamsBuilder, testing::{Simulator, SimulatorOptions}};
    /// # let builder = StreamsBuilder::new();
    /// let call = AsyncCall::<u64, i64, i64>::named("double");
    /// builder.stream::<u64, i64>("in").map_async(&call).map_values(|it| it.outcome.unwrap_or(-1)).to("out");
    ///
    /// let mut simulator = Simulator::new(&builder.build()?, SimulatorOptions::new(42))?;
    /// simulator.add_executors(&call, 2, &CallPolicy::default(), |request| Ok(2 * request.value));
    /// for number in 0..10 {
    ///     simulator.append("in", &(number as u64), &number, number)?;
    ///     simulator.run(10)?;
    /// }
    /// simulator.settle()?;
    /// let mut doubled: Vec<i64> = simulator.read::<u64, i64>("out")?.into_iter().map(|(_, _, value)| value).collect();
    /// doubled.sort();
    /// assert_eq!(doubled, (0..10).map(|number| 2 * number).collect::<Vec<_>>());
    /// // A crash may repeat a call. Its answer counts once all the same.
    /// assert_eq!(simulator.calls().len(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_executors<K, V, R>(
        &mut self,
        call: &AsyncCall<K, V, R>,
        count: usize,
        policy: &CallPolicy,
        answer: impl Fn(&CallRequest<K, V>) -> Result<R, CallError> + Clone + 'static,
    ) where
        K: Data + Coded + Send,
        V: Data + Send,
        R: Send + 'static,
    {
        let application_id = self.config.application_id.clone();
        for number in 0..count {
            self.executors.push(Box::new(Seat {
                name: format!("executor-{number}"),
                starts: 0,
                group: call.executor_group(&application_id),
                application_id: application_id.clone(),
                call: call.clone(),
                policy: policy.clone(),
                log: self.log.clone(),
                fate: self.fate.clone(),
                calls: self.calls.clone(),
                answer: answer.clone(),
                executor: None,
                open: Arc::default(),
            }));
        }
    }

    /// How often each request was called, by request id. See the example of [`Simulator::add_executors`].
    pub fn calls(&self) -> BTreeMap<Bytes, usize> {
        executors::lock(&self.calls).attempts.clone()
    }

    /// The most attempts that ran at the same time in all executors together, and the micros that all answered attempts
    /// consumed. Each consumes up to 100 micros. See the example of [`Simulator::spending`].
    pub fn attempts(&self) -> (usize, u64) {
        let calls = executors::lock(&self.calls);
        (calls.running_max, calls.consumed_micros)
    }

    /// What the ledger of a call says was spent.
    ///
    /// # Errors
    ///
    /// If the call has no ledger.
    ///
    /// ```
    /// # use tidemill::{AsyncCall, CallPolicy, StreamsBuilder};
    /// # use tidemill::testing::{FaultRates, Simulator, SimulatorOptions};
    /// # let builder = StreamsBuilder::new();
    /// # let call = AsyncCall::<u64, i64, i64>::named("double");
    /// # builder.stream::<u64, i64>("in").map_async(&call).map_values(|it| it.outcome.unwrap_or(-1)).to("out");
    /// # let options = SimulatorOptions { faults: FaultRates::NONE, ..SimulatorOptions::new(42) };
    /// let mut simulator = Simulator::new(&builder.build()?, options)?;
    /// let policy = CallPolicy { keep_ledger: true, ..CallPolicy::default() };
    /// simulator.add_executors(&call, 1, &policy, |request| Ok(2 * request.value));
    /// simulator.append("in", &7_u64, &21_i64, 0)?;
    /// simulator.settle()?;
    /// let spent: u64 = simulator.spending(&call)?.iter().map(|it| it.day.usage.cost_micros).sum();
    /// assert_eq!(simulator.attempts(), (1, spent));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spending<K, V, R>(&self, call: &AsyncCall<K, V, R>) -> Result<Vec<Spending>, SimulationError> {
        let mut ledger = Ledger::new("observer", Vec::new());
        let now_ms = self.fate.clock.now_ms();
        for (_, record) in self.log.read_all(&call.ledger_topic(&self.config.application_id))? {
            ledger.read(&record.key.unwrap_or_default(), record.value.as_deref(), now_ms);
        }
        Ok(ledger.spending(now_ms))
    }

    pub(super) fn check_calls(&self) -> Result<(), SimulationError> {
        let strays = executors::lock(&self.calls).strays.first().cloned();
        strays.map_or(Ok(()), |stray| Err(SimulationError::Differs(format!("call by the wrong executor: {stray}"))))
    }
}
