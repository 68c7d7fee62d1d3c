//! When a window's result is emitted.

use std::time::Duration;

use crate::clock::millis;

/// When a windowed operator emits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmitStrategy {
    /// Every update of a window's result is emitted at once.
    #[default]
    OnWindowUpdate,
    /// Each window emits one final result, when it closes (KIP-825).
    OnWindowClose {
        /// See [`EmitStrategy::idle_after`].
        idle_ms: Option<i64>,
    },
}

impl EmitStrategy {
    /// Every update is emitted at once.
    pub const fn on_window_update() -> Self {
        Self::OnWindowUpdate
    }

    /// One final result, when stream time reaches the window's end plus grace.
    pub const fn on_window_close() -> Self {
        Self::OnWindowClose { idle_ms: None }
    }

    /// Keeps time moving while a partition is silent, so that its last windows close without a further record.
    ///
    /// When the task has read everything there is and its operator saw no record for `idle`, stream time advances from
    /// where the last record left it by as much time as passed since. A window then closes no later than `grace + idle`
    /// and one tick after its end. The advance is committed with the results: a replay never takes it back.
    ///
    /// Time passes in which the task's thread waited for records, or dealt with those of other tasks, of each turn no
    /// more than [`poll_timeout`](crate::StreamsConfig::poll_timeout), and the task had no records before and after.
    /// While its thread restores or commits, nobody knows whether there are more.
    ///
    /// Below a repartition topic, time passes while all tasks above it are silent, which they tell through the topic:
    /// every half of `idle`, later less often. One that restores, hangs, has stopped, or whose transaction is open, tells
    /// nothing, and keeps windows open. One that was silent for so long that everything below is closed rests, and tells
    /// nothing more until it sends a record. When others open a window after that, the log is asked whether everything
    /// that comes to the task that rests is committed: only then does time pass. That takes a second longer at most.
    ///
    /// Has no effect on [`EmitStrategy::OnWindowUpdate`].
    pub fn idle_after(self, idle: Duration) -> Self {
        match self {
            Self::OnWindowUpdate => self,
            Self::OnWindowClose { .. } => Self::OnWindowClose { idle_ms: Some(millis(idle)) },
        }
    }

    /// Final results, for operators that emit nothing else, with the idle time that was asked for.
    pub(crate) fn or_on_close(self) -> Self {
        if self.is_final() { self } else { Self::on_window_close() }
    }

    /// The same with the other's idle time if that is shorter, or the only one.
    pub(crate) fn earlier_idle(self, other: Self) -> Self {
        match (self.idle_ms(), other.idle_ms()) {
            (mine, Some(theirs)) if mine.is_none_or(|mine| theirs < mine) => {
                Self::OnWindowClose { idle_ms: Some(theirs) }
            }
            _ => self,
        }
    }

    pub(crate) fn idle_ms(self) -> Option<i64> {
        match self {
            Self::OnWindowUpdate => None,
            Self::OnWindowClose { idle_ms } => idle_ms,
        }
    }

    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::OnWindowClose { .. })
    }
}
