//! Metrics of processors.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use tidemill_state::BoxError;

use super::ProcessingContext;
use crate::graph::NodeId;

/// A number that only grows, for example the payments that were refused (`addRateTotalSensor` in Kafka Streams). Clones
/// count together. See the example of [`ProcessingContext::counter`].
#[derive(Debug, Clone, Default)]
pub struct Counter(Rc<Cell<u64>>);

impl Counter {
    /// Adds to the number. See the example of [`ProcessingContext::counter`].
    pub fn add(&self, more: u64) {
        self.0.set(self.0.get().saturating_add(more));
    }
}

/// A number that rises and falls, for example the open orders. Clones set the same number. See the example of
/// [`ProcessingContext::counter`].
#[derive(Debug, Clone, Default)]
pub struct Gauge(Rc<Cell<i64>>);

impl Gauge {
    /// Sets the number. See the example of [`ProcessingContext::counter`].
    pub fn set(&self, value: i64) {
        self.0.set(value);
    }
}

/// Values of which number, sum, minimum and maximum are told, for example how late records are
/// (`addLatencyRateTotalSensor` in Kafka Streams). Clones record together. See the example of
/// [`ProcessingContext::counter`].
#[derive(Debug, Clone, Default)]
pub struct Summary(Rc<Cell<Recorded>>);

/// What a [`Summary`] recorded. See the example of [`ProcessingContext::counter`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The number of values.
    pub count: u64,
    /// Their sum.
    pub sum: i64,
    /// The lowest; 0 without values.
    pub min: i64,
    /// The highest; 0 without values.
    pub max: i64,
}

impl Summary {
    /// Records a value. See the example of [`ProcessingContext::counter`].
    pub fn record(&self, value: i64) {
        let Recorded { count, sum, min, max } = self.0.get();
        let (min, max) = if count == 0 { (value, value) } else { (min.min(value), max.max(value)) };
        self.0.set(Recorded { count: count.saturating_add(1), sum: sum.saturating_add(value), min, max });
    }
}

/// The value of a processor's metric. See the example of [`ProcessingContext::counter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricValue {
    /// Of a [`Counter`].
    Counter(u64),
    /// Of a [`Gauge`].
    Gauge(i64),
    /// Of a [`Summary`].
    Summary(Recorded),
}

/// A metric that a processor registered.
#[derive(Debug, Clone)]
enum Metric {
    Counter(Counter),
    Gauge(Gauge),
    Summary(Summary),
}

/// The metrics of a task's processors. A processor writes them; only the runtime reads them.
#[derive(Debug, Default)]
pub(crate) struct Metrics(RefCell<BTreeMap<(NodeId, String), Metric>>);

impl Metrics {
    /// Node, name and value of each metric.
    pub(crate) fn read(&self) -> Vec<(NodeId, String, MetricValue)> {
        let metrics = self.0.borrow();
        let value = |metric: &Metric| match metric {
            Metric::Counter(counter) => MetricValue::Counter(counter.0.get()),
            Metric::Gauge(gauge) => MetricValue::Gauge(gauge.0.get()),
            Metric::Summary(summary) => MetricValue::Summary(summary.0.get()),
        };
        metrics.iter().map(|((node, name), metric)| (*node, name.clone(), value(metric))).collect()
    }
}

impl ProcessingContext<'_> {
    /// A counter of this processor (`ProcessingContext.metrics` in Kafka Streams). The first call with a name registers
    /// it; get it in [`Processor::init`](super::Processor::init) and keep it.
    ///
    /// [`TaskStatus::processor_metrics`](crate::TaskStatus::processor_metrics) has the values, by task and processor. A
    /// metric begins at 0 with each instance of the processor. It tells what the processor did: a record that is refused
    /// after it was counted stays counted, and so does one that is processed again. A processor cannot read it, so that
    /// results do not depend on it. A task has no clock; a duration is one of event times, or of
    /// [`current_system_time_ms`](Self::current_system_time_ms). Rates follow from counters.
    ///
    /// # Errors
    ///
    /// If the processor has a metric of another kind with this name.
    ///
    /// ```
    /// # use tidemill::processor::{Counter, Gauge, MetricValue, Processor, ProcessorContext, Record, Recorded, Summary};
    /// # use tidemill::{StreamsBuilder, state::BoxError, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// #[derive(Default)]
    /// struct Watch {
    ///     negative: Counter,
    ///     last: Gauge,
    ///     behind_ms: Summary,
    /// }
    ///
    /// impl Processor<u64, i64, u64, i64> for Watch {
    ///     fn init(&mut self, ctx: &mut ProcessorContext<'_, u64, i64>) -> Result<(), BoxError> {
    ///         self.negative = ctx.counter("negative")?;
    ///         self.last = ctx.gauge("last")?;
    ///         self.behind_ms = ctx.summary("behind-ms")?;
    ///         Ok(())
    ///     }
    ///
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         record: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         self.negative.add(u64::from(record.value < 0));
    ///         self.last.set(record.value);
    ///         self.behind_ms.record(ctx.current_stream_time_ms() - record.timestamp);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.stream::<u64, i64>("amounts").process("watch", &[], Watch::default);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("amounts").pipe_all([(1, -5, 100), (1, 7, 60)])?;
    /// let metrics = driver.status()?.tasks[0].processor_metrics.clone();
    /// let told: Vec<_> = metrics.iter().map(|metric| (&*metric.name, metric.value)).collect();
    /// let behind = Recorded { count: 2, sum: 40, min: 0, max: 40 };
    /// let expected = [
    ///     ("behind-ms", MetricValue::Summary(behind)),
    ///     ("last", MetricValue::Gauge(7)),
    ///     ("negative", MetricValue::Counter(1)),
    /// ];
    /// assert_eq!(told, expected);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn counter(&self, name: &str) -> Result<Counter, BoxError> {
        match self.metric(name, || Metric::Counter(Counter::default())) {
            Metric::Counter(counter) => Ok(counter),
            other => Err(other.is_other(name)),
        }
    }

    /// A gauge of this processor. The rest is as with [`counter`](Self::counter).
    pub fn gauge(&self, name: &str) -> Result<Gauge, BoxError> {
        match self.metric(name, || Metric::Gauge(Gauge::default())) {
            Metric::Gauge(gauge) => Ok(gauge),
            other => Err(other.is_other(name)),
        }
    }

    /// A summary of this processor. The rest is as with [`counter`](Self::counter).
    pub fn summary(&self, name: &str) -> Result<Summary, BoxError> {
        match self.metric(name, || Metric::Summary(Summary::default())) {
            Metric::Summary(summary) => Ok(summary),
            other => Err(other.is_other(name)),
        }
    }

    fn metric(&self, name: &str, new: impl FnOnce() -> Metric) -> Metric {
        let mut metrics = self.task.metrics.0.borrow_mut();
        metrics.entry((self.environment.node, name.to_owned())).or_insert_with(new).clone()
    }
}

impl Metric {
    fn is_other(&self, name: &str) -> BoxError {
        let kind = match self {
            Self::Counter(_) => "counter",
            Self::Gauge(_) => "gauge",
            Self::Summary(_) => "summary",
        };
        format!("metric '{name}' is a {kind}: give each metric its own name").into()
    }
}
