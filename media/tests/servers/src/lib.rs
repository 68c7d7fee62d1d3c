//! A live stream over HLS on this machine: a playlist that moves with time, speech that reads a known script, captions,
//! and faults by seed.
//!
//! The media is made once by FFmpeg (a test picture) and espeak-ng (speech; tones where it is missing). A stream that is
//! longer than its media plays it again, with a discontinuity, as after a break.
//!
//! | path | what |
//! |---|---|
//! | `/live/master.m3u8` | one variant, and captions where the schedule has them |
//! | `/live/video.m3u8`, `/live/video/N.ts` | two seconds a segment |
//! | `/live/captions.m3u8`, `/live/captions/N.vtt` | WebVTT, by the same faults |
//! | `/recording.mp4` | the media as a file |
//! | `/watch` | a page with a title that embeds the stream |

mod content;
mod playlist;
mod routes;
mod schedule;
mod script;
mod server;
mod speech;
mod video;

pub use content::{Content, SEGMENT_MS};
pub use schedule::{Captions, Faults, Pace, Schedule};
pub use script::{Line, SCRIPT, Spoken, script};
pub use server::HlsServer;
pub use video::{Difference, Video};
