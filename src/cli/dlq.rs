//! The options of `dlq`.

use clap::{Args, Subcommand};

use super::values::{time_ms, url};

/// Options of `dlq`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DlqOptions {
    #[command(subcommand)]
    pub(crate) action: DlqAction,
}

/// What `dlq` does.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DlqAction {
    /// List the calls without an answer that were not asked again; or, with --records, the records that could not be
    /// processed and were not replayed
    List {
        #[command(flatten)]
        server: DlqServer,
        #[command(flatten)]
        records: DlqRecords,
    },
    /// Ask calls again, each once; or, with --records, put records back to the topics that they came from, each once
    Replay {
        #[command(flatten)]
        server: DlqServer,
        #[command(flatten)]
        records: DlqRecords,
        /// Only show what would be replayed
        #[arg(long, requires = "records")]
        dry_run: bool,
        /// Ask all that were not asked again; with --records, replay all that the filters choose
        #[arg(long)]
        all: bool,
        /// Ids, as `dlq list` shows them, such as 0-17; of records, such as bad-chat/0/17
        #[arg(value_name = "ID")]
        ids: Vec<String>,
    },
}

/// Records instead of calls, and which of them.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct DlqRecords {
    /// Records that could not be processed, instead of calls without an answer
    #[arg(long)]
    pub(crate) records: bool,
    /// Only records of this topic
    #[arg(long, value_name = "TOPIC", requires = "records")]
    pub(crate) topic: Option<String>,
    /// Only errors of this operator
    #[arg(long, value_name = "NAME", requires = "records")]
    pub(crate) operator: Option<String>,
    /// Only errors whose message contains this text
    #[arg(long, value_name = "TEXT", requires = "records")]
    pub(crate) error: Option<String>,
    /// Only records with this key
    #[arg(long, value_name = "KEY", requires = "records")]
    pub(crate) key: Option<String>,
    /// Only records from this time on, in milliseconds since 1970
    #[arg(long, value_name = "MS", requires = "records", allow_negative_numbers = true, value_parser = time_ms)]
    pub(crate) from: Option<i64>,
    /// Only records before this time, in milliseconds since 1970
    #[arg(long, value_name = "MS", requires = "records", allow_negative_numbers = true, value_parser = time_ms)]
    pub(crate) to: Option<i64>,
}

/// The server that has the calls and records.
#[derive(Debug, Clone, Args)]
pub(crate) struct DlqServer {
    /// The application's id; without it, all applications of the server
    #[arg(long, value_name = "ID")]
    pub(crate) application: Option<String>,
    /// Address of the server
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = url)]
    pub(crate) url: String,
    /// Token of a tenant with `admin = true`
    #[arg(long, env = "TIDEMILL_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}
