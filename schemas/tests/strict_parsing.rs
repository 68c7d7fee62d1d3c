//! Every refused event names its field and its repair.

use serde_json::{Value, json};
use tidemill_schemas::{Arrival, Exercise, FieldError, Part, parse_chat, parse_pose, parse_profile, parse_transcript};

const NOW: i64 = 1_767_225_600_000;

fn chat_with_timestamp(timestamp: &Value) -> Vec<u8> {
    json!({"stream_id": "s", "user_id": "u", "text": "hi", "timestamp": timestamp}).to_string().into_bytes()
}

fn frame() -> Value {
    let landmarks: Vec<Value> = (0..33).map(|i| json!({"part": i, "x": 0.5, "y": 0.5, "z": 0.0})).collect();
    json!({"user_id": "a", "timestamp": NOW, "exercise": "pull_up", "landmarks": landmarks})
}

fn only(errors: &[FieldError]) -> String {
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].to_string()
}

fn pose_error(frame: &Value) -> String {
    only(&parse_pose(frame.to_string().as_bytes(), NOW).expect_err("refused"))
}

#[test]
fn every_wrong_timestamp_gets_its_own_repair() {
    let cases = [
        (json!(1_767_225_600), "timestamp looks like seconds (1767225600): multiply by 1000"),
        (
            json!(1_767_225_600.5),
            "timestamp looks like seconds with a fraction (1767225600.5): multiply by 1000 and round",
        ),
        (json!(1_767_225_600_000_000_i64), "timestamp looks like microseconds (1767225600000000): divide by 1000"),
        (json!(-5), "timestamp is negative (-5): send epoch milliseconds"),
        (json!(NOW + 25 * 3_600_000), "timestamp lies 25 hours ahead of this server's clock: set the sender's clock"),
        (
            json!("2026-01-01T00:00:00Z"),
            "timestamp is an ISO-8601 string (\"2026-01-01T00:00:00Z\"): send epoch milliseconds, such as Date.parse(text)",
        ),
        (json!("1767225600000"), "timestamp is a number in quotes (\"1767225600000\"): send it without quotes"),
        (json!(null), "timestamp is null: send epoch milliseconds, such as Date.now()"),
        (json!(1_700_001), "timestamp is 1700001, which is no date: send epoch milliseconds, such as Date.now()"),
    ];
    for (timestamp, expected) in cases {
        let errors = parse_chat(&chat_with_timestamp(&timestamp), NOW).expect_err("refused");
        assert_eq!(only(&errors), expected);
    }
    assert!(parse_chat(&chat_with_timestamp(&json!(NOW + 120_000)), NOW).is_ok());
    assert!(parse_chat(&chat_with_timestamp(&json!(NOW + 120_001)), NOW).is_err());
}

#[test]
fn all_wrong_fields_are_reported_together() {
    let errors = parse_chat(br#"{"user_id": 7, "text": null, "timestamp": "soon"}"#, NOW).expect_err("refused");
    let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["stream_id", "user_id", "text", "timestamp"]);
    assert_eq!(errors[1].fix, "quote it: \"7\"");

    let long = "x".repeat(4097);
    let event = json!({"stream_id": " ", "text": long, "timestamp": NOW, "duration_ms": -1});
    let errors = parse_transcript(event.to_string().as_bytes(), NOW).expect_err("refused");
    let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["stream_id", "text", "duration_ms"]);
}

#[test]
fn what_is_no_object_is_refused_as_a_whole() {
    assert!(only(&parse_chat(b"\xff\xfe", NOW).expect_err("refused")).starts_with("not JSON"));
    assert!(only(&parse_chat(b"[1]", NOW).expect_err("refused")).starts_with("the event is an array"));
}

#[test]
fn landmarks_are_read_by_name_and_index_in_any_order() {
    let mut event = frame();
    let points = event["landmarks"].as_array_mut().expect("array");
    points.reverse();
    points[32 - 13]["part"] = json!("Left-Elbow");
    let parsed = parse_pose(event.to_string().as_bytes(), NOW).expect("valid");
    assert!(parsed.landmarks.iter().enumerate().all(|(i, point)| point.part.index() == i));
    assert_eq!(Part::LEFT_ELBOW.name(), "left_elbow");
    let again = serde_json::to_vec(&parsed).expect("serialises");
    assert_eq!(parse_pose(&again, NOW).expect("valid"), parsed);
}

