//! Event types and their schemas.

use std::sync::LazyLock;

use apache_avro::Schema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Alert, ChatMessage, ClipCandidate, FormFeedback, Insight, PoseFrame, TranscriptSegment, UserProfile};

/// An event type with an Avro schema.
pub trait AvroEvent: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The schema as JSON text.
    const SCHEMA: &'static str;

    /// The schema, parsed once.
    fn schema() -> &'static Schema;
}

macro_rules! events {
    ($($event:ty = $file:literal),* $(,)?) => {$(
        impl AvroEvent for $event {
            const SCHEMA: &'static str = include_str!(concat!("../../avro/", $file, ".avsc"));

            fn schema() -> &'static Schema {
                static PARSED: LazyLock<Schema> =
                    LazyLock::new(|| Schema::parse_str(<$event>::SCHEMA).expect("tests parse every schema"));
                &PARSED
            }
        }
    )*};
}

events! {
    ChatMessage = "chat_message",
    TranscriptSegment = "transcript_segment",
    Insight = "insight",
    ClipCandidate = "clip_candidate",
    Alert = "alert",
    PoseFrame = "pose_frame",
    UserProfile = "user_profile",
    FormFeedback = "form_feedback",
}
