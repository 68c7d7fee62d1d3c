//! Dead letters: records that an application could not process. They can be listed, and put back to their topics.
//!
//! A [`RecordHandler`](crate::RecordHandler) writes them. In Kafka Streams, KIP-1034 writes such records, and other
//! programs have to read them and to put them back.
//!
//! ```
//! use tidemill::{
//!     RecordHandler, Streams, StreamsBuilder, StreamsConfig,
//!     dead_letters::{DeadLetterFilter, DeadLetters},
//!     transport::embedded::{EmbeddedLog, Entry},
//! };
//! # let log = EmbeddedLog::in_memory();
//! # ["lines", "numbers", "bad-lines"].iter().try_for_each(|topic| log.create(topic, 1))?;
//!
//! log.append("lines", 0, [Entry::new("ann", "seven", 0)])?;
//! let config = || StreamsConfig {
//!     processing_handler: RecordHandler::DeadLetter("bad-lines".into()),
//!     ..StreamsConfig::new("parse")
//! };
//! let builder = StreamsBuilder::new();
//! builder.stream::<String, String>("lines").try_map_values(|line| line.parse::<i64>()).to("numbers");
//! let streams = Streams::start(&builder.build()?, config(), log.clone())?;
//! # while log.read_all("bad-lines")?.is_empty() { std::thread::sleep(std::time::Duration::from_millis(1)); }
//! streams.close()?;
//!
//! let letters = DeadLetters::of(log.clone(), &config());
//! let listed = letters.list(&DeadLetterFilter::default())?;
//! assert_eq!(listed[0].error, "invalid digit found in string");
//! assert_eq!(listed[0].key.as_deref(), Some(&b"ann"[..]));
//!
//! // The next version of the program knows words, too.
//! let ids: Vec<_> = listed.iter().map(|letter| letter.id.clone()).collect();
//! assert_eq!(letters.replay(&ids)?.replayed, ids);
//! assert_eq!(log.read_all("lines")?.len(), 2);
//! // Nothing is replayed twice.
//! assert!(letters.list(&DeadLetterFilter::default())?.is_empty());
//! assert_eq!(letters.replay(&ids)?.replayed_before, ids);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod filter;
mod letter;
mod letters;
mod notes;
mod replay;

pub use filter::DeadLetterFilter;
pub use letter::{DeadLetter, DeadLetterId, ParseDeadLetterIdError};
pub use letters::DeadLetters;
pub use replay::{Replay, ReplayError};