#[test]
fn incomplete_bodies_are_refused() {
    let mut short = frame();
    short["landmarks"].as_array_mut().expect("array").pop();
    assert_eq!(pose_error(&short), "landmarks has 32 points: send all 33 landmarks of the pose model");

    let mut twice = frame();
    twice["landmarks"][4]["part"] = json!(3);
    assert_eq!(pose_error(&twice), "landmarks[4].part repeats left_eye_outer: send each landmark once");

    let mut nan = frame();
    nan["landmarks"][2]["x"] = json!(null);
    assert_eq!(pose_error(&nan), "landmarks[2].x is null: skip frames whose coordinates are NaN");

    let mut huge = frame();
    huge["landmarks"][2]["y"] = json!(1e300);
    assert_eq!(pose_error(&huge), "landmarks[2].y is not finite: skip frames whose coordinates are NaN");

    let mut unknown = frame();
    unknown["landmarks"][2]["part"] = json!("tail");
    assert!(pose_error(&unknown).starts_with("landmarks[2].part is \"tail\": send a name"));
}

#[test]
fn whether_a_picture_is_mirrored_is_a_flag_that_may_be_absent() {
    let read = |mirrored: Value| {
        let mut event = frame();
        event["mirrored"] = mirrored;
        parse_pose(event.to_string().as_bytes(), NOW).map(|frame| frame.mirrored)
    };
    assert!(!parse_pose(frame().to_string().as_bytes(), NOW).expect("valid").mirrored);
    assert_eq!((read(json!(true)), read(json!(false))), (Ok(true), Ok(false)));
    assert_eq!(only(&read(json!("yes")).expect_err("refused")), "mirrored is a string: send true or false");
}

