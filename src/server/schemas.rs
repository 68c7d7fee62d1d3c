//! What each topic's values are: their schemas for the registry, and their JSON for pages.

use bytes::Bytes;
use tidemill_schemas::{
    Alert, ChatMessage, ClipCandidate, FormFeedback, Insight, PoseFrame, TranscriptSegment, UserProfile,
    avro::{AvroEvent, Registry, RegistryProblem, Subject},
};
use tidemill_topology::state::{Codec, CodecError};

use super::{App, FormatChoice, Settings};
use crate::apps::{Format, Wire, form_coach, live_insight};

impl App {
    fn subjects(self) -> Vec<Subject> {
        match self {
            Self::Live => vec![
                Subject::of::<ChatMessage>(live_insight::CHAT),
                Subject::of::<TranscriptSegment>(live_insight::TRANSCRIPT),
                Subject::of::<Insight>(live_insight::INSIGHTS),
                Subject::of::<ClipCandidate>(live_insight::CLIPS),
                Subject::of::<Alert>(live_insight::ALERTS),
            ],
            Self::Coach => vec![
                Subject::of::<PoseFrame>(form_coach::POSE),
                Subject::of::<UserProfile>(form_coach::PROFILES),
                Subject::of::<FormFeedback>(form_coach::FEEDBACK),
            ],
        }
    }
}

/// The format that the settings choose, every schema of it registered and known.
pub(super) fn prepare(settings: &Settings) -> Result<Format, Vec<RegistryProblem>> {
    let FormatChoice::Avro(registry) = &settings.format else {
        return Ok(if settings.kafka.is_some() { Format::Json } else { Format::Private });
    };
    let registry = Registry::new(registry.clone()).map_err(|problem| vec![problem])?;
    registry.prepare(settings.apps.iter().flat_map(|app| app.subjects()).collect())?;
    Ok(Format::Avro(registry))
}

/// Turns a result into the JSON that pages get.
pub(super) type ToJson = Box<dyn Fn(Bytes) -> Result<Bytes, CodecError> + Send + Sync>;

/// For each result topic of an application, in its order.
pub(super) fn to_json(app: App, format: &Format) -> Vec<ToJson> {
    match app {
        App::Live => vec![
            of_topic::<Insight>(format, live_insight::INSIGHTS),
            of_topic::<ClipCandidate>(format, live_insight::CLIPS),
            of_topic::<Alert>(format, live_insight::ALERTS),
        ],
        App::Coach => vec![of_topic::<FormFeedback>(format, form_coach::FEEDBACK)],
    }
}

fn of_topic<T: AvroEvent>(format: &Format, topic: &'static str) -> ToJson {
    match format.codec::<T>(topic) {
        Wire::Json(_) => Box::new(Ok),
        avro @ Wire::Avro(..) => Box::new(move |bytes| {
            let json = serde_json::to_vec(&avro.decode(bytes)?);
            json.map(Bytes::from).map_err(|error| CodecError::Malformed { expected: "JSON", reason: error.to_string() })
        }),
    }
}
