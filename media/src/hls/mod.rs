//! Playlists of HTTP Live Streaming: what they list, at which event times, and what to read next.

mod fetch;
mod follow;
mod losses;
mod playlist;
mod timeline;
mod undated;

pub use fetch::{Fetch, Trouble};
pub(crate) use follow::{Follow, Patience, only_playlists};
pub(crate) use losses::Losses;
pub use playlist::{Master, MediaPlaylist, Part, Playlist, Rendition, Segment, Variant, parse};
pub use timeline::{Begin, Piece, Timeline};
pub use undated::Undated;
