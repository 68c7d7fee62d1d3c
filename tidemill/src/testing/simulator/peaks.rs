//! The largest values that a simulation has seen.

/// The largest values seen during a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SimulationPeaks {
    /// Bytes of changes and records that waited for a commit, at the end of a turn, in any thread.
    pub uncommitted_bytes: usize,
    /// Records of one partition that were fetched and not processed, at the end of a turn.
    pub buffered_records: usize,
    /// The longest time that [`settle`](super::Simulator::settle) took, in milliseconds, counted from the moment when all
    /// sessions of dead processes had expired.
    pub settling_ms: i64,
}

impl SimulationPeaks {
    pub(super) fn count(&mut self, (uncommitted_bytes, buffered_records): (usize, usize)) {
        self.uncommitted_bytes = self.uncommitted_bytes.max(uncommitted_bytes);
        self.buffered_records = self.buffered_records.max(buffered_records);
    }
}
