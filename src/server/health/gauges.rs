//! Gauges of applications, tasks and stores.

use prometheus::IntGaugeVec;

use crate::server::{engine::Engine, intake::Pressure, metrics::gauge};

/// Gauges that are read from the applications at each request for metrics.
pub(super) struct Gauges {
    lag: IntGaugeVec,
    records: IntGaugeVec,
    dropped: IntGaugeVec,
    processors: IntGaugeVec,
    buffered: IntGaugeVec,
    stream_time: IntGaugeVec,
    restoring: IntGaugeVec,
    restored: IntGaugeVec,
    restore_rate: IntGaugeVec,
    standby_lag: IntGaugeVec,
    tasks: IntGaugeVec,
    threads: IntGaugeVec,
    store_rows: IntGaugeVec,
}

impl Gauges {
    pub(super) fn new(registry: &prometheus::Registry) -> Self {
        let task = ["application", "task"];
        Self {
            lag: gauge(registry, "tidemill_lag_records", "Records to be processed", &["application", "topic"]),
            records: gauge(registry, "tidemill_task_records", "Records processed since the task began", &task),
            dropped: gauge(
                registry,
                "tidemill_dropped_records",
                "Records dropped without effect",
                &["application", "task", "operator", "reason"],
            ),
            processors: gauge(
                registry,
                "tidemill_processor",
                "Metrics of processors, by name: total, value, or count, sum, min and max",
                &["application", "task", "processor", "metric", "what"],
            ),
            buffered: gauge(registry, "tidemill_task_buffered_records", "Records read but not processed yet", &task),
            stream_time: gauge(registry, "tidemill_task_stream_time_ms", "Stream time, epoch milliseconds", &task),
            restoring: gauge(registry, "tidemill_task_restore_remaining", "Changelog offsets to replay", &task),
            restored: gauge(registry, "tidemill_task_restore_bytes", "Changelog bytes replayed by a restore", &task),
            restore_rate: gauge(
                registry,
                "tidemill_task_restore_bytes_per_second",
                "Changelog bytes that a restore replays each second",
                &task,
            ),
            standby_lag: gauge(registry, "tidemill_standby_lag", "Changelog offsets that a standby is behind", &task),
            tasks: gauge(registry, "tidemill_tasks", "Tasks by state", &["application", "state"]),
            threads: gauge(registry, "tidemill_thread", "Counters of threads", &["application", "thread", "what"]),
            store_rows: gauge(
                registry,
                "tidemill_store",
                "Counters of stores",
                &["application", "task", "store", "what"],
            ),
        }
    }

    pub(super) fn read(&self, engine: &Engine, pressure: &Pressure) {
        // Tasks come and go. The reset removes the values of tasks that are gone.
        let all = [
            &self.lag,
            &self.records,
            &self.dropped,
            &self.processors,
            &self.buffered,
            &self.stream_time,
            &self.restoring,
        ];
        let moving = [&self.restored, &self.restore_rate, &self.standby_lag];
        all.into_iter()
            .chain(moving)
            .chain([&self.tasks, &self.threads, &self.store_rows])
            .for_each(IntGaugeVec::reset);
        for running in engine.apps() {
            let app = running.app.id;
            for lag in pressure.lags(running.app) {
                self.lag.with_label_values(&[app, &lag.partition.topic]).add(lag.records as i64);
            }
            for thread in running.streams.status() {
                for (what, count) in [
                    ("commits", thread.commits),
                    ("aborts", thread.aborts),
                    ("fenced", thread.fenced),
                    ("records_restored", thread.records_restored),
                    ("standbys_taken", thread.standbys_taken),
                ] {
                    self.threads.with_label_values(&[app, &thread.name, what]).set(count as i64);
                }
                thread.tasks.iter().for_each(|task| self.read_task(app, task));
            }
        }
    }

    fn read_task(&self, app: &str, task: &tidemill::TaskStatus) {
        use tidemill::{
            TaskState,
            processor::{MetricValue, Recorded},
        };
        let id = task.id.to_string();
        let (state, remaining) = match &task.state {
            TaskState::Restoring { remaining, .. } => ("restoring", *remaining),
            TaskState::Running => ("running", 0),
            TaskState::Standby { .. } => ("standby", 0),
            TaskState::Failed { .. } => ("failed", 0),
        };
        self.tasks.with_label_values(&[app, state]).inc();
        if let TaskState::Standby { lag } = task.state {
            // The instance with the active task reports the other metrics of the task.
            self.standby_lag.with_label_values(&[app, &id]).set(lag);
            return;
        }
        self.restoring.with_label_values(&[app, &id]).set(remaining);
        if let Some(restore) = task.restore {
            self.restored.with_label_values(&[app, &id]).set(restore.bytes as i64);
            self.restore_rate.with_label_values(&[app, &id]).set(restore.bytes_per_second as i64);
        }
        self.records.with_label_values(&[app, &id]).set(task.records_processed as i64);
        self.stream_time.with_label_values(&[app, &id]).set(task.stream_time_ms);
        let buffered: usize = task.partitions.iter().map(|input| input.buffered).sum();
        self.buffered.with_label_values(&[app, &id]).set(buffered as i64);
        for (operator, reason, count) in &task.records_dropped {
            self.dropped.with_label_values(&[app, &id, operator, reason]).set(*count as i64);
        }
        for metric in &task.processor_metrics {
            let set = |what: &str, value: i64| {
                let labels = [app, &*id, &*metric.processor, &*metric.name, what];
                self.processors.with_label_values(&labels).set(value);
            };
            match metric.value {
                MetricValue::Counter(total) => set("total", total as i64),
                MetricValue::Gauge(value) => set("value", value),
                MetricValue::Summary(Recorded { count, sum, min, max }) => {
                    for (what, value) in [("count", count as i64), ("sum", sum), ("min", min), ("max", max)] {
                        set(what, value);
                    }
                }
            }
        }
        for store in &task.stores {
            let stats = &store.stats;
            for (what, count) in [
                ("gets", stats.gets),
                ("puts", stats.puts),
                ("deletes", stats.deletes),
                ("scans", stats.scans),
                ("rows_committed", stats.rows_committed),
                ("overlay_bytes", stats.overlay_bytes),
                ("size_bytes", stats.size_bytes),
            ] {
                self.store_rows.with_label_values(&[app, &id, &store.name, what]).set(count as i64);
            }
        }
    }
}
