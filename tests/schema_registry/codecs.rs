//! Records between programs with versions of their own.

use std::sync::Arc;

use bytes::Bytes;
use tidemill::state::{Codec as _, CodecError};
use tidemill_schemas::{
    PoseFrame,
    avro::{Avro, AvroEvent, Registry, RegistrySettings, Subject},
};

use crate::{
    registry::registry,
    switch::Switch,
    versions::{first, second},
    wait_for,
};

/// A program with its version of a topic.
fn program<T: AvroEvent>(url: String, topic: &str) -> (Arc<Registry>, Avro<T>) {
    let registry = Registry::new(RegistrySettings::new(url)).expect("a client");
    registry.prepare(vec![Subject::of::<T>(topic)]).expect("it fits");
    let codec = registry.codec(topic);
    (registry, codec)
}

fn bytes<T: AvroEvent>(codec: &Avro<T>, event: &T) -> Bytes {
    codec.encode(event).expect("encoded").expect("no null")
}

/// Asks again for as long as the schema is on its way.
fn decode<T: AvroEvent>(codec: &Avro<T>, bytes: &Bytes) -> Result<T, CodecError> {
    wait_for("the schema comes", || match codec.decode(bytes.clone()) {
        Err(CodecError::NotYet { .. }) => None,
        decoded => Some(decoded),
    })
}

fn goal() -> first::Goal {
    first::Goal { minute: 90, by: "Ada".to_owned() }
}

#[test]
fn a_record_is_a_zero_an_id_and_the_event() {
    let Some(server) = registry() else { return };
    let (_registry, codec) = program::<first::Goal>(server.url(), "wire");
    let record = bytes(&codec, &goal());
    let id = server.call("GET", "/subjects/wire-value/versions/1", None).1["id"].as_u64().expect("registered");
    assert_eq!(record[..5], [&[0][..], &(id as u32).to_be_bytes()].concat());
    // Avro's own example of how numbers and strings are written: zigzag, length first.
    assert_eq!(record[5..], [&[180, 1, 6][..], b"Ada"].concat());
    assert_eq!(codec.decode(record), Ok(goal()));
}

#[test]
fn starting_again_registers_nothing_anew() {
    let Some(server) = registry() else { return };
    let (_one, first) = program::<PoseFrame>(server.url(), "again");
    let (_two, second) = program::<PoseFrame>(server.url(), "again");
    assert_eq!(server.versions("again"), serde_json::json!([1]));
    let frame = PoseFrame {
        user_id: "u".to_owned(),
        timestamp: 1,
        exercise: "squat".to_owned(),
        aspect_ratio: None,
        mirrored: false,
        landmarks: Vec::new(),
    };
    assert_eq!(second.decode(bytes(&first, &frame)), Ok(frame));
}

#[test]
fn old_and_new_programs_read_each_other() {
    let Some(server) = registry() else { return };
    let (_old, old) = program::<first::Goal>(server.url(), "evolving");
    let before = bytes(&old, &goal());
    let (_new, new) = program::<second::Goal>(server.url(), "evolving");
    assert_eq!(server.versions("evolving"), serde_json::json!([1, 2]));

    // All versions were fetched at the start: nothing is waited for.
    let read = new.decode(before).expect("known");
    assert_eq!(read, second::Goal { assist: None, minute: 90, by: "Ada".to_owned() });
    // The old program meets a version that is younger than itself.
    let after = bytes(&new, &second::Goal { assist: Some("Bo".to_owned()), minute: 90, by: "Ada".to_owned() });
    assert!(matches!(old.decode(after.clone()), Err(CodecError::NotYet { .. })));
    assert_eq!(decode(&old, &after), Ok(goal()));
    // From now on it is known.
    assert_eq!(old.decode(after), Ok(goal()));
}

#[test]
fn a_record_waits_for_its_schema_for_as_long_as_the_registry_is_away() {
    let Some(server) = registry() else { return };
    let switch = Switch::to(server.address);
    let (_old, old) = program::<first::Goal>(switch.url(), "away");
    let (_new, new) = program::<second::Goal>(server.url(), "away");
    let after = bytes(&new, &second::Goal { assist: None, minute: 90, by: "Ada".to_owned() });

    switch.cut();
    let reason = wait_for("the failure is told", || match old.decode(after.clone()) {
        Err(CodecError::NotYet { reason }) if reason.contains("not available") => Some(reason),
        Err(CodecError::NotYet { .. }) => None,
        other => panic!("{other:?}"),
    });
    assert!(reason.starts_with("schema "), "{reason}");
    // What was known when it was cut needs no registry.
    assert_eq!(old.decode(bytes(&old, &goal())), Ok(goal()));

    switch.mend();
    assert_eq!(decode(&old, &after), Ok(goal()));
}

#[test]
fn an_id_that_the_registry_does_not_know_is_an_error() {
    let Some(server) = registry() else { return };
    let (_registry, codec) = program::<first::Goal>(server.url(), "unknown");
    let mut record = bytes(&codec, &goal()).to_vec();
    record[1..5].copy_from_slice(&4_711_u32.to_be_bytes());
    let error = decode(&codec, &record.into()).expect_err("there is no such schema");
    assert!(error.to_string().contains("the registry has no schema 4711"), "{error}");
}

#[test]
fn what_is_no_record_is_an_error() {
    let Some(server) = registry() else { return };
    let (_registry, codec) = program::<first::Goal>(server.url(), "damaged");
    let good = bytes(&codec, &goal());
    let longer = [&good[..], b"x"].concat();
    for bad in [&b""[..], b"{}", &good[..4], &good[..good.len() - 1], &longer] {
        let error = codec.decode(Bytes::copy_from_slice(bad)).expect_err("damaged");
        assert!(matches!(error, CodecError::Malformed { .. }), "{error}");
    }
}
