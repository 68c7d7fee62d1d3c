//! The topology tells a shift of the mood while its window is open, once, whatever crashes.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tidemill::{
    CallExecutor, CallPolicy, CallRequest, ManualClock, Reply, StreamsConfig, Windowed,
    testing::{DriverOptions, TestInputTopic, TestOutputTopic, TopologyTestDriver},
};
use tidemill_apps::apps::{
    Format,
    live_insight::{self, InsightRequest},
    recordings::LiveTruth,
};
use tidemill_schemas::{Alert, AlertKind, Insight};

const STREAM: &str = "thursday-speedrun";

/// Live insight under the test driver, its drafts answered as they are.
struct Live {
    driver: TopologyTestDriver,
    executor: CallExecutor<Windowed<String>, InsightRequest, Insight>,
    /// The executor's time.
    clock: ManualClock,
    chat: TestInputTopic<String, String>,
    speech: TestInputTopic<String, String>,
    alerts: TestOutputTopic<Windowed<String>, String>,
    insights: TestOutputTopic<Windowed<String>, String>,
}

impl Live {
    fn start() -> Self {
        let topology = live_insight::topology(&live_insight::APPLICATION.windows, &Format::Json).expect("valid");
        let config = StreamsConfig::new(live_insight::APPLICATION.id);
        let driver = TopologyTestDriver::with(&topology, DriverOptions { config, ..DriverOptions::default() });
        let driver = driver.expect("starts");
        // The call's topics come with the first step.
        driver.advance_wall_clock(Duration::ZERO).expect("steps");
        let (log, clock) = (Arc::new(driver.log().clone()), ManualClock::new(0));
        let executor = CallExecutor::open(
            &live_insight::call(live_insight::APPLICATION.windows.answer_within),
            live_insight::APPLICATION.id,
            log,
            CallPolicy::default(),
            Arc::new(clock.clone()),
        );
        Self {
            executor: executor.expect("the topics exist"),
            clock,
            chat: driver.input(live_insight::CHAT),
            speech: driver.input(live_insight::TRANSCRIPT),
            alerts: driver.output(live_insight::ALERTS),
            insights: driver.output(live_insight::INSIGHTS),
            driver,
        }
    }

    fn send(&self, topic: &str, event: &Value) {
        let input = if topic == live_insight::CHAT { &self.chat } else { &self.speech };
        let stream = event["stream_id"].as_str().expect("text").to_owned();
        input.enqueue(stream, event.to_string(), event["timestamp"].as_i64().expect("a number")).expect("sent");
    }

    /// `user` writes to a stream at a second.
    fn say(&self, second: i64, user: &str, text: &str) {
        let chat = json!({ "stream_id": "s", "user_id": user, "text": text, "timestamp": second * 1_000 });
        self.send(live_insight::CHAT, &chat);
    }

    /// Processes what waits; what was told and which windows were analysed since.
    fn run(&mut self) -> (Vec<Alert>, Vec<Insight>) {
        self.driver.advance_wall_clock(Duration::ZERO).expect("steps");
        let mut answer = |request: CallRequest<Windowed<String>, InsightRequest>, reply: Reply<Insight>| {
            reply.send(Ok(request.value.draft));
        };
        self.clock.advance(Duration::from_millis(100));
        for _ in 0..4 {
            self.executor.step(&mut answer, Duration::ZERO).expect("steps");
        }
        let parse = |text: &String| serde_json::from_str(text).expect("an alert");
        let alerts = self.alerts.read_values().expect("reads").iter().map(parse).collect();
        let parse = |text: &String| serde_json::from_str(text).expect("an insight");
        (alerts, self.insights.read_values().expect("reads").iter().map(parse).collect())
    }

    /// Lets silence close what is open.
    fn fall_silent(&mut self) -> (Vec<Alert>, Vec<Insight>) {
        self.driver.advance_wall_clock(Duration::from_secs(60)).expect("steps");
        let (mut alerts, mut insights) = self.run();
        for _ in 0..3 {
            let (more, of) = self.run();
            alerts.extend(more);
            insights.extend(of);
        }
        (alerts, insights)
    }
}

fn recording(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/apps/live_insight/recordings").join(name);
    std::fs::read_to_string(path).expect("recording exists")
}

/// All alerts with the number of insights that were there before, and all insights of the recording.
fn play(crash_every: Option<usize>) -> (Vec<(usize, Alert)>, Vec<Insight>) {
    let mut events: Vec<(i64, &str, Value)> = Vec::new();
    for (topic, name) in [(live_insight::CHAT, "chat.ndjson"), (live_insight::TRANSCRIPT, "transcript.ndjson")] {
        for line in recording(name).lines() {
            let event: Value = serde_json::from_str(line).expect("JSON");
            events.push((event["timestamp"].as_i64().expect("a number"), topic, event));
        }
    }
    events.sort_by_key(|(at, _, _)| *at);
    let mut live = Live::start();
    let (mut alerts, mut insights) = (Vec::new(), Vec::new());
    let mut take = |(told, of): (Vec<Alert>, Vec<Insight>)| {
        alerts.extend(told.into_iter().map(|alert| (insights.len(), alert)));
        insights.extend(of);
    };
    for (number, second) in events.chunk_by(|a, b| a.0 / 1_000 == b.0 / 1_000).enumerate() {
        for (_, topic, event) in second {
            live.send(topic, event);
        }
        if crash_every.is_some_and(|every| number % every == 0) {
            live.driver.crash();
        }
        take(live.run());
    }
    take(live.fall_silent());
    (alerts, insights)
}

