//! In which order answers come, and which requests are worth an answer.

/// In which order the answers of a step come.
///
/// Requests whose keys choose the same partition form a lane. For most keys, a lane is a key. For windowed keys, it is
/// the key without its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CallOrder {
    /// The answers of a lane come in the order of its requests, also if their keys have different windows. Calls still
    /// run at the same time: an answer waits for those before it, in the task's store. Different lanes do not wait for
    /// each other. A request that is never answered holds back its lane, unless it has a
    /// [deadline](crate::AsyncCall::deadline) or is withdrawn.
    #[default]
    PerKey,
    /// An answer comes as soon as it is there.
    Unordered,
    /// A newer request of a lane takes the place of those that still wait for their first attempt. They get
    /// [`FailureKind::Superseded`](crate::FailureKind::Superseded). Answers come in the order of requests.
    LatestWins,
}
