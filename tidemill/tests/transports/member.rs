//! A member of a group, polled by hand.

use std::{collections::BTreeSet, time::Duration};

use tidemill::transport::{CommittedOffset, Consumer, ConsumerConfig, Offset, Rebalance, Topic, TopicPartition};

use crate::{Site, Tested, site::text, wait_for};

/// The member, and what it was told.
pub(crate) struct Member {
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) owned: BTreeSet<TopicPartition>,
    /// Asked back and not released yet.
    pub(crate) revoked: Vec<TopicPartition>,
    pub(crate) lost: Vec<TopicPartition>,
    /// Values read, in order within a partition.
    pub(crate) values: Vec<String>,
}

impl Site {
    /// Joins the scenario's group.
    pub(crate) fn member(&self, client_id: &str, topics: &[&str]) -> Tested<Member> {
        self.member_with_session(client_id, topics, Duration::from_secs(45))
    }

    pub(crate) fn member_with_session(
        &self,
        client_id: &str,
        topics: &[&str],
        session_timeout: Duration,
    ) -> Tested<Member> {
        let mut consumer = self.outsider(client_id, session_timeout)?;
        let topics: Vec<Topic> = topics.iter().map(|topic| self.topic(topic)).collect();
        consumer.subscribe(&topics)?;
        Ok(Member { consumer, owned: BTreeSet::new(), revoked: Vec::new(), lost: Vec::new(), values: Vec::new() })
    }

    /// A consumer that has not joined: it can ask for committed offsets.
    pub(crate) fn outsider(&self, client_id: &str, session_timeout: Duration) -> Tested<Box<dyn Consumer>> {
        Ok(self.transport.consumer(&ConsumerConfig {
            group: self.named("group"),
            client_id: client_id.to_owned(),
            instance_id: None,
            session_timeout,
            max_poll_records: 100,
        })?)
    }
}

impl Member {
    /// Polls once and keeps what came.
    pub(crate) fn poll(&mut self) -> Tested {
        let polled = self.consumer.poll(Duration::from_millis(20))?;
        for rebalance in polled.rebalances {
            match rebalance {
                Rebalance::Assigned(partitions) => self.owned.extend(partitions),
                Rebalance::Revoked(partitions) => self.revoked.extend(partitions),
                Rebalance::Lost(partitions) => {
                    self.owned.retain(|owned| !partitions.contains(owned));
                    self.revoked.retain(|revoked| !partitions.contains(revoked));
                    self.lost.extend(partitions);
                }
            }
        }
        for batch in polled.batches {
            assert!(self.owned.contains(&batch.partition), "{} is read without being owned", batch.partition);
            assert!(!self.revoked.contains(&batch.partition), "{} is read after it was asked back", batch.partition);
            self.values.extend(batch.records.iter().map(text));
        }
        Ok(())
    }

    /// Polls until that holds.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) -> Tested {
        wait_for(what, || {
            self.poll()?;
            Ok(holds(self).then_some(()))
        })
    }

    /// Polls until it owns so many, and nothing was asked back.
    pub(crate) fn until_it_owns(&mut self, count: usize) -> Tested {
        self.until(&format!("{count} partitions are owned"), |member| {
            member.owned.len() == count && member.revoked.is_empty()
        })
    }

    /// Polls until so many values were read.
    pub(crate) fn until_it_read(&mut self, count: usize) -> Tested {
        self.until(&format!("{count} values are read"), |member| member.values.len() >= count)
    }

    /// Gives back what was asked for.
    pub(crate) fn release(&mut self) -> Tested {
        let revoked = std::mem::take(&mut self.revoked);
        self.owned.retain(|owned| !revoked.contains(owned));
        Ok(self.consumer.release(&revoked)?)
    }
}

/// An offset with its metadata.
pub(crate) fn at(offset: Offset) -> CommittedOffset {
    CommittedOffset { offset, metadata: format!("time {offset}") }
}
