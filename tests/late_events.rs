//! Events that come after their window had closed: senders and pages are told how many, and by how much.

use std::{error::Error, time::Duration};

use serde_json::json;
use tidemill::{
    Windowed,
    testing::{TestOutputTopic, TopologyTestDriver},
};
use tidemill_apps::apps::{App, Format, LateEvents, form_coach, live_insight};

type Tested = Result<(), Box<dyn Error>>;

const START_MS: i64 = 1_767_225_600_000;

fn driver(app: App) -> Result<TopologyTestDriver, Box<dyn Error>> {
    Ok(TopologyTestDriver::new(&(app.topology)(&app.windows, &Format::Json)?)?)
}

type Reports = TestOutputTopic<Windowed<String>, LateEvents>;
/// Owner, input, number, and how far behind in milliseconds.
type Told = (String, String, u64, i64);

/// The reports since the last call.
fn reports(driver: &TopologyTestDriver, late: &Reports) -> Result<Vec<Told>, Box<dyn Error>> {
    driver.advance_wall_clock(Duration::from_secs(1))?;
    let told = |late: LateEvents| (late.id, late.input, late.events, late.behind_ms);
    Ok(late.read_values()?.into_iter().map(told).collect())
}

/// A chat message or a segment of speech.
fn said(stream: &str, at_ms: i64) -> (String, String, i64) {
    let timestamp = START_MS + at_ms;
    let event = json!({ "stream_id": stream, "user_id": "u", "text": "hello", "timestamp": timestamp });
    (stream.into(), event.to_string(), timestamp)
}

#[test]
fn a_connector_that_is_behind_is_told_how_far() -> Tested {
    let driver = driver(&live_insight::APPLICATION)?;
    let chats = driver.input::<String, String>(live_insight::CHAT);
    let speeches = driver.input::<String, String>(live_insight::TRANSCRIPT);
    let late = driver.output(live_insight::LATE);
    // The minute ends at 60 s and has two seconds of grace. Speech comes 40 s behind chat.
    chats.pipe_all([said("ada", 0), said("ada", 61_000), said("bob", 1_000), said("ada", 90_000)])?;
    speeches.pipe_all([said("ada", 50_000), said("ada", 55_000), said("ada", 61_000), said("bob", 500)])?;
    chats.pipe_all([said("ada", 59_999)])?;
    let told = reports(&driver, &late)?;
    let expected = [("ada".into(), "transcript".into(), 2, 40_000), ("ada".into(), "chat".into(), 1, 30_001)];
    assert_eq!(told, expected);
    assert!(reports(&driver, &late)?.is_empty(), "each late event is reported once");
    chats.pipe_all([said("ada", 1_000)])?;
    assert_eq!(reports(&driver, &late)?, [("ada".into(), "chat".into(), 1, 89_000)]);
    Ok(())
}

#[test]
fn an_athlete_whose_second_phone_is_behind_is_told() -> Tested {
    let driver = driver(&form_coach::APPLICATION)?;
    let frames = driver.input::<String, String>(form_coach::POSE);
    let frame = |user: &str, at_ms: i64| {
        let landmarks: Vec<_> = (0..33).map(|part| (part, 0.5, 0.5, 0.0, 0.9)).collect();
        let frame = json!({
            "user_id": user, "exercise": "squat", "timestamp": START_MS + at_ms, "landmarks": landmarks,
        });
        (user.to_owned(), frame.to_string(), START_MS + at_ms)
    };
    frames.pipe_all([frame("eve", 0), frame("eve", 10_000), frame("eve", 1_000), frame("max", 1_000)])?;
    assert_eq!(reports(&driver, &driver.output(form_coach::LATE))?, [("eve".into(), "pose".into(), 1, 9_000)]);
    Ok(())
}
