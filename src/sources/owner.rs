//! Shares the partitions of the sources between instances: the consumer group gives each partition one owner.

use std::{collections::HashMap, sync::Arc, thread, time::Duration};

use tidemill::transport::{ConsumerConfig, Rebalance, TopicPartition, TransportError};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle};

use super::{GROUP, SOURCES, partition, shared::Shared, writer::Replaced};

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);
/// After this time without a poll, the sources of an instance move to the others.
const SESSION: Duration = Duration::from_secs(10);
/// How long to wait before joining again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a partition may take to stop.
const STOP: Duration = Duration::from_secs(5);

/// A partition that runs here.
struct Owned {
    stop: watch::Sender<bool>,
    work: JoinHandle<Result<(), Replaced>>,
}

/// Joins the group until the view closes. Blocks.
pub(super) fn run(shared: &Arc<Shared>, client_id: &str, runtime: &Handle) {
    while !shared.view.is_closed() {
        let mut owned = HashMap::new();
        let ended = member(shared, client_id, runtime, &mut owned);
        stop(&mut owned, runtime, |_| true);
        if let Err(error) = ended {
            tracing::warn!(%error, "the group of sources is joined again");
            thread::park_timeout(PAUSE);
        }
    }
}

fn member(
    shared: &Arc<Shared>,
    client_id: &str,
    runtime: &Handle,
    owned: &mut HashMap<TopicPartition, Owned>,
) -> Result<(), TransportError> {
    let mut consumer = shared.transport.consumer(&ConsumerConfig {
        group: GROUP.to_owned(),
        client_id: client_id.to_owned(),
        instance_id: None,
        session_timeout: SESSION,
        max_poll_records: 1_000,
    })?;
    consumer.subscribe(&[SOURCES.into()])?;
    let mut answers = true;
    while !shared.view.is_closed() {
        // The view reads the records. The group only tells who owns them.
        let polled = match consumer.poll(POLL) {
            Err(TransportError::Retriable(reason)) => {
                if answers {
                    tracing::warn!(%reason, "the group of sources does not answer, trying again");
                }
                answers = false;
                thread::park_timeout(POLL);
                continue;
            }
            polled => polled?,
        };
        answers = true;
        for rebalance in polled.rebalances {
            match rebalance {
                Rebalance::Assigned(partitions) => {
                    for partition in partitions {
                        let one = start(shared, partition.partition, runtime);
                        owned.insert(partition, one);
                    }
                }
                Rebalance::Revoked(partitions) => {
                    stop(owned, runtime, |partition| partitions.contains(partition));
                    consumer.release(&partitions)?;
                }
                Rebalance::Lost(partitions) => stop(owned, runtime, |partition| partitions.contains(partition)),
            }
        }
        if let Some((partition, _)) = owned.iter().find(|(_, one)| one.work.is_finished()) {
            return Err(TransportError::Fenced(format!("another instance writes {partition}").into()));
        }
    }
    stop(owned, runtime, |_| true);
    Ok(())
}

fn start(shared: &Arc<Shared>, number: i32, runtime: &Handle) -> Owned {
    let (stop, stopping) = watch::channel(false);
    let work = runtime.spawn(partition::run(shared.clone(), number, stopping));
    Owned { stop, work }
}

/// Stops partitions and waits until they have stopped.
fn stop(owned: &mut HashMap<TopicPartition, Owned>, runtime: &Handle, which: impl Fn(&TopicPartition) -> bool) {
    let stopped: Vec<_> = owned.extract_if(|partition, _| which(partition)).collect();
    for (_, one) in &stopped {
        one.stop.send_replace(true);
    }
    for (partition, one) in stopped {
        let abort = one.work.abort_handle();
        if runtime.block_on(async { tokio::time::timeout(STOP, one.work).await }).is_err() {
            tracing::warn!(%partition, "sources do not stop in time");
            abort.abort();
        }
    }
}
