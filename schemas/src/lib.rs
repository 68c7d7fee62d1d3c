//! The event types of Tidemill's two applications: what comes in, what goes out, and why an input is refused.
//!
//! Every `parse_*` function either returns a valid value or says, per field, what is wrong and how to repair it.
//! A value that cannot be read is never replaced by a null or a default.
//!
//! On topics an event is JSON, or, with the feature `avro`, Avro whose schema is in a registry: `avro/*.avsc` hold the
//! schemas of every topic.

#[cfg(feature = "avro")]
pub mod avro;
mod common;
mod count;
mod form_coach;
mod form_feedback;
mod insight;
mod landmark;
mod live_insight;
mod marks;
mod strict;

pub use common::{FieldError, MAX_AHEAD_MS, MAX_ID_BYTES, MAX_TEXT_BYTES, describe_errors};
pub use form_coach::{Exercise, Landmark, Level, PoseFrame, UserProfile, parse_pose, parse_profile};
pub use form_feedback::{
    Fault, FaultKind, FormFeedback, FrameMark, JointRange, Phase, ProgressPoint, Repetition, Side, SkeletonPoint,
    Symmetry, Tempo,
};
pub use insight::{
    Alert, AlertKind, ClipCandidate, EngagementTrend, HotTopic, Insight, LanguageShare, MoodLabel, PhraseReaction,
    SeriesPoint, Spike, TopChat, TrendPoint, TrendSummary, UserActivity,
};
pub use landmark::{LANDMARKS, Part};
pub use live_insight::{ChatMessage, TranscriptSegment, parse_chat, parse_transcript};
