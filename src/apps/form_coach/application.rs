//! Describes form coach to the server and the commands: names, inputs, results, settings.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::Value;
use tidemill::{
    CallExecutorHandle,
    state::{Codec as _, CodecError},
    transport::{ConsumedRecord, ProducerRecord, TransportError},
};
use tidemill_schemas::{FormFeedback, PoseFrame, UserProfile, avro::Subject, parse_pose, parse_profile};

use super::{
    frames::Frames,
    model::{ASKED, FormTask},
    progress,
    request::OfflineForm,
    topics::{ANALYST, DEAD_LETTERS, ERASED, ERASURES, FEEDBACK, ID, LATE, POSE, PROFILES},
    topology::{call, topology},
};
use crate::apps::{
    Application, Calls, Door, Format, Host, Incoming, Input, Owner, Property, ReadEvent, ReadProperty, Results,
    WindowEnds, WindowPlace, WindowSetting, Windows, application::files, show_json,
};

/// The description of form coach.
pub static APPLICATION: Application = Application {
    id: ID,
    section: "coach",
    about: "Run form coach: pose frames in, feedback out",
    help: "",
    owner: Owner { word: "user", plural: "users", field: "user_id" },
    inputs: &[Input {
        name: "pose",
        path: "/v1/pose",
        topic: POSE,
        marks: &["user_id", "landmarks"],
        subject: Some(Subject::of::<PoseFrame>),
        reader: pose,
    }],
    properties: &[Property {
        name: "profile",
        topic: PROFILES,
        subject: Some(Subject::of::<UserProfile>),
        reader: profile,
    }],
    results: &[Results::of::<FormFeedback>(FEEDBACK, "feedback"), Results::late(LATE)],
    views: &[],
    withdrawals: None,
    reads_streams: false,
    erasures: ERASURES,
    erased: ERASED,
    dead_letters: DEAD_LETTERS,
    windows: Windows {
        ends: WindowEnds::AfterLength,
        window: Duration::from_secs(3),
        grace: Duration::from_millis(500),
        idle_after: Duration::from_millis(500),
        answer_within: Duration::from_secs(5),
    },
    window_settings: &[
        WindowSetting {
            name: "coach.window",
            default: "3s",
            help: "Length of form coach's windows",
            place: WindowPlace::Length(|windows| &mut windows.window),
        },
        WindowSetting {
            name: "coach.windows",
            default: "fixed",
            help: "What a result of form coach is of: a window of coach.window, or a repetition; without a repetition, \
                   a result comes each coach.window",
            place: WindowPlace::Ends(&[("fixed", WindowEnds::AfterLength), ("repetition", WindowEnds::WithContent)]),
        },
        WindowSetting {
            name: "coach.grace",
            default: "500ms",
            help: "How late frames may arrive",
            place: WindowPlace::Length(|windows| &mut windows.grace),
        },
        WindowSetting {
            name: "coach.idle_after",
            default: "500ms",
            help: "How long an athlete must be silent before the clock closes the athlete's windows",
            place: WindowPlace::Length(|windows| &mut windows.idle_after),
        },
        WindowSetting {
            name: "coach.answer_within",
            default: "5s",
            help: "How long after a window a model may take; then the offline result is published",
            place: WindowPlace::Length(|windows| &mut windows.answer_within),
        },
    ],
    topology,
    calls: Some(Calls { name: ANALYST, start: calls, ask_again, asked: ASKED, prompt_setting: "coach.prompt" }),
    owners: progress::STORE,
    show,
    door: Door {
        title: "Form coach",
        promise: "A grade and one correction for each set of movements, while you still move.",
        label: "Athlete id",
        nobody: ["No athlete yet", "Open an id of your choice below and start the camera there."],
    },
    files: files!("form_coach"),
};

fn pose(format: &Format) -> ReadEvent {
    let codec = Frames::raw(format);
    Box::new(move |bytes, arrival| {
        let frame = parse_pose(bytes, arrival)?;
        Incoming::new(&codec, &frame.user_id, &frame, frame.timestamp)
    })
}

fn profile(format: &Format) -> ReadProperty {
    let codec = format.codec(PROFILES);
    Box::new(move |user, bytes, now_ms| Incoming::new(&codec, user, &parse_profile(bytes)?, now_ms))
}

/// The fields of earlier results that a model may see: no names of viewers.
const EARLIER: [&str; 5] = ["window_start_ms", "exercise", "repetitions", "grade", "sentence"];

fn calls(host: Host) -> Result<CallExecutorHandle, TransportError> {
    let call = call(host.windows().answer_within);
    let task = FormTask::new(host.tenant_of(), host.tools(&EARLIER));
    let task = match host.prompt() {
        Some(prompt) => task.with_prompt(prompt),
        None => task,
    };
    host.run(&call, task, Arc::new(OfflineForm))
}

/// Shows a stored value as JSON. Frames in windows are packed; all other values are JSON already.
fn show(bytes: Bytes) -> Result<Value, CodecError> {
    if !Frames::is_packed(&bytes) {
        return show_json(bytes);
    }
    let shown = serde_json::to_value(Frames::Packed.decode(bytes)?);
    shown.map_err(|error| CodecError::Malformed { expected: "JSON", reason: error.to_string() })
}

fn ask_again(partition: i32, dead_letter: &ConsumedRecord) -> Option<ProducerRecord> {
    // The task that gets it sets the deadline.
    call(APPLICATION.windows.answer_within).ask_again(ID, partition, dead_letter)
}
