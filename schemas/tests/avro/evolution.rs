//! Versions read each other: fields come and go where they have a default, and nowhere else.

use apache_avro::{Schema, schema_compatibility::SchemaCompatibility};
use serde_json::{Value, json};
use tidemill_schemas::{
    CallOutcome, ChatMessage, FormFeedback, Insight, PoseFrame, Provenance, UserProfile, avro::AvroEvent,
};

use crate::{encode, resolve, samples};

/// A version of a type's schema, changed by hand.
fn version<T: AvroEvent>(change: impl FnOnce(&mut Vec<Value>)) -> Schema {
    let mut schema: Value = serde_json::from_str(T::SCHEMA).unwrap();
    change(schema["fields"].as_array_mut().unwrap());
    Schema::parse(&schema).unwrap()
}

fn write(schema: &Schema, event: &Value) -> Vec<u8> {
    let value = apache_avro::types::Value::try_from(event.clone()).unwrap().resolve(schema).unwrap();
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(schema).build().unwrap();
    writer.write_value_to_vec(value).unwrap()
}

#[test]
fn a_record_of_before_an_optional_field_is_read_with_its_default() {
    let before = version::<ChatMessage>(|fields| fields.retain(|field| field["name"] != "user_name"));
    let bytes = write(
        &before,
        &json!({ "stream_id": "s", "user_id": "u", "text": "hi 👋", "timestamp": 1_767_225_600_000_i64 }),
    );
    assert_eq!(resolve::<ChatMessage>(&before, &bytes).unwrap(), samples::chat(false));
}

#[test]
fn messages_and_insights_of_before_ids_support_and_withdrawals_are_read() {
    const NEW: [&str; 5] = ["id", "amount", "membership", "support", "withdrawn"];
    let is_old = |field: &Value| !NEW.contains(&field["name"].as_str().unwrap());
    let before = version::<ChatMessage>(|fields| fields.retain(is_old));
    let (user_name, timestamp) = (Value::Null, 1_767_225_600_000_i64);
    let event =
        json!({ "stream_id": "s", "user_id": "u", "user_name": user_name, "text": "hi 👋", "timestamp": timestamp });
    assert_eq!(resolve::<ChatMessage>(&before, &write(&before, &event)).unwrap(), samples::chat(false));
    let before = version::<Insight>(|fields| {
        fields.retain(is_old);
        let top = fields.iter_mut().find(|field| field["name"] == "top_chats").unwrap();
        top["type"]["items"]["fields"].as_array_mut().unwrap().retain(is_old);
    });
    assert!(SchemaCompatibility::can_read(&before, Insight::schema()).is_ok());
    assert!(SchemaCompatibility::can_read(Insight::schema(), &before).is_ok(), "and the other way round");
    let mut event = serde_json::to_value(samples::insight(false)).unwrap();
    assert!(event.get("support").is_none() && event.get("withdrawn").is_none(), "nothing is told of nothing");
    event["hot_topics"] = json!([]);
    assert_eq!(resolve::<Insight>(&before, &write(&before, &event)).unwrap(), samples::insight(false));
}

#[test]
fn a_record_with_a_field_of_the_future_is_read_without_it() {
    let future = version::<UserProfile>(|fields| {
        fields.insert(0, json!({ "name": "left_handed", "type": "boolean", "default": false }));
    });
    let event = json!({ "left_handed": true, "height_cm": 178.0, "injuries": ["left shoulder"], "level": "advanced" });
    assert_eq!(resolve::<UserProfile>(&future, &write(&future, &event)).unwrap(), samples::profile(true));
}

#[test]
fn an_older_reader_reads_a_record_of_today() {
    let older = version::<FormFeedback>(|fields| fields.retain(|field| field["name"] != "session_change"));
    assert!(SchemaCompatibility::can_read(FormFeedback::schema(), &older).is_ok());
    let bytes = encode(&samples::feedback(true));
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(FormFeedback::schema()).reader_schema(&older);
    let value = reader.build().unwrap().read_value(&mut &bytes[..]).unwrap();
    let read: Value = serde_json::to_value(apache_avro::from_value::<FormFeedback>(&value).unwrap()).unwrap();
    assert_eq!((&read["grade"], &read["session_change"]), (&json!(7.5), &Value::Null));
}