#[test]
fn profiles_are_checked() {
    let profile = parse_profile(br#"{"height_cm": 178, "injuries": ["left shoulder"], "level": "beginner"}"#);
    assert_eq!(profile.expect("valid").injuries, ["left shoulder"]);
    assert!(only(&parse_profile(br#"{"height_cm": 1.78}"#).expect_err("refused")).starts_with("height_cm is 1.78"));
    assert!(only(&parse_profile(br#"{"level": "pro"}"#).expect_err("refused")).starts_with("level is unknown"));
}

#[test]
fn all_mistakes_of_a_profile_are_told_together() {
    let errors = parse_profile(br#"{"heigth_cm": 178, "height_cm": 1.78, "injuries": ["", 7], "level": "pro"}"#);
    let errors = errors.expect_err("refused");
    let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["heigth_cm", "injuries[1]", "level", "height_cm", "injuries[0]"]);
    assert_eq!(errors[0].fix, "a profile has height_cm, injuries, level");
}

#[test]
fn a_profile_holds_twenty_injuries_and_no_more() {
    let profile = |count| json!({ "injuries": vec!["knee"; count] }).to_string().into_bytes();
    assert!(parse_profile(&profile(20)).is_ok());
    let refused = parse_profile(&profile(70_000)).expect_err("refused");
    assert_eq!(only(&refused), "injuries has 70000 entries: send at most 20");
}

#[test]
fn a_name_has_a_length_that_a_page_can_show() {
    let chat = |name: String| {
        json!({ "stream_id": "s", "user_id": "u", "user_name": name, "text": "hi", "timestamp": NOW }).to_string()
    };
    assert!(parse_chat(chat("n".repeat(256)).as_bytes(), NOW).is_ok());
    let refused = parse_chat(chat("n".repeat(1 << 20)).as_bytes(), NOW).expect_err("refused");
    assert_eq!(only(&refused), "user_name has 1048576 bytes: send at most 256");
}

#[test]
fn a_text_that_nobody_sees_is_empty() {
    let chat = |text: &str| {
        json!({ "stream_id": "s", "user_id": "u", "text": text, "timestamp": NOW }).to_string().into_bytes()
    };
    for unseen in ["", " \t", "\u{200b}", "\u{2060}\u{feff} \u{ad}", "\u{202e}\u{200f}", "\u{3164}", "\u{e0041}\u{7}"] {
        let refused = parse_chat(&chat(unseen), NOW).expect_err(unseen);
        assert_eq!(only(&refused), "text is empty: leave out events without text", "{unseen:?}");
    }
    for seen in [".", "\u{200b}a", "❤\u{fe0f}", "👨\u{200d}👩", "أهلا", "שלום"] {
        assert!(parse_chat(&chat(seen), NOW).is_ok(), "{seen:?}");
    }
}

fn chat_with(fields: &Value) -> Vec<u8> {
    let mut chat = json!({ "stream_id": "s", "user_id": "u", "timestamp": NOW });
    chat.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    chat.to_string().into_bytes()
}

#[test]
fn a_message_needs_no_text_if_it_carries_an_amount_or_a_membership() {
    for fields in [
        json!({ "amount": { "micros": 4_990_000, "currency": "EUR" } }),
        json!({ "amount": { "micros": 1, "currency": "JPY" }, "text": null }),
        json!({ "membership": { "kind": "new" }, "text": "" }),
        json!({ "membership": { "kind": "gift", "count": 20 }, "text": "\u{200b}" }),
        json!({ "membership": { "kind": "milestone", "months": 24 }, "text": "two years!" }),
    ] {
        let chat = parse_chat(&chat_with(&fields), NOW).expect("valid");
        assert!(chat.supports(), "{fields}");
    }
    let empty = json!({ "text": "", "amount": null, "membership": null });
    let refused = |fields: &Value| parse_chat(&chat_with(fields), NOW).expect_err("refused");
    assert_eq!(only(&refused(&empty)), "text is empty: leave out events without text");
    for missing in [json!({}), json!({ "text": null }), json!({ "amount": null })] {
        let told = "text is missing: send a text, or an amount or a membership";
        assert_eq!(only(&refused(&missing)), told, "{missing}");
    }
    let told = "text is missing, but there is 'message': write it as text";
    assert_eq!(only(&refused(&json!({ "message": "hi" }))), told);
    let fields: Vec<_> = refused(&json!({ "id": " " })).into_iter().map(|error| error.to_string()).collect();
    assert!(fields.len() == 2 && fields[1].starts_with("text is missing"), "{fields:?}");
}

#[test]
fn a_wrong_amount_or_membership_is_named_with_its_repair() {
    let (micros, currency) = (
        "send millionths of a unit, as a whole number from 1 to 10^15: 4.99 EUR are 4990000",
        "send the ISO 4217 code of three capital letters, such as EUR",
    );
    let amount = |micros: Value, currency: Value| json!({ "amount": { "micros": micros, "currency": currency } });
    let cases = [
        (
            json!({ "amount": 4.99 }),
            "amount is not an object: send an object, such as {\"micros\": 4990000, \"currency\": \"EUR\"}".to_owned(),
        ),
        (amount(json!(4.99), json!("EUR")), format!("amount.micros is 4.99: {micros}")),
        (amount(json!("4990000"), json!("EUR")), format!("amount.micros is \"4990000\": {micros}")),
        (amount(json!(0), json!("EUR")), format!("amount.micros is 0: {micros}")),
        (amount(json!(i64::MAX), json!("EUR")), format!("amount.micros is {}: {micros}", i64::MAX)),
        (amount(json!(1), json!("euro")), format!("amount.currency is \"euro\": {currency}")),
        (amount(json!(1), json!(978)), format!("amount.currency is 978: {currency}")),
        (json!({ "amount": { "micros": 1 } }), format!("amount.currency is missing: {currency}")),
        (
            json!({ "membership": "new" }),
            "membership is not an object: send an object, such as {\"kind\": \"new\"}".to_owned(),
        ),
        (
            json!({ "membership": { "kind": "resub" } }),
            "membership.kind is unknown: send new, gift or milestone".to_owned(),
        ),
        (
            json!({ "membership": { "type": "gift" } }),
            "membership.kind is missing: send new, gift or milestone".to_owned(),
        ),
        (
            json!({ "membership": { "kind": "gift", "count": 0 } }),
            "membership.count is 0: send a number from 1 to 10000".to_owned(),
        ),
        (
            json!({ "membership": { "kind": "milestone", "months": 1.5 } }),
            "membership.months is 1.5: send a whole number".to_owned(),
        ),
    ];
    for (fields, expected) in cases {
        let refused = parse_chat(&chat_with(&fields), NOW).expect_err("refused");
        assert_eq!(only(&refused), expected);
    }
}

#[test]
fn all_wrong_fields_of_an_amount_and_a_membership_are_told_together() {
    for (fields, expected) in [
        (json!({ "amount": { "micros": 4.99, "currency": "euro" } }), ["amount.micros", "amount.currency"]),
        (json!({ "amount": { "micros": 0, "currency": 978 } }), ["amount.micros", "amount.currency"]),
        (json!({ "amount": { "micros": 0, "currency": "euro" } }), ["amount.micros", "amount.currency"]),
        (json!({ "membership": { "kind": "resub", "count": 0 } }), ["membership.kind", "membership.count"]),
    ] {
        let refused = parse_chat(&chat_with(&fields), NOW).expect_err("refused");
        let named: Vec<_> = refused.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(named, expected, "{refused:?}");
    }
}

#[test]
fn the_id_of_a_message_is_optional_and_as_short_as_other_ids() {
    let id = |id: Value| parse_chat(&chat_with(&json!({ "id": id, "text": "hi" })), NOW);
    assert_eq!(id(json!("m1")).expect("valid").id.as_deref(), Some("m1"));
    assert_eq!(id(Value::Null).expect("valid").id, None);
    assert_eq!(only(&id(json!(7)).expect_err("refused")), "id is the number 7: quote it: \"7\"");
    assert_eq!(only(&id(json!("x".repeat(257))).expect_err("refused")), "id has 257 bytes: send at most 256");
    assert!(only(&id(json!(" ")).expect_err("refused")).starts_with("id is empty"));
}

#[test]
fn a_visibility_is_rounded_by_its_model() {
    let seen = |visibility: f64| {
        let mut frame = frame();
        frame["landmarks"][0]["visibility"] = json!(visibility);
        frame.to_string().into_bytes()
    };
    let read = |visibility| parse_pose(&seen(visibility), NOW).map(|frame| frame.landmarks[0].visibility);
    assert_eq!(read(1.000_000_1), Ok(Some(1.0)));
    assert_eq!(read(-0.000_1), Ok(Some(0.0)));
    assert!(read(1.1).is_err() && read(-0.1).is_err());
}

#[test]
fn an_event_older_than_what_is_kept_is_refused() {
    let arrival = Arrival { kept_ms: 3_600_000, ..Arrival::at(NOW) };
    assert!(parse_chat(&chat_with_timestamp(&json!(NOW - 3_600_000)), arrival).is_ok());
    let refused = parse_chat(&chat_with_timestamp(&json!(157_766_400_000_i64)), arrival).expect_err("refused");
    assert_eq!(
        only(&refused),
        "timestamp lies 51 years back, and events are kept for 60 minutes: send events while they are new, or raise \
         data.raw_retention"
    );
}

#[test]
fn exercises_are_known_under_their_usual_spellings() {
    assert_eq!(Exercise::from_name("Pull-Ups"), Exercise::PullUp);
    assert_eq!(Exercise::from_name("pushup"), Exercise::PushUp);
    assert_eq!(Exercise::from_name("SQUAT"), Exercise::Squat);
    assert_eq!(Exercise::from_name("muscle_up"), Exercise::Other);
}

#[test]
fn another_name_of_an_optional_field_is_told_and_other_fields_are_dropped() {
    let chat = |name: &str| {
        let event = json!({"stream_id": "s", "user_id": "u", "text": "hi", "timestamp": NOW, name: "Ada"});
        parse_chat(event.to_string().as_bytes(), NOW).map_err(|errors| only(&errors))
    };
    for name in ["username", "userName", "User-Name", "user_nmae", "usr_name", "name", "display-name"] {
        let told = format!("{name} is no field of this event: write it as user_name, or leave it out");
        assert_eq!(chat(name).expect_err(name), told);
    }
    for name in ["badges", "user_type", "room_name", "id", "color", "bits", "donation"] {
        assert_eq!(chat(name).expect(name).user_name, None);
    }
    for name in ["message_id", "messageId", "msg-id", "ID"] {
        let told = format!("{name} is no field of this event: write it as id, or leave it out");
        assert_eq!(chat(name).expect_err(name), told);
    }
    assert_eq!(chat("user_name").expect("a field").user_name.as_deref(), Some("Ada"));

    for name in ["duration", "durationMs", "duration_sm", "end_ms"] {
        let event = json!({"stream_id": "s", "text": "hi", "timestamp": NOW, name: 5});
        let told = only(&parse_transcript(event.to_string().as_bytes(), NOW).expect_err(name));
        assert_eq!(told, format!("{name} is no field of this event: write it as duration_ms, or leave it out"));
    }
    let mut wide = frame();
    wide["aspectRatio"] = json!(1.5);
    assert_eq!(pose_error(&wide), "aspectRatio is no field of this event: write it as aspect_ratio, or leave it out");
    for name in ["mirror", "is_mirrored", "Mirrored", "mirored"] {
        let mut seen = frame();
        seen[name] = json!(true);
        let told = format!("{name} is no field of this event: write it as mirrored, or leave it out");
        assert_eq!(pose_error(&seen), told);
    }
    let mut hidden = frame();
    for point in hidden["landmarks"].as_array_mut().expect("array") {
        point["visiblity"] = json!(0.5);
    }
    let told = "landmarks[0].visiblity is no field of this event: write it as visibility, or leave it out";
    assert_eq!(pose_error(&hidden), told);
}

#[test]
fn a_missing_field_is_found_under_another_spelling() {
    let event = json!({"streamId": "s", "user_id": "u", "text": "hi", "timestamp": NOW});
    let told = only(&parse_chat(event.to_string().as_bytes(), NOW).expect_err("refused"));
    assert_eq!(told, "stream_id is missing, but there is 'streamId': write it as stream_id");

    for name in ["timestmp", "ts", "time", "timestampMs"] {
        let event = json!({"stream_id": "s", "user_id": "u", "text": "hi", name: NOW});
        let told = only(&parse_chat(event.to_string().as_bytes(), NOW).expect_err("refused"));
        assert_eq!(told, format!("timestamp is missing, but there is '{name}': write it as timestamp"));
    }
    let event = json!({"stream_id": "s", "user_id": "u", "text": "hi"});
    let told = only(&parse_chat(event.to_string().as_bytes(), NOW).expect_err("refused"));
    assert_eq!(told, "timestamp is missing: send epoch milliseconds, such as Date.now()");
}

#[test]
fn an_id_can_stand_in_an_address_and_in_a_log() {
    let long = "x".repeat(257);
    for (id, part) in [
        ("a\0b", "control character"),
        ("a\nb", "control character"),
        ("..", "address"),
        (".", "address"),
        ("", "empty"),
        (&long, "at most 256"),
    ] {
        let event = json!({"stream_id": id, "user_id": "u", "text": "hi", "timestamp": NOW});
        let told = only(&parse_chat(event.to_string().as_bytes(), NOW).expect_err("refused"));
        assert!(told.starts_with("stream_id ") && told.contains(part), "{told}");
    }
    for id in ["...", "a b", "a/b", "\u{1f980}", "-"] {
        assert!(tidemill_schemas::validate_id("stream_id", id).is_ok(), "{id}");
    }
}

#[test]
fn a_number_beyond_64_bits_is_no_date() {
    for number in ["9223372036854775807", "9223372036854775808", "18446744073709551616", "1e300"] {
        let event = format!(r#"{{"stream_id": "s", "user_id": "u", "text": "hi", "timestamp": {number}}}"#);
        let told = only(&parse_chat(event.as_bytes(), NOW).expect_err("refused"));
        assert!(told.contains("which is no date"), "{told}");
    }
}
