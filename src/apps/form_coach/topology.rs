//! The topology: it turns pose frames into feedback.

use std::time::Duration;

use tidemill::{
    Answered, AsyncCall, CallOrder, Consumed, EmitStrategy, KStream, Materialized, Produced, SessionWindows,
    StreamsBuilder, TimeWindows, Topology, TopologyError, Windowed, WindowedCodec,
    state::{Coded, Json, Utf8},
};
use tidemill_schemas::{FormFeedback, PoseFrame, UserProfile};

use super::{
    analysis::{Pieces, PoseWindow, SessionProgress},
    cut::{self, Cut, Part, PartCodec},
    frames::Frames,
    progress::{Progress, STORE},
    request::{Asked, FeedbackRequest, Verdict},
    topics::{ANALYST, ERASED, ERASURES, FEEDBACK, LATE, POSE, PROFILES},
};
use crate::apps::{Format, TooLate, WindowEnds, Windows, erase, provenance, report_late};

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
    let profiles = Consumed::with(PROFILES, Utf8, format.codec::<UserProfile>(PROFILES));
    let profiles = builder.table_with(profiles, Materialized::with(PROFILE_STORE, Utf8, Json::default()));
    let frames = Consumed::with(POSE, Utf8, Frames::raw(format));
    let frames = builder.stream(frames.timestamp_from(|_: &String, frame| frame.timestamp));
    let (windows, late) = match settings.ends {
        WindowEnds::AfterLength => fixed(&frames, settings),
        WindowEnds::WithContent => repetitions(&builder, &frames, settings),
    };
    report_late(&builder, ["late-of-user", LATE_STORE, LATE], &late);

    let call = call(settings.answer_within);
    // The key changes from user and window to user. Both keys belong to the same partition.
    let windows = windows.mark_as_partitioned();
    windows
        .left_join(&profiles, |_, window, profile| PoseWindow { profile, ..window })
        .process("progress-of-user", &[STORE], Progress::default)
        .map_async(&call)
        .map_values(settle)
        .to(Produced::with(FEEDBACK, WindowedCodec::new(Utf8), format.codec::<FormFeedback>(FEEDBACK)));
    builder.add_key_value_store(Materialized::with(STORE, Utf8, Json::<SessionProgress>::default()));

    let mut stores = vec![STORE, PROFILE_STORE, FRAMES, LATE_STORE, call.name()];
    if settings.ends == WindowEnds::WithContent {
        stores.push(cut::STORE);
    }
    erase(&builder, "erase-user", &stores, [ERASURES, ERASED]);
    builder.build()
}

/// The windows of an athlete, and what came too late for them.
type Collected = (KStream<String, PoseWindow>, KStream<String, TooLate>);

/// Windows of one length. Each athlete has their own stream time, so a phone with a wrong clock cannot close other
/// athletes' windows.
fn fixed(frames: &KStream<String, PoseFrame>, settings: &Windows) -> Collected {
    let windows = TimeWindows::of_size_and_grace(settings.window, settings.grace).event_time_by_key();
    let emit = EmitStrategy::on_window_close().idle_after(settings.idle_after);
    let mut frames = frames.group_by_key().windowed_by(windows).emit(emit);
    let late = frames.late_records().map_values(|_| TooLate::of("pose"));
    let collected = |Windowed { key: user_id, window }: Windowed<String>, frames| {
        pose_window(user_id, [window.start, window.end], frames)
    };
    (frames.collect(Materialized::with(FRAMES, Utf8, Frames::Packed)).map(collected), late)
}

/// Windows that end with a repetition: sessions, whose keys are the pieces that the frames are cut into.
fn repetitions(builder: &StreamsBuilder, frames: &KStream<String, PoseFrame>, settings: &Windows) -> Collected {
    let sessions = SessionWindows::of_inactivity_gap_and_grace(cut::GAP, settings.grace).event_time_by_key();
    let emit = EmitStrategy::on_window_close().idle_after(settings.idle_after);
    let mut cut = frames.processing("cut").stores(&[cut::STORE]);
    let (behind, late) = cut.output::<String, TooLate>("late");
    let settings = *settings;
    let pieces = cut.process(move || Cut::new(&settings, behind));
    builder.add_key_value_store(Materialized::with(cut::STORE, Utf8, Json::<Pieces>::default()));

    // A piece and its user belong to the same partition.
    let mut pieces = pieces.mark_as_partitioned().group_by_key().windowed_by(sessions).emit(emit);
    let closed = pieces.late_records().map(|piece, _| (piece.key, TooLate::of("pose"))).mark_as_partitioned();
    let collected = |Windowed { key: piece, window }: Windowed<Windowed<String>>, parts: Vec<Part>| {
        let frame = |part| if let Part::Frame(frame) = part { Some(frame) } else { None };
        // Both ends of a session are inside it.
        pose_window(piece.key, [window.start, window.end + 1], parts.into_iter().filter_map(frame).collect())
    };
    let windows = pieces.collect(Materialized::with(FRAMES, WindowedCodec::new(Utf8), PartCodec)).map(collected);
    // A session of marks alone is no piece.
    (windows.filter(|_, window| !window.frames.is_empty()), late.mark_as_partitioned().merge(&closed))
}

fn pose_window(user_id: String, [start_ms, end_ms]: [i64; 2], frames: Vec<PoseFrame>) -> (String, PoseWindow) {
    let progress = SessionProgress::default();
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