#[test]
fn frames_and_feedback_of_before_their_newest_fields_are_read_and_so_are_those_of_today() {
    let fields = ["mirrored", "exercise_name", "obstacle", "earlier"];
    let without = |all: &mut Vec<Value>| all.retain(|field| !fields.contains(&field["name"].as_str().unwrap()));

    let older = version::<PoseFrame>(without);
    assert!(SchemaCompatibility::can_read(PoseFrame::schema(), &older).is_ok());
    let mut event = serde_json::to_value(samples::pose(false)).unwrap();
    for point in event["landmarks"].as_array_mut().unwrap() {
        point["visibility"] = Value::Null;
    }
    event["aspect_ratio"] = Value::Null;
    assert_eq!(resolve::<PoseFrame>(&older, &write(&older, &event)).unwrap(), samples::pose(false));

    let older = version::<FormFeedback>(without);
    assert!(SchemaCompatibility::can_read(FormFeedback::schema(), &older).is_ok());
    assert!(SchemaCompatibility::can_read(&older, FormFeedback::schema()).is_ok());
    let mut event = serde_json::to_value(samples::feedback(true)).unwrap();
    for field in fields {
        drop(event.as_object_mut().unwrap().remove(field));
    }
    // A program reads the JSON of before, too.
    let read: FormFeedback = serde_json::from_value(event).unwrap();
    assert_eq!((read.exercise_name.as_str(), read.obstacle, read.earlier.len(), read.grade), ("", None, 0, Some(7.5)));
}

#[test]
fn results_of_before_provenance_and_evidence_are_read_and_so_are_those_of_today() {
    let without = |all: &mut Vec<Value>| {
        all.retain(|field| !["provenance", "evidence", "remainder"].contains(&field["name"].as_str().unwrap()));
    };
    let older = version::<Insight>(without);
    assert!(SchemaCompatibility::can_read(&older, Insight::schema()).is_ok());
    assert!(SchemaCompatibility::can_read(Insight::schema(), &older).is_ok(), "and the other way round");
    let event = serde_json::to_value(samples::insight(false)).unwrap();
    assert!(event.get("provenance").is_none() && event.get("evidence").is_none(), "nothing is told of nothing");
    assert_eq!(serde_json::from_value::<Insight>(event.clone()).unwrap(), samples::insight(false), "JSON of before");
    let mut record = event;
    record["support"] = Value::Null;
    record["withdrawn"] = json!(0);
    assert_eq!(resolve::<Insight>(&older, &write(&older, &record)).unwrap(), samples::insight(false));

    let older = version::<FormFeedback>(without);
    assert!(SchemaCompatibility::can_read(&older, FormFeedback::schema()).is_ok());
    assert!(SchemaCompatibility::can_read(FormFeedback::schema(), &older).is_ok(), "and the other way round");
    let event = serde_json::to_value(samples::feedback(false)).unwrap();
    assert!(event.get("provenance").is_none(), "nothing is told of nothing");
    assert_eq!(serde_json::from_value::<FormFeedback>(event.clone()).unwrap(), samples::feedback(false));
    assert_eq!(resolve::<FormFeedback>(&older, &write(&older, &event)).unwrap(), samples::feedback(false));
}

#[test]
fn an_outcome_of_the_future_is_read_as_a_failed_call() {
    let text = FormFeedback::SCHEMA.replace("\"offline\"\n", "\"offline\", \"debated\"\n");
    let future = Schema::parse_str(&text).unwrap();
    let mut event = serde_json::to_value(samples::feedback(true)).unwrap();
    event["provenance"]["outcome"] = json!("debated");
    event["frames"] = json!([]);
    let read = resolve::<FormFeedback>(&future, &write(&future, &event)).unwrap().provenance.unwrap();
    assert_eq!((read.outcome, read.cost_micros), (CallOutcome::Failed, 900));
}

#[test]
fn provenance_with_few_fields_is_read() {
    let mut event = serde_json::to_value(samples::insight(false)).unwrap();
    event["provenance"] = json!({ "outcome": "expired", "reason": "too late", "a_field_of_the_future": 1 });
    let read = serde_json::from_value::<Insight>(event).unwrap().provenance.unwrap();
    let (outcome, reason) = (CallOutcome::Expired, "too late".to_owned());
    assert_eq!(read, Provenance { outcome, reason, ..Provenance::default() });
}

#[test]
fn lists_counts_and_words_of_a_result_may_come_later() {
    let older = version::<Insight>(|fields| {
        fields.retain(|field| !["spikes", "questions", "instruction"].contains(&field["name"].as_str().unwrap()));
    });
    assert!(SchemaCompatibility::can_read(&older, Insight::schema()).is_ok());
}

#[test]
fn a_field_without_a_default_is_incompatible() {
    let older = version::<ChatMessage>(|fields| fields.retain(|field| field["name"] != "user_id"));
    assert!(SchemaCompatibility::can_read(&older, ChatMessage::schema()).is_err());
}

#[test]
fn a_symbol_of_the_future_becomes_the_default_where_there_is_one() {
    let mut schema: Value = serde_json::from_str(UserProfile::SCHEMA).unwrap();
    let level = schema["fields"].as_array_mut().unwrap().iter_mut().find(|field| field["name"] == "level").unwrap();
    level["type"]["symbols"].as_array_mut().unwrap().push(json!("olympic"));
    let future = Schema::parse(&schema).unwrap();
    let bytes = write(&future, &json!({ "height_cm": null, "injuries": [], "level": "olympic" }));
    assert_eq!(resolve::<UserProfile>(&future, &bytes).unwrap().level, tidemill_schemas::Level::Intermediate);
}