#[test]
fn the_planted_change_of_mood_is_told_in_its_open_window_and_once() {
    let truth: LiveTruth = serde_json::from_str(&recording("truth.json")).expect("truth parses");
    let (alerts, insights) = play(None);
    let starts: Vec<_> = insights.iter().map(|insight| (insight.window_start_ms - truth.start_ms) / 1_000).collect();
    assert_eq!(insights.len(), truth.windows, "{starts:?}");
    let drops: Vec<_> = alerts.iter().filter(|(_, alert)| alert.kind == AlertKind::MoodDrop).collect();
    let [(windows_before, drop)] = drops[..] else { panic!("{drops:?}") };
    assert!((0..20_000).contains(&(drop.at_ms - truth.mood_drop.at_ms)), "{drop:?}");
    assert!(*windows_before <= truth.mood_drop.window, "told after its window had closed");
    assert_eq!((drop.stream_id.as_str(), drop.ahead), (STREAM, true));

    let of_window = &insights[truth.mood_drop.window].alerts;
    let carried: Vec<_> = of_window.iter().filter(|alert| alert.kind == AlertKind::MoodDrop).collect();
    assert_eq!(carried.len(), 1);
    assert_eq!((carried[0].at_ms, carried[0].ahead), (drop.at_ms, true));
    assert!(carried[0].message.contains(&truth.mood_drop.about), "{}", carried[0].message);
    let recovered = alerts.iter().find(|(_, alert)| alert.kind == AlertKind::MoodRise && alert.at_ms > drop.at_ms);
    assert!(recovered.is_some(), "the recovery is told, too");

    let named = |alert: &Alert| (alert.at_ms, alert.kind as i64);
    let mut told: Vec<_> = alerts.iter().map(|(_, alert)| named(alert)).collect();
    let mut carried: Vec<_> = insights.iter().flat_map(|insight| insight.alerts.iter().map(named)).collect();
    told.sort_unstable();
    carried.sort_unstable();
    assert_eq!(told, carried, "each alert is told as often as it stands in an insight: once for each window");
}

#[test]
fn crashes_change_no_alert() {
    let alerts = |crash_every| play(crash_every).0.into_iter().map(|(_, alert)| alert).collect::<Vec<_>>();
    assert_eq!(alerts(Some(7)), alerts(None));
}

#[test]
fn two_trolls_raise_no_alarm() {
    let mut live = Live::start();
    let mut told = Vec::new();
    for second in 0..300 {
        live.say(second, &format!("viewer-{}", second % 15), "nice one");
        if second > 200 {
            (0..5).for_each(|_| live.say(second, &format!("troll-{}", second % 2), "worst garbage stream, idiot"));
        }
        told.extend(live.run().0);
    }
    told.extend(live.fall_silent().0);
    let is_shift = |alert: &Alert| matches!(alert.kind, AlertKind::MoodDrop | AlertKind::MoodRise);
    assert_eq!(told.into_iter().filter(is_shift).collect::<Vec<_>>(), []);
}

#[test]
fn a_crowd_too_small_for_the_watch_is_told_by_its_window() {
    let mut live = Live::start();
    let mut told = Vec::new();
    for second in 0..300 {
        let text = if second < 240 { "nice one" } else { "awful, this is so bad" };
        live.say(second, &format!("viewer-{}", second % 6), text);
        told.extend(live.run().0);
    }
    told.extend(live.fall_silent().0);
    let drops: Vec<_> = told.iter().filter(|alert| alert.kind == AlertKind::MoodDrop).collect();
    let [drop] = drops[..] else { panic!("{drops:?}") };
    assert!(!drop.ahead && (235_000..=245_000).contains(&drop.at_ms), "{drop:?}");
}

#[test]
fn a_forgotten_stream_is_watched_anew() {
    let mut live = Live::start();
    let crowd = |live: &mut Live, seconds: std::ops::Range<i64>, text: &str| {
        for second in seconds {
            (0..10).for_each(|user| live.say(second, &format!("viewer-{user}"), text));
        }
        live.run().0.into_iter().filter(|alert| alert.kind == AlertKind::MoodDrop).count()
    };
    let rows = |live: &Live| {
        let voices = live.driver.window_store::<String, String>("mood-voices", 0).expect("runs").expect("there");
        let moods = live.driver.key_value_store::<String, String>("mood", 0).expect("runs").expect("there");
        voices.all().count() + moods.all().count()
    };
    assert_eq!(crowd(&mut live, 0..100, "love it"), 0);
    assert!(rows(&live) > 20);
    let erasures = live.driver.input::<String, String>(live_insight::ERASURES);
    erasures.pipe("s".into(), json!({ "requested_ms": 99_999 }).to_string(), 99_999).expect("erased");
    assert_eq!(rows(&live), 0);
    assert_eq!(crowd(&mut live, 100..120, "awful"), 0, "nothing is usual any more");
}
