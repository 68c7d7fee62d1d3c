//! Programs around audio and video, for streams that are live.
//!
//! - [`net`]: which addresses of the network may be read.
//! - [`process`]: runs FFmpeg and yt-dlp, kills them with all that they started, explains why they ended.
//! - [`resolve`]: turns the address that a streamer gives into the address of the media.
//! - [`hls`]: playlists with the event times of their segments.
//! - [`audio`]: 16 kHz mono PCM with event times. Raw audio stays in pipes and memory: it never reaches a disk or a log.
//! - [`captions`]: the captions that a stream carries, with event times.
//! - [`clips`]: parts of the stream as files: a queue that survives a killed process, captions, shapes, archives.
//! - [`candidates`]: which moments of a stream may become clips.
//!
//! All times named `start_ms` and `end_ms` are event times of the stream: milliseconds since 1970.

pub mod audio;
pub mod candidates;
pub mod captions;
pub mod clips;
pub mod error;
mod feed;
pub mod hls;
pub mod net;
pub mod process;
pub mod resolve;
mod shown;

pub use audio::{Audio, AudioOptions, AudioState, Given, Listener, Pcm};
pub use captions::{Captions, CaptionsWanted};
pub use clips::{Caption, Clip, ClipEvent, ClipId, ClipRequest, ClipState, Clips, ClipsOptions};
pub use error::MediaError;
pub use net::Reach;
pub use resolve::{Resolved, Resolver, ResolverOptions};
pub use shown::without_addresses;
