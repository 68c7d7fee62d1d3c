//! Reads chosen partitions outside any group.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{ClientConfig, Offset as Position, consumer::Consumer as _, types::RDKafkaErrorCode as Code};

use super::{KafkaConfig, client::Client, error, inbox::Inbox, offsets, settings::Role};
use crate::transport::{Fetched, Offset, Reader, TopicPartition, TransportError, Watermarks};

/// librdkafka requires a group name, also for clients that join no group.
const NO_GROUP: &str = "tidemill-reader";

/// A reader of partitions.
pub(super) struct KafkaReader {
    client: Client,
    /// A client that also sees records of open transactions. It is opened on the first use.
    uncommitted: Option<Client>,
    settings: ClientConfig,
    inbox: Inbox,
    /// The end offsets that the brokers reported, also for partitions that are not read yet.
    ends: BTreeMap<TopicPartition, Offset>,
}

impl KafkaReader {
    pub(super) fn open(config: &KafkaConfig) -> Result<Self, TransportError> {
        let mut client = config.client(Role::Consumer);
        client.set("group.id", NO_GROUP);
        // The reader returns an error if records were deleted, and the caller decides how to continue.
        client.set("auto.offset.reset", "error");
        let (settings, client) = (client.clone(), Client::open(&client)?);
        Ok(Self { client, uncommitted: None, settings, inbox: Inbox::default(), ends: BTreeMap::new() })
    }

    /// Serves librdkafka's own queue.
    fn serve(&self) -> Result<(), TransportError> {
        while let Some(polled) = self.client.poll(Duration::ZERO) {
            let Err(failed) = polled.map(drop) else { continue };
            // The error is returned by the partition that is read.
            if error::is_unknown(&failed) {
                continue;
            }
            match (failed.rdkafka_error_code(), error::of(failed)) {
                // The reader is not a member of a group, so these errors do not matter.
                (Some(Code::GroupAuthorizationFailed | Code::CoordinatorNotAvailable | Code::NotCoordinator), _)
                | (_, TransportError::Retriable(_)) => {}
                (_, lasting) => return Err(lasting),
            }
        }
        Ok(())
    }

    fn start(&mut self, partition: &TopicPartition, offset: Offset) -> Result<(), TransportError> {
        self.inbox.open(&self.client, partition, offset)?;
        if let Some(end) = self.ends.get(partition) {
            self.inbox.expect_end(partition, *end);
        }
        let list = offsets::positions([(partition, Position::Offset(offset))])?;
        self.client.incremental_assign(&list).map_err(error::of)
    }

    fn stop(&mut self, partition: &TopicPartition) -> Result<(), TransportError> {
        self.inbox.close(std::slice::from_ref(partition));
        self.client.incremental_unassign(&offsets::list([partition])).map_err(error::of)
    }
}

impl Reader for KafkaReader {
    /// Partitions that are already read at the requested offset are kept, so their fetched records are not fetched
    /// again.
    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<(), TransportError> {
        let wanted: BTreeMap<_, _> = partitions.iter().map(|(partition, offset)| (partition, *offset)).collect();
        let stays = |partition: &TopicPartition| wanted.get(partition).copied();
        let going: Vec<_> =
            self.inbox.partitions().filter(|one| stays(one) != self.inbox.place(one)).cloned().collect();
        for partition in &going {
            self.stop(partition)?;
        }
        for (partition, offset) in wanted {
            if self.inbox.place(partition).is_none() {
                self.start(partition, offset)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, timeout: Duration, max: usize) -> Result<Vec<Fetched>, TransportError> {
        let started = Instant::now();
        loop {
            let seen = self.client.context().signal.seen();
            self.serve()?;
            let batches = self.inbox.take(&self.client, max)?;
            let left = timeout.saturating_sub(started.elapsed());
            if !batches.is_empty() || left.is_zero() {
                return Ok(batches);
            }
            self.client.context().signal.wait(seen, left);
        }
    }

    fn position(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError> {
        if self.inbox.is_unsettled(partition) {
            self.watermarks(partition)?;
        }
        self.inbox.position(partition)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks, TransportError> {
        let found = offsets::watermarks(&self.client, partition)?;
        self.ends.insert(partition.clone(), found.high);
        if let Some(next) = self.inbox.learn_end(partition, found.high) {
            self.stop(partition)?;
            self.start(partition, next)?;
        }
        Ok(found)
    }

    fn end(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError> {
        let client = match self.uncommitted.take() {
            Some(client) => client,
            None => Client::open(self.settings.clone().set("isolation.level", "read_uncommitted"))?,
        };
        Ok(offsets::watermarks(self.uncommitted.insert(client), partition)?.high)
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        // The partitions' queues hold references to the client.
        self.inbox.clear();
    }
}
