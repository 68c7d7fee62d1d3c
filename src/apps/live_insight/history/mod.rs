//! History: past streams with their summaries, and the export of a stream.
//!
//! ```
//! use tidemill_apps::apps::live_insight::history::{Format, Retention, export};
//!
//! let format: Format = "csv".parse()?;
//! let mut file = Vec::new();
//! export(&[], format, &mut file).expect("memory takes all that is written");
//! assert!(file.starts_with(b"stream_id,window_start_ms,"));
//!
//! let retention: Retention = "90d".parse()?;
//! assert!(retention.keeps(0, 1) && !retention.keeps(0, 91 * 86_400_000));
//! # Ok::<(), String>(())
//! ```

mod columns;
mod export;
mod parquet_file;
mod sessions;
mod summary;

#[cfg(test)]
mod tests;

pub use crate::apps::Retention;
pub use export::{Format, export};
pub use sessions::{PAUSE_MS, sessions};
pub use summary::{Moment, Peak, StreamSummary, past_streams, summary};
