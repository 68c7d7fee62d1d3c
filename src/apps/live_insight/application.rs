//! Describes live insight to the server and the commands: names, inputs, results, settings.

use std::{sync::Arc, time::Duration};

use tidemill::{
    CallExecutorHandle,
    transport::{ConsumedRecord, ProducerRecord, TransportError},
};
use tidemill_schemas::{
    Alert, ChatMessage, ClipCandidate, Insight, TranscriptSegment, avro::Subject, parse_chat, parse_transcript,
};

use super::{
    model::{ASKED, LiveTask},
    request::OfflineLive,
    topics::{
        ALERTS, ANALYST, CHAT, CLIPS, DEAD_LETTERS, ERASED, ERASURES, ID, INSIGHTS, LATE, TRANSCRIPT, WITHDRAWALS,
    },
    topology::{call, topology},
    trend,
    views::VIEWS,
};
use crate::apps::{
    Application, Calls, Door, Format, Host, Incoming, Input, Owner, Part, ReadEvent, Results, WindowEnds, WindowPlace,
    WindowSetting, Windows, Withdrawals, application::files, show_json,
};

/// The part of a stream that a deleted message is.
pub(crate) const MESSAGE: &str = "chat";
/// The part of a stream that everything is that a viewer wrote so far.
pub(crate) const VIEWER: &str = "viewers";

/// The description of live insight.
pub static APPLICATION: Application = Application {
    id: ID,
    section: "live",
    about: "Run live insight: chat and transcript in, insights, clips and alerts out",
    help: "Send chat and speech, then open `http://localhost:8080/live/ada`:\n\n  \
        curl localhost:8080/v1/chat -H 'content-type: application/json' \\\n    \
        -d '{\"stream_id\":\"ada\",\"user_id\":\"u1\",\"text\":\"hi!\",\"timestamp\":1767225600000}'",
    owner: Owner { word: "stream", plural: "streams", field: "stream_id" },
    inputs: &[
        Input {
            name: "chat",
            path: "/v1/chat",
            topic: CHAT,
            marks: &["user_id", "stream_id"],
            subject: Some(Subject::of::<ChatMessage>),
            reader: chat,
        },
        Input {
            name: "transcript",
            path: "/v1/transcript",
            topic: TRANSCRIPT,
            marks: &["text"],
            subject: Some(Subject::of::<TranscriptSegment>),
            reader: transcript,
        },
    ],
    properties: &[],
    results: &[
        Results::of::<Insight>(INSIGHTS, "insight"),
        Results::of::<ClipCandidate>(CLIPS, "clip"),
        Results::of::<Alert>(ALERTS, "alert"),
        Results::late(LATE),
    ],
    views: VIEWS,
    withdrawals: Some(Withdrawals {
        topic: WITHDRAWALS,
        parts: &[
            Part {
                path: MESSAGE,
                word: "message",
                effect: "within seconds: the open window leaves the message out when it closes, and insights of the \
                    last hour that show it are published again without it",
            },
            Part {
                path: VIEWER,
                word: "viewer",
                effect: "within seconds: the open window leaves out what the viewer wrote, and insights of the last \
                    hour that show or name the viewer are published again without it",
            },
        ],
    }),
    reads_streams: true,
    erasures: ERASURES,
    erased: ERASED,
    dead_letters: DEAD_LETTERS,
    windows: Windows {
        ends: WindowEnds::AfterLength,
        window: Duration::from_secs(60),
        grace: Duration::from_secs(2),
        idle_after: Duration::from_secs(5),
        answer_within: Duration::from_secs(30),
    },
    window_settings: &[
        WindowSetting {
            name: "live.window",
            default: "60s",
            help: "Length of live insight's windows",
            place: WindowPlace::Length(|windows| &mut windows.window),
        },
        WindowSetting {
            name: "live.grace",
            default: "2s",
            help: "How late chat and speech may arrive",
            place: WindowPlace::Length(|windows| &mut windows.grace),
        },
        WindowSetting {
            name: "live.idle_after",
            default: "5s",
            help: "How long a stream must be silent before the clock closes its windows",
            place: WindowPlace::Length(|windows| &mut windows.idle_after),
        },
        WindowSetting {
            name: "live.answer_within",
            default: "30s",
            help: "How long after a window a model may take; then the offline result is published",
            place: WindowPlace::Length(|windows| &mut windows.answer_within),
        },
    ],
    topology,
    calls: Some(Calls { name: ANALYST, start: calls, ask_again, asked: ASKED, prompt_setting: "live.prompt" }),
    owners: trend::STORE,
    show: show_json,
    door: Door {
        title: "Live insight",
        promise: "The mood of your chat, the words that moved it, and the one thing to do next.",
        label: "Stream id",
        nobody: ["No stream yet", "A stream appears here once its first minute with chat or speech is over."],
    },
    files: files!("live_insight"),
};

fn chat(format: &Format) -> ReadEvent {
    let codec = format.codec(CHAT);
    Box::new(move |bytes, arrival| {
        let chat = parse_chat(bytes, arrival)?;
        Incoming::new(&codec, &chat.stream_id, &chat, chat.timestamp)
    })
}

fn transcript(format: &Format) -> ReadEvent {
    let codec = format.codec(TRANSCRIPT);
    Box::new(move |bytes, arrival| {
        let said = parse_transcript(bytes, arrival)?;
        Incoming::new(&codec, &said.stream_id, &said, said.timestamp)
    })
}

/// The fields of earlier results that a model may see: no names of viewers.
const EARLIER: [&str; 6] = ["window_start_ms", "chats", "users", "vibe_score", "mood", "instruction"];

fn calls(host: Host) -> Result<CallExecutorHandle, TransportError> {
    let call = call(host.windows().answer_within);
    let task = LiveTask::new(host.tenant_of(), host.tools(&EARLIER));
    let task = match host.prompt() {
        Some(prompt) => task.with_prompt(prompt),
        None => task,
    };
    host.run(&call, task, Arc::new(OfflineLive))
}

fn ask_again(partition: i32, dead_letter: &ConsumedRecord) -> Option<ProducerRecord> {
    // The task that gets it sets the deadline.
    call(APPLICATION.windows.answer_within).ask_again(ID, partition, dead_letter)
}
