//! The topology: it turns chat and transcripts into insights, clips and alerts.

use std::time::Duration;

use tidemill::{
    AsyncCall, Consumed, EmitStrategy, Materialized, Produced, StreamsBuilder, TimeWindows, Topology, TopologyError,
    Window, Windowed, WindowedCodec,
    state::{Coded, Json, Utf8},
};
use tidemill_schemas::{Alert, ChatMessage, ClipCandidate, Insight, TranscriptSegment, avro::AvroEvent};

use super::{
    analysis::{MoodWatch, StreamTrend, Voices},
    mood::{self, Mood, alert_key},
    request::InsightRequest,
    topics::{ALERTS, ANALYST, CHAT, CLIPS, ERASED, ERASURES, INSIGHTS, LATE, TRANSCRIPT, WITHDRAWALS},
    trend::{STORE, Trend},
    withdrawals::{KEPT, PUBLISHED, Part, Publish, Published, SLOT, WITHDRAWN, Withdraw},
};
use crate::apps::{Format, TooLate, Windows, Withdrawal, erase, report_late};

const CHAT_WINDOW: &str = "chat-window";
const TRANSCRIPT_WINDOW: &str = "transcript-window";
const LATE_STORE: &str = "late-events";

/// The call to the analyst. Answers come in the order of windows. After `answer_within`, the draft is published.
pub fn call(answer_within: Duration) -> AsyncCall<Windowed<String>, InsightRequest, Insight> {
    let key = <Windowed<String> as Coded>::Codec::default();
    AsyncCall::with(ANALYST, key, Json::default(), Json::default()).deadline(answer_within).dead_letters()
}

/// The application's topology.
///
/// # Errors
/// If the window settings are not valid.
pub fn topology(settings: &Windows, format: &Format) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    // Each stream has its own stream time, so a collector with a wrong clock cannot close other streams' windows.
    let windows = TimeWindows::of_size_and_grace(settings.window, settings.grace).event_time_by_key();
    let emit = EmitStrategy::on_window_close().idle_after(settings.idle_after);

    let chat = Consumed::with(CHAT, Utf8, format.codec::<ChatMessage>(CHAT));
    let chat = builder.stream(chat.timestamp_from(|_: &String, chat| chat.timestamp));
    let speech = Consumed::with(TRANSCRIPT, Utf8, format.codec::<TranscriptSegment>(TRANSCRIPT));
    let speech = builder.stream(speech.timestamp_from(|_: &String, segment| segment.timestamp));

    let shifts = chat.process("mood-of-stream", &[mood::STORE, mood::VOICES], Mood::default);
    shifts.to(results(ALERTS, format));
    builder.add_key_value_store(Materialized::with(mood::STORE, Utf8, Json::<MoodWatch>::default()));
    let voices = Materialized::with(mood::VOICES, Utf8, Json::<Voices>::default());
    builder.add_window_store(voices, mood::VOICES_KEPT);

    let mut chats = chat.group_by_key().windowed_by(windows).emit(emit);
    let mut speeches = speech.group_by_key().windowed_by(windows).emit(emit);
    let late = chats.late_records().map_values(|_| TooLate::of("chat"));
    let late = late.merge(&speeches.late_records().map_values(|_| TooLate::of("transcript")));
    report_late(&builder, ["late-of-stream", LATE_STORE, LATE], &late);

    let call = call(settings.answer_within);
    let insights = chats
        .cogroup(speeches)
        .collect(
            Materialized::with(CHAT_WINDOW, Utf8, Json::default()),
            Materialized::with(TRANSCRIPT_WINDOW, Utf8, Json::default()),
        )
        .process("trend-of-stream", &[STORE, mood::STORE, WITHDRAWN], Trend::default)
        .map_async(&call)
        // The key changed from the stream to the stream's window, which is in the same partition.
        .mark_as_partitioned()
        .process("publish-insight", &[WITHDRAWN, PUBLISHED], Publish::default);
    builder.add_key_value_store(Materialized::with(STORE, Utf8, Json::<StreamTrend>::default()));

    insights.to(results(INSIGHTS, format));
    insights.flat_map(|key, insight| clips(&key, insight)).to(results(CLIPS, format));
    insights.flat_map(|key, insight| alerts(&key, insight)).to(results(ALERTS, format));

    let withdrawals = Consumed::with(WITHDRAWALS, Utf8, Json::<Withdrawal<Part>>::default());
    let withdraw = Withdraw { window_ms: settings.window.as_millis() as i64 };
    let changed =
        builder.stream(withdrawals).process("withdraw-from-stream", &[WITHDRAWN, PUBLISHED], move || withdraw);
    changed.map_values(|(insight, _)| insight).to(results(INSIGHTS, format));
    let alerts_again = |key: &Windowed<String>, alerts: Vec<Alert>| {
        alerts.into_iter().map(|alert| (alert_key(key.key.clone(), &alert), alert)).collect::<Vec<_>>()
    };
    changed.flat_map(move |key, (_, alerts)| alerts_again(&key, alerts)).to(results(ALERTS, format));
    let withdrawn = Materialized::with(WITHDRAWN, Utf8, Json::<Withdrawal<Part>>::default());
    builder.add_window_store(withdrawn, KEPT + SLOT);
    let published = Materialized::with(PUBLISHED, Utf8, Json::<Published>::default());
    builder.add_window_store(published, KEPT + settings.window);

    // The windows of chat and speech, and their times, belong to one step, which is erased whole.
    let erased_from = [STORE, mood::STORE, mood::VOICES, WITHDRAWN, PUBLISHED, CHAT_WINDOW, LATE_STORE, call.name()];
    erase(&builder, "erase-stream", &erased_from, [ERASURES, ERASED]);
    builder.build()
}

fn results<V: AvroEvent>(topic: &str, format: &Format) -> Produced<Windowed<String>, V> {
    Produced::with(topic, WindowedCodec::new(Utf8), format.codec::<V>(topic))
}

fn clips(key: &Windowed<String>, insight: Insight) -> Vec<(Windowed<String>, ClipCandidate)> {
    let at = |clip: &ClipCandidate| Window { start: clip.start_ms, end: clip.end_ms };
    insight.clips.into_iter().map(|clip| (Windowed { key: key.key.clone(), window: at(&clip) }, clip)).collect()
}

/// The alerts of a closed window, without the alerts that were already sent while the window was open.
fn alerts(key: &Windowed<String>, insight: Insight) -> Vec<(Windowed<String>, Alert)> {
    let untold = insight.alerts.into_iter().filter(|alert| !alert.ahead);
    untold.map(|alert| (alert_key(key.key.clone(), &alert), alert)).collect()
}
