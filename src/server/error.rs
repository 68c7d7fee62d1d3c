//! Why applications do not start, or do not end properly.

use thiserror::Error;
use tidemill::{TopologyError, transport::TransportError};
use tidemill_schemas::avro::RegistryProblem;

use super::data_folder::DataFolderError;

/// Why the applications did not start.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The settings contradict themselves.
    #[error("the configuration has {} problem(s):\n  - {}", .0.len(), .0.join("\n  - "))]
    Settings(Vec<String>),
    /// The schema registry does not answer, or its schemas and those of this program do not fit.
    #[error("the schemas have {} problem(s):{}", .0.len(), list(.0))]
    Schemas(Vec<RegistryProblem>),
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    /// The log cannot be used.
    #[error("the log cannot be used")]
    Log(#[from] TransportError),
    /// The log refuses topics or consumer groups that this instance needs.
    #[error("the log refuses {} thing(s):\n  - {}", .0.len(), .0.join("\n  - "))]
    Refused(Vec<String>),
    /// Kafka does not answer.
    #[error("{0}")]
    Brokers(String),
    /// A topology does not fit its topics or state.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// Applications ended without committing all their work, or have not ended yet.
    #[error("{0} did not commit all finished work; the next start repeats the uncommitted work")]
    Unclosed(String),
}

fn list(problems: &[RegistryProblem]) -> String {
    let lines: Vec<_> = problems.iter().map(|problem| format!("\n  - {problem}")).collect();
    lines.concat()
}
