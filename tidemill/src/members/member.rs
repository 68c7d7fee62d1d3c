//! An instance's member record and its text form.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use bytes::Bytes;

use crate::names::TaskId;

/// The member record of one instance.
///
/// The record is text. Each line is a word and its values. Unknown words are ignored, so that instances of different
/// versions understand each other during a rolling upgrade.
///
/// ```text
/// heartbeat 1700000000000
/// client pod-7
/// address 10.0.0.7:8080
/// active 0_1
/// standby 0_2 17
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Member {
    /// The wall-clock time of sending, by the sender's clock.
    pub(crate) heartbeat_ms: i64,
    /// The client id; `None` if the sender's version does not send it.
    pub(crate) client_id: Option<String>,
    /// The address at which the instance answers queries.
    pub(crate) address: Option<String>,
    /// The tasks that the instance owns, running or restoring.
    pub(crate) active: BTreeSet<TaskId>,
    /// The tasks of which the instance keeps standbys, each with its lag in changelog offsets.
    pub(crate) standby: BTreeMap<TaskId, i64>,
}

impl Member {
    pub(crate) fn encode(&self) -> Bytes {
        let mut text = format!("heartbeat {}\n", self.heartbeat_ms);
        // Writing to a string cannot fail.
        if let Some(client_id) = &self.client_id {
            let _ = writeln!(text, "client {client_id}");
        }
        if let Some(address) = &self.address {
            let _ = writeln!(text, "address {address}");
        }
        for task in &self.active {
            let _ = writeln!(text, "active {task}");
        }
        for (task, lag) in &self.standby {
            let _ = writeln!(text, "standby {task} {lag}");
        }
        text.into()
    }

    /// `None` if the text is not a member record.
    pub(crate) fn decode(raw: &[u8]) -> Option<Self> {
        let mut member = Self::default();
        let mut spoke = false;
        for line in std::str::from_utf8(raw).ok()?.lines() {
            let mut words = line.split(' ');
            match (words.next(), words.next(), words.next()) {
                (Some("heartbeat"), Some(at), None) => {
                    member.heartbeat_ms = at.parse().ok()?;
                    spoke = true;
                }
                (Some("client"), Some(client_id), None) => member.client_id = Some(client_id.to_owned()),
                (Some("address"), Some(address), None) => member.address = Some(address.to_owned()),
                (Some("active"), Some(task), None) => drop(member.active.insert(task.parse().ok()?)),
                (Some("standby"), Some(task), Some(lag)) => {
                    member.standby.insert(task.parse().ok()?, lag.parse().ok()?);
                }
                _ => {}
            }
        }
        spoke.then_some(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(subtopology: u32, partition: i32) -> TaskId {
        TaskId { subtopology, partition }
    }

    #[test]
    fn what_is_said_is_understood() {
        let member = Member {
            heartbeat_ms: 1_700_000_000_000,
            client_id: Some("pod-7".to_owned()),
            address: Some("10.0.0.7:8080".to_owned()),
            active: [task(0, 1), task(2, 11)].into(),
            standby: [(task(0, 2), 17), (task(1, 0), 0)].into(),
        };
        assert_eq!(Member::decode(&member.encode()), Some(member));
        assert_eq!(Member::decode(&Member::default().encode()), Some(Member::default()));
    }

    #[test]
    fn words_of_a_newer_version_are_left_out_and_nonsense_is_no_member() {
        let newer = Member::decode(b"heartbeat 5\nrack b\nactive 0_1\n").expect("it speaks");
        assert_eq!((newer.heartbeat_ms, newer.active), (5, [task(0, 1)].into()));
        for nonsense in [&b""[..], b"\xff", b"{}", b"heartbeat soon", b"heartbeat 5\nactive all"] {
            assert_eq!(Member::decode(nonsense), None, "{nonsense:?}");
        }
    }
}
