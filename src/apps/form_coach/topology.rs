//! The topology: it turns pose frames into feedback.

use std::time::Duration;

use tidemill::{
    Answered, AsyncCall, CallOrder, Consumed, EmitStrategy, Materialized, Produced, StreamsBuilder, TimeWindows,
    Topology, TopologyError, Windowed, WindowedCodec,
    state::{Coded, Json, Utf8},
};
use tidemill_schemas::{FormFeedback, PoseFrame, UserProfile};

use super::{
    analysis::{PoseWindow, SessionProgress},
    frames::Frames,
    progress::{Progress, STORE},
    request::{Asked, FeedbackRequest, Verdict},
    topics::{ANALYST, ERASED, ERASURES, FEEDBACK, LATE, POSE, PROFILES},
};
use crate::apps::{Format, Windows, erase, provenance, report_late};

const FRAMES: &str = "frames";
const PROFILE_STORE: &str = "profiles";
const LATE_STORE: &str = "late-frames";

/// The call to the analyst. A newer window takes the place of one that still waits, because its advice is about what the
/// athlete does now. After `answer_within`, the draft is published.
pub fn call(answer_within: Duration) -> AsyncCall<Windowed<String>, FeedbackRequest, Verdict> {
    let key = <Windowed<String> as Coded>::Codec::default();
    let call = AsyncCall::with(ANALYST, key, Json::default(), Json::default()).requests_as(Asked);
    call.ordered(CallOrder::LatestWins).deadline(answer_within).dead_letters()
}

/// The application's topology.
///
/// # Errors
/// If the window settings are not valid.
pub fn topology(settings: &Windows, format: &Format) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    // Each athlete has their own stream time, so a phone with a wrong clock cannot close other athletes' windows.
    let windows = TimeWindows::of_size_and_grace(settings.window, settings.grace).event_time_by_key();
    let emit = EmitStrategy::on_window_close().idle_after(settings.idle_after);

    let profiles = Consumed::with(PROFILES, Utf8, format.codec::<UserProfile>(PROFILES));
    let profiles = builder.table_with(profiles, Materialized::with(PROFILE_STORE, Utf8, Json::default()));
    let frames = Consumed::with(POSE, Utf8, Frames::raw(format));
    let frames = builder.stream(frames.timestamp_from(|_: &String, frame| frame.timestamp));
    let mut frames = frames.group_by_key().windowed_by(windows).emit(emit);
    report_late(&builder, ["late-of-user", LATE_STORE, LATE], &frames.late_records().map_values(|_| "pose"));

    let call = call(settings.answer_within);
    frames
        .collect(Materialized::with(FRAMES, Utf8, Frames::Packed))
        .map(collected)
        // The key changes from user and window to user. Both keys belong to the same partition.
        .mark_as_partitioned()
        .left_join(&profiles, |_, window, profile| PoseWindow { profile, ..window })
        .process("progress-of-user", &[STORE], Progress::default)
        .map_async(&call)
        .map_values(settle)
        .to(Produced::with(FEEDBACK, WindowedCodec::new(Utf8), format.codec::<FormFeedback>(FEEDBACK)));
    builder.add_key_value_store(Materialized::with(STORE, Utf8, Json::<SessionProgress>::default()));

    erase(&builder, "erase-user", &[STORE, PROFILE_STORE, FRAMES, LATE_STORE, call.name()], [ERASURES, ERASED]);
    builder.build()
}

fn collected(key: Windowed<String>, frames: Vec<PoseFrame>) -> (String, PoseWindow) {
    let Windowed { key: user_id, window } = key;
    let (start_ms, end_ms, progress) = (window.start, window.end, SessionProgress::default());
    (user_id.clone(), PoseWindow { user_id, start_ms, end_ms, frames, profile: None, progress })
}

/// Puts the analyst's verdict into the feedback, or takes the draft if the call failed. So every window has feedback.
fn settle(answered: Answered<FeedbackRequest, Verdict>) -> FormFeedback {
    let Answered { request: FeedbackRequest { draft, .. }, outcome, report } = answered;
    let provenance = Some(provenance(report, outcome.as_ref().map(|verdict| verdict.analyst.as_str())));
    match outcome {
        Ok(Verdict { analyst, grade, sentence }) => FormFeedback { analyst, grade, sentence, provenance, ..draft },
        Err(_) => FormFeedback { provenance, ..draft },
    }
}

#[cfg(test)]
mod tests {
    use tidemill::{CallFailure, CallReport, FailureKind, Usage};
    use tidemill_schemas::{CallOutcome, Provenance};

    use super::*;
    use crate::apps::form_coach::analysis::Assessment;

    fn settled(outcome: Result<Verdict, FailureKind>) -> (FormFeedback, Provenance) {
        let (user_id, progress) = ("u".to_owned(), SessionProgress::default());
        let window = PoseWindow { user_id, start_ms: 0, end_ms: 3_000, frames: Vec::new(), profile: None, progress };
        let draft = Assessment::of(&window).feedback;
        let usage = Usage { input_tokens: 600, output_tokens: 40, cost_micros: 280 };
        let details = r#"{"prompt":"form-coach","version":1,"hash":"a1b2c3d4e5f6","model":"flash"}"#.to_owned();
        let report = CallReport { usage, details, attempts: 1, ..CallReport::default() };
        let outcome = outcome.map_err(|kind| CallFailure { kind, message: String::new(), attempts: 1 });
        let request = FeedbackRequest { profile: None, draft };
        let feedback = settle(Answered { request, outcome, report });
        let told = feedback.provenance.clone().expect("told");
        (feedback, told)
    }

    #[test]
    fn a_models_verdict_tells_its_prompt_and_its_cost() {
        let verdict = Verdict { analyst: "flash".into(), grade: Some(7.5), sentence: "Deeper.".into() };
        let (feedback, told) = settled(Ok(verdict));
        assert_eq!(
            (feedback.analyst.as_str(), feedback.grade, feedback.sentence.as_str()),
            ("flash", Some(7.5), "Deeper.")
        );
        assert_eq!(
            (told.outcome, told.cost_micros, told.prompt.as_str()),
            (CallOutcome::Answered, 280, "form-coach@1 a1b2c3")
        );
    }

    #[test]
    fn a_draft_tells_why_no_verdict_came() {
        let outcomes = [
            (FailureKind::Expired, CallOutcome::Expired),
            (FailureKind::Superseded, CallOutcome::Superseded),
            (FailureKind::Exhausted, CallOutcome::Exhausted),
            (FailureKind::Timeout, CallOutcome::Failed),
        ];
        for (kind, outcome) in outcomes {
            let (feedback, told) = settled(Err(kind));
            assert_eq!((feedback.analyst.as_str(), told.outcome), ("offline", outcome));
            assert!(!told.reason.is_empty() && told.cost_micros == 280, "{told:?}");
        }
    }
}
