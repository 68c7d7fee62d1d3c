//! Why a simulation stops.

use thiserror::Error;
use tidemill_state::CodecError;

use crate::{
    error::{TaskError, TopologyError},
    transport::TransportError,
};

/// Why a simulation stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The application cannot start.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A thread ended with a lasting error, although the simulation causes only recoverable faults.
    #[error("a thread ended: {}", .0.chain())]
    Task(#[from] TaskError),
    /// A record of the test cannot be encoded, or a record of the application cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The log refused a request of the test.
    #[error(transparent)]
    Log(#[from] TransportError),
    /// The application does not finish its work although all faults have ended. Lists the partitions that are behind.
    #[error("the application does not finish its work; partitions behind: {0}")]
    Unsettled(String),
    /// An invariant is broken: a store differs from its changelog, or an executor makes a call for a partition that it
    /// does not own.
    #[error("{0}")]
    Differs(String),
}
