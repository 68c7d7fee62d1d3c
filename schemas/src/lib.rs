//! The event types of Tidemill's two applications: inputs, results, and the errors of refused inputs.
//!
//! Every `parse_*` function returns a valid value, or an error for each wrong field that says how to fix it.
//! A value that cannot be read is never replaced by a null or a default.
//!
//! On topics, an event is JSON. With the feature `avro`, an event can also be Avro with a schema in a registry; the
//! files `avro/*.avsc` hold the schemas of all topics.

mod arrival;
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
mod provenance;
mod remainder;
mod strict;
mod support;

pub use arrival::{AHEAD_MAX_MS, Arrival};
pub use common::{FieldError, MAX_ID_BYTES, MAX_TEXT_BYTES, describe_errors, is_ignorable, validate_id};
pub use form_coach::{Exercise, Landmark, Level, PoseFrame, UserProfile, parse_pose, parse_profile};
pub use form_feedback::{
    EarlierExercise, Fault, FaultKind, FormFeedback, FrameMark, JointRange, Obstacle, Phase, ProgressPoint, Repetition,
    Side, SkeletonPoint, Symmetry, Tempo,
};
pub use insight::{
    Alert, AlertKind, ClipCandidate, EngagementTrend, EvidenceLine, HotTopic, Insight, LanguageShare, MoodLabel,
    PhraseReaction, SeriesPoint, Spike, Statement, StatementKind, TopChat, TrendPoint, TrendSummary, UserActivity,
};
pub use landmark::{LANDMARKS, Part};
pub use live_insight::{ChatMessage, TranscriptSegment, parse_chat, parse_transcript};
pub use provenance::{CallOutcome, InputRead, Provenance};
pub use remainder::{Chatters, Remainder};
pub use support::{Amount, CurrencySum, Membership, MembershipKind, Support, Supporter};
