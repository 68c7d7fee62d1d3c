//! What is written is what is read: events of every type, whole and bare, and whatever chance makes.

use std::fmt::Debug;

use proptest::prelude::*;
use tidemill_schemas::{Amount, ChatMessage, LANDMARKS, Landmark, Part, PoseFrame, TranscriptSegment, avro::AvroEvent};

use crate::{decode, encode, resolve, samples};

fn survives<T: AvroEvent + PartialEq + Debug>(event: &T) {
    let bytes = encode(event);
    assert_eq!(&decode::<T>(&bytes), event, "read at once");
    assert_eq!(&resolve::<T>(T::schema(), &bytes).unwrap(), event, "read by Avro's rules of resolution");
}

#[test]
fn every_event_survives() {
    survives(&samples::clip());
    for full in [true, false] {
        survives(&samples::alert(full));
        survives(&samples::chat(full));
        survives(&samples::transcript(full));
        survives(&samples::insight(full));
        survives(&samples::pose(full));
        survives(&samples::profile(full));
        survives(&samples::feedback(full));
    }
}

#[test]
fn a_pose_frame_takes_less_than_a_third_of_its_json() {
    let frame = samples::pose(true);
    let (avro, json) = (encode(&frame).len(), serde_json::to_vec(&frame).unwrap().len());
    assert!(avro * 3 < json, "{avro} bytes of Avro, {json} of JSON");
}

#[test]
fn a_count_that_no_signed_number_holds_is_an_error() {
    let insight = tidemill_schemas::Insight { chats: u64::MAX, ..samples::insight(true) };
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(tidemill_schemas::Insight::schema());
    assert!(writer.build().unwrap().write_ser_to_vec(&insight).is_err());
}

fn landmark() -> impl Strategy<Value = Landmark> {
    let number = || -10.0_f32..10.0;
    (0..LANDMARKS.len(), number(), number(), number(), prop::option::of(0.0_f32..=1.0))
        .prop_map(|(part, x, y, z, visibility)| Landmark { part: Part::from_index(part).unwrap(), x, y, z, visibility })
}

proptest! {
    #[test]
    fn any_chat_survives(
        ids in ["\\PC{1,20}", "\\PC{1,20}"], user_name in prop::option::of("\\PC{0,20}"), text in ".{0,200}",
        timestamp in any::<i64>(), id in prop::option::of("\\PC{0,20}"), micros in prop::option::of(any::<i64>()),
    ) {
        let [stream_id, user_id] = ids;
        let amount = micros.map(|micros| Amount { micros, currency: "EUR".to_owned() });
        survives(&ChatMessage { id, stream_id, user_id, user_name, text, amount, membership: None, timestamp });
    }

    #[test]
    fn any_speech_survives(text in ".{0,200}", timestamp in any::<i64>(), duration_ms in any::<Option<i64>>()) {
        survives(&TranscriptSegment { stream_id: "s".to_owned(), text, timestamp, duration_ms });
    }

    #[test]
    fn any_frame_survives(
        timestamp in any::<i64>(), aspect_ratio in prop::option::of(0.1_f32..10.0),
        mirrored in any::<bool>(), landmarks in prop::collection::vec(landmark(), 0..40),
    ) {
        let (user_id, exercise) = ("u".to_owned(), "squat".to_owned());
        survives(&PoseFrame { user_id, timestamp, exercise, aspect_ratio, mirrored, landmarks });
    }
}
