//! A field or variant that only the type has, or only the schema, fails here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use serde::Serialize;
use serde_json::{Value, json};
use tidemill_schemas::{
    AlertKind, CallOutcome, EngagementTrend, Exercise, FaultKind, LANDMARKS, Level, MembershipKind, MoodLabel,
    Obstacle, Phase, Side, StatementKind, avro::AvroEvent,
};

use crate::samples;

/// Walks a schema's text beside a JSON value in which nothing is absent.
struct Walk {
    /// Named types met so far, by the name they are called by.
    named: BTreeMap<String, Value>,
}

impl Walk {
    fn over<T: AvroEvent + Debug>(event: &T) -> Self {
        let mut walk = Self { named: BTreeMap::new() };
        let schema: Value = serde_json::from_str(T::SCHEMA).unwrap();
        assert!(schema["namespace"].is_string() && schema["doc"].is_string(), "{schema} has namespace and doc");
        walk.compare(&schema, &serde_json::to_value(event).unwrap(), "");
        walk
    }

    fn compare(&mut self, schema: &Value, value: &Value, path: &str) {
        match schema {
            Value::String(name) if self.named.contains_key(name) => {
                let known = self.named[name].clone();
                self.compare(&known, value, path);
            }
            Value::String(name) => assert!(fits(name, value), "{path}: {value} is no {name}"),
            Value::Array(union) => {
                assert_eq!((union.len(), &union[0]), (2, &json!("null")), "{path}: a union makes a value optional");
                self.compare(&union[1], value, path);
            }
            Value::Object(kind) => match kind["type"].as_str().unwrap() {
                "array" => {
                    let items = value.as_array().unwrap_or_else(|| panic!("{path}: {value} is no array"));
                    assert!(!items.is_empty(), "{path}: a whole sample has one element at least");
                    for item in items {
                        self.compare(&kind["items"], item, path);
                    }
                }
                "record" => self.compare_record(schema, value, path),
                "enum" => {
                    self.named.insert(kind["name"].as_str().unwrap().to_owned(), schema.clone());
                    let symbols = kind["symbols"].as_array().unwrap();
                    assert!(symbols.contains(value), "{path}: {value} is no symbol of {}", kind["name"]);
                }
                plain => assert!(fits(plain, value), "{path}: {value} is no {plain}"),
            },
            _ => panic!("{path}: {schema} is no schema"),
        }
    }

    fn compare_record(&mut self, schema: &Value, value: &Value, path: &str) {
        self.named.insert(schema["name"].as_str().unwrap().to_owned(), schema.clone());
        let fields = schema["fields"].as_array().unwrap();
        if let Value::Array(items) = value {
            // Pages get some records as lists, in the order of the fields.
            assert_eq!(fields.len(), items.len(), "{path}");
            for (field, item) in fields.iter().zip(items) {
                self.compare(&field["type"], item, &format!("{path}/{}", field["name"]));
            }
            return;
        }
        let said: BTreeSet<_> = fields.iter().map(|field| field["name"].as_str().unwrap()).collect();
        let there: BTreeSet<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(said, there, "{path}: fields of the schema, and of the type");
        for field in fields {
            let name = field["name"].as_str().unwrap();
            assert!(field["doc"].is_string(), "{path}/{name} has no doc");
            if field["type"].is_array() {
                assert_eq!(
                    field.get("default"),
                    Some(&Value::Null),
                    "{path}/{name} is optional, and absent by default"
                );
            }
            self.compare(&field["type"], &value[name], &format!("{path}/{name}"));
        }
    }
}

fn fits(schema: &str, value: &Value) -> bool {
    match schema {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "int" | "long" => value.is_i64(),
        "float" | "double" => value.is_f64(),
        _ => false,
    }
}

#[test]
fn schemas_and_types_have_the_same_fields() {
    Walk::over(&samples::chat(true));
    Walk::over(&samples::transcript(true));
    Walk::over(&samples::pose(true));
    Walk::over(&samples::profile(true));
    Walk::over(&samples::feedback(true));
}

#[test]
fn what_an_insight_holds_has_the_schema_of_its_own_topic() {
    let insight = Walk::over(&samples::insight(true)).named;
    for alone in [Walk::over(&samples::clip()), Walk::over(&samples::alert(true))] {
        for (name, mut schema) in alone.named {
            // Inside an insight the namespace is the insight's.
            schema.as_object_mut().unwrap().remove("namespace");
            assert_eq!(schema, insight[&name], "{name}");
        }
    }
}

#[test]
fn provenance_has_one_schema_in_both_applications() {
    let (insight, feedback) = (Walk::over(&samples::insight(true)).named, Walk::over(&samples::feedback(true)).named);
    for name in ["Provenance", "CallOutcome", "InputRead"] {
        assert_eq!(insight[name], feedback[name], "{name}");
    }
}

/// Every variant, with a match that does not compile when there is one more.
macro_rules! variants {
    ($kind:ident: $($variant:ident),*) => {{
        #[allow(dead_code, reason = "only there to be compiled")]
        fn complete(kind: $kind) { match kind { $($kind::$variant => {})* } }
        (stringify!($kind), vec![$(text($kind::$variant)),*])
    }};
}

fn text(variant: impl Serialize) -> Value {
    serde_json::to_value(variant).unwrap()
}

#[test]
fn schemas_and_types_have_the_same_variants_in_the_same_order() {
    let mut named = Walk::over(&samples::insight(true)).named;
    named.extend(Walk::over(&samples::chat(true)).named);
    for more in
        [Walk::over(&samples::pose(true)), Walk::over(&samples::feedback(true)), Walk::over(&samples::profile(true))]
    {
        named.extend(more.named);
    }
    let of_types = [
        variants!(MoodLabel: Hyped, Amused, Happy, Calm, Mixed, Bored, Sad, Frustrated, Angry, Silent),
        variants!(EngagementTrend: Unknown, Rising, Steady, Dropping),
        variants!(
            AlertKind: MoodDrop, MoodRise, EngagementDrop, EngagementSpike, SilentMicrophone, SilentChat, Trolls
        ),
        variants!(MembershipKind: New, Gift, Milestone),
        variants!(
            CallOutcome: Answered, Cached, Joined, Fallback, Superseded, Expired, Exhausted, Failed, Offline
        ),
        variants!(StatementKind: Instruction, HotTopic, Alert, Phrase),
        variants!(Exercise: PullUp, PushUp, Squat, Other),
        variants!(Phase: Working, Resting, OutOfSight),
        variants!(Side: Left, Right),
        variants!(Obstacle: UnknownAspectRatio, MixedFrames),
        variants!(
            FaultKind: HalfRepetition, IncompleteExtension, Swinging, OneSided, BentBody, LeaningForward, KneesCaving,
            Dropping
        ),
        variants!(Level: Beginner, Intermediate, Advanced),
        ("Part", LANDMARKS.iter().map(|name| json!(name)).collect()),
    ];
    for (name, variants) in of_types {
        assert_eq!(named[name]["symbols"].as_array().unwrap(), &variants, "{name}");
        named.remove(name);
    }
    let forgotten: Vec<_> = named.iter().filter(|(_, schema)| schema["type"] == "enum").map(|(name, _)| name).collect();
    assert!(forgotten.is_empty(), "{forgotten:?} are checked by nobody");
}
