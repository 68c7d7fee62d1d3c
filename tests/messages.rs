//! Chat messages as platforms send them: sent again, paid, withdrawn.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tidemill::{
    CallError, CallExecutor, CallPolicy, CallRequest, ManualClock, Reply, StreamsConfig, Windowed,
    testing::{DriverOptions, TestInputTopic, TestOutputTopic, TopologyTestDriver},
};
use tidemill_apps::apps::{
    Format,
    live_insight::{self, InsightRequest},
};
use tidemill_schemas::{Alert, CallOutcome, ClipCandidate, Insight, MoodLabel, StatementKind};

/// Midnight, 1 January 2026 UTC.
const START_MS: i64 = 1_767_225_600_000;

type Executor = CallExecutor<Windowed<String>, InsightRequest, Insight>;

/// Live insight under the test driver.
struct Live {
    driver: TopologyTestDriver,
    executor: Executor,
    /// The executor's time.
    clock: ManualClock,
    chat: TestInputTopic<String, String>,
    insights: TestOutputTopic<Windowed<String>, String>,
    alerts: TestOutputTopic<Windowed<String>, String>,
    clips: TestOutputTopic<Windowed<String>, String>,
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
        let (call, policy) =
            (live_insight::call(live_insight::APPLICATION.windows.answer_within), CallPolicy::default());
        let executor = CallExecutor::open(&call, live_insight::APPLICATION.id, log, policy, Arc::new(clock.clone()));
        Self {
            executor: executor.expect("the topics exist"),
            clock,
            chat: driver.input(live_insight::CHAT),
            insights: driver.output(live_insight::INSIGHTS),
            alerts: driver.output(live_insight::ALERTS),
            clips: driver.output(live_insight::CLIPS),
            driver,
        }
    }

    /// Sends messages of the stream `s`; `timestamp` is in milliseconds after the start.
    fn send(&self, messages: impl IntoIterator<Item = Value>) {
        for mut message in messages {
            let timestamp = START_MS + message["timestamp"].as_i64().expect("a number");
            message["timestamp"] = json!(timestamp);
            message["stream_id"] = json!("s");
            self.chat.enqueue("s".to_owned(), message.to_string(), timestamp).expect("sent");
        }
        self.driver.advance_wall_clock(Duration::ZERO).expect("steps");
    }

    /// Lets the analyst answer with the draft, changed.
    fn answer(&mut self, change: fn(&InsightRequest, &mut Insight)) {
        let mut answer = move |request: CallRequest<Windowed<String>, InsightRequest>, reply: Reply<Insight>| {
            let mut insight = request.value.draft.clone();
            change(&request.value, &mut insight);
            reply.send(Ok(insight));
        };
        for _ in 0..4 {
            self.clock.advance(Duration::from_millis(100));
            self.executor.step(&mut answer, Duration::ZERO).expect("steps");
            self.driver.advance_wall_clock(Duration::ZERO).expect("steps");
        }
    }

    /// Lets the analyst refuse every request.
    fn refuse(&mut self) {
        let mut refuse = |_: CallRequest<Windowed<String>, InsightRequest>, reply: Reply<Insight>| {
            reply.send(Err(CallError::permanent("HTTP 400")));
        };
        for _ in 0..4 {
            self.clock.advance(Duration::from_millis(100));
            self.executor.step(&mut refuse, Duration::ZERO).expect("steps");
            self.driver.advance_wall_clock(Duration::ZERO).expect("steps");
        }
    }

    /// Lets silence close what is open. Requests to the analyst wait.
    fn close(&self) {
        self.driver.advance_wall_clock(Duration::from_secs(120)).expect("steps");
    }

    /// The insights since the last call, of windows that silence closes.
    fn insights(&mut self) -> Vec<Insight> {
        self.close();
        self.answer(|_, _| {});
        self.published()
    }

    /// The insights that were published since the last call.
    fn published(&self) -> Vec<Insight> {
        let read = self.insights.read_values().expect("reads");
        read.iter().map(|text| serde_json::from_str(text).expect("an insight")).collect()
    }

    fn alerts(&self) -> Vec<Alert> {
        let read = self.alerts.read_values().expect("reads");
        read.iter().map(|text| serde_json::from_str(text).expect("an alert")).collect()
    }

    fn clips(&self) -> Vec<ClipCandidate> {
        let read = self.clips.read_values().expect("reads");
        read.iter().map(|text| serde_json::from_str(text).expect("a clip")).collect()
    }
}

/// A message of a user at a time after the start.
fn said(at_ms: i64, user: &str, text: &str) -> Value {
    json!({ "user_id": user, "user_name": user.to_uppercase(), "text": text, "timestamp": at_ms })
}

/// A message with an id.
fn with_id(id: &str, message: Value) -> Value {
    with(message, json!({ "id": id }))
}

fn with(mut message: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("an object") };
    message.as_object_mut().expect("an object").extend(more);
    message
}

/// A quiet chat: a message every second, by twenty users, in minutes `from..to`.
fn quiet(from: i64, to: i64) -> Vec<Value> {
    (from * 60..to * 60).map(|second| said(second * 1_000, &format!("u{}", second % 20), "hello there")).collect()
}

/// Forty messages in two seconds, at a second.
fn burst(second: i64, prefix: &str) -> Vec<Value> {
    let message = |number: i64| {
        let text = ["that was great", "wow nice", "what a jump", "LETS GO"][number as usize % 4];
        said(second * 1_000 + number * 50, &format!("b{number}"), text)
    };
    (0..40).map(|number| with_id(&format!("{prefix}-{number}"), message(number))).collect()
}

#[test]
fn a_batch_that_is_sent_again_counts_once() {
    let play = |times: usize| {
        let mut live = Live::start();
        for minute in 0..3 {
            live.send(quiet(minute, minute + 1));
        }
        live.send(quiet(3, 4).into_iter().take(20));
        // A burst that is no spike of its own: forty messages in a minute that usually has sixty.
        let spread = |message: Value| {
            let at_ms = 200_000 + (message["timestamp"].as_i64().expect("a number") - 200_000) * 15;
            with(message, json!({ "timestamp": at_ms }))
        };
        let batch: Vec<_> = burst(200, "batch").into_iter().map(spread).collect();
        for _ in 0..times {
            live.send(batch.clone());
        }
        live.send(quiet(4, 6));
        // The provenance tells how far the input was read, which is further.
        let insights = live.insights().into_iter().map(|insight| Insight { provenance: None, ..insight });
        (insights.collect::<Vec<_>>(), live.alerts(), live.clips())
    };
    let (once, again) = (play(1), play(4));
    assert_eq!(once.0.iter().map(|insight| insight.chats).collect::<Vec<_>>(), [60, 60, 60, 60, 60, 60]);
    assert_eq!(again, once);
    assert!(once.1.is_empty() && once.2.is_empty(), "{:?} {:?}", once.1, once.2);
}

#[test]
fn what_comes_without_an_id_counts_as_often_as_it_comes() {
    let mut live = Live::start();
    live.send([said(1_000, "u1", "hi"), said(1_000, "u1", "hi"), with_id("m1", said(1_000, "u1", "hi"))]);
    live.send([with_id("m1", said(9_000, "u1", "hi")), with_id("m2", said(9_000, "u1", "hi"))]);
    // Another time in another window is another message: what is seen there is not known any more.
    live.send([with_id("m1", said(61_000, "u1", "hi"))]);
    assert_eq!(live.insights().iter().map(|insight| insight.chats).collect::<Vec<_>>(), [4, 1]);
}

#[test]
fn support_is_counted_told_and_felt() {
    let mut live = Live::start();
    let paid = |user: &str, micros: i64, currency: &str, text: &str| {
        with(said(5_000, user, text), json!({ "amount": { "micros": micros, "currency": currency } }))
    };
    let member = |user: &str, membership: Value| {
        let mut message = with(said(6_000, user, ""), json!({ "membership": membership }));
        message.as_object_mut().expect("an object").remove("text");
        message
    };
    live.send([
        paid("ada", 4_990_000, "EUR", "keep going"),
        paid("bob", 5_000_000, "EUR", ""),
        paid("ada", 1_000_000, "EUR", ""),
        paid("cy", 500_000_000, "JPY", ""),
        member("dan", json!({ "kind": "new" })),
        member("eve", json!({ "kind": "gift", "count": 5 })),
        member("fay", json!({ "kind": "milestone", "months": 12 })),
        said(7_000, "gus", "the"),
    ]);
    let insight = live.insights().remove(0);
    let support = insight.support.expect("there was some");
    assert_eq!((support.paid, support.new_members, support.gifted_members, support.milestones), (4, 1, 5, 1));
    let sums: Vec<_> = support.sums.iter().map(|sum| (sum.currency.as_str(), sum.micros, sum.messages)).collect();
    assert_eq!(sums, [("EUR", 10_990_000, 3), ("JPY", 500_000_000, 1)]);
    let best: Vec<_> = support.sums[0].supporters.iter().map(|one| (&*one.user_name, one.micros)).collect();
    assert_eq!(best, [("ADA", 5_990_000), ("BOB", 5_000_000)]);

    assert_eq!((insight.chats, insight.users), (8, 7), "they are messages like others");
    assert!(insight.mood == MoodLabel::Happy && insight.vibe_score > 60, "{:?} {}", insight.mood, insight.vibe_score);
    assert!(insight.top_chats.iter().all(|chat| !chat.text.is_empty()), "{:?}", insight.top_chats);
    live.send([said(130_000, "gus", "the")]);
    assert_eq!(live.insights().remove(0).support, None, "nothing is told of nothing");
}

#[test]
fn a_paid_complaint_is_a_complaint() {
    let mut live = Live::start();
    let amount = json!({ "amount": { "micros": 2_000_000, "currency": "USD" } });
    live.send((0..8).map(|user| with(said(5_000, &format!("u{user}"), "this lag is awful"), amount.clone())));
    let insight = live.insights().remove(0);
    assert!(insight.vibe_score < 45, "{}", insight.vibe_score);
}

impl Live {
    /// Withdraws a part of the stream `s` at a time after the start.
    fn withdraw(&self, at_ms: i64, part: &str, id: &str) {
        let requested_ms = START_MS + at_ms;
        let withdrawal = json!({ "part": part, "id": id, "requested_ms": requested_ms });
        let withdrawals = self.driver.input::<String, String>(live_insight::WITHDRAWALS);
        withdrawals.pipe("s".to_owned(), withdrawal.to_string(), requested_ms).expect("sent");
    }

    fn speak(&self, at_ms: i64, text: &str) {
        let segment = json!({ "stream_id": "s", "text": text, "timestamp": START_MS + at_ms, "duration_ms": 2_000 });
        let speech = self.driver.input::<String, String>(live_insight::TRANSCRIPT);
        speech.pipe("s".to_owned(), segment.to_string(), START_MS + at_ms).expect("sent");
    }

    /// The number of rows of the stores that withdrawals need.
    fn rows(&self) -> [usize; 2] {
        ["withdrawn", "published"].map(|name| {
            let store = self.driver.window_store::<String, String>(name, 0).expect("runs").expect("there");
            store.all().count()
        })
    }
}

/// Ten viewers, one of them with a message that must not be shown, answer a phrase.
fn answers() -> Vec<Value> {
    let mut chats: Vec<_> = (0..10)
        .map(|user| with_id(&format!("m{user}"), said(6_000 + user, &format!("u{user}"), "hello jump")))
        .collect();
    chats.push(with_id("secret", said(7_000, "doxxer", "SECRET ADDRESS is awful awful")));
    chats.push(with_id("second", said(7_500, "doxxer", "love it")));
    chats
}

fn shows(insight: &Insight, text: &str) -> bool {
    serde_json::to_string(insight).expect("serialises").contains(text)
}

#[test]
fn what_is_withdrawn_while_its_window_is_open_is_left_out() {
    let mut live = Live::start();
    live.speak(5_000, "Look at that.");
    live.send(answers());
    live.withdraw(20_000, "chat", "secret");
    // A message may arrive after its withdrawal.
    live.send([with_id("late", said(8_000, "u1", "SECRET again"))]);
    live.withdraw(20_000, "chat", "late");
    live.withdraw(20_000, "chat", "unknown");
    let insight = live.insights().remove(0);
    assert_eq!((insight.chats, insight.withdrawn), (11, 2));
    assert!(!shows(&insight, "SECRET") && shows(&insight, "DOXXER"), "{insight:?}");
    live.withdraw(80_000, "chat", "secret");
    assert_eq!(live.published(), [], "nothing of it was shown");
}

#[test]
fn a_banned_viewer_is_left_out_and_comes_back_with_what_is_written_later() {
    let mut live = Live::start();
    live.send(answers());
    live.withdraw(20_000, "viewers", "doxxer");
    // Two minutes are for collectors whose clock is ahead.
    live.send([said(139_000, "doxxer", "SECRET"), said(139_000, "u1", "hi")]);
    live.send([said(200_000, "doxxer", "sorry")]);
    let told: Vec<_> = live.insights().iter().map(|insight| (insight.chats, insight.withdrawn)).collect();
    assert_eq!(told, [(10, 2), (1, 1), (1, 0)]);
}

#[test]
fn a_published_insight_loses_what_is_withdrawn_and_is_published_again() {
    let mut live = Live::start();
    live.speak(5_000, "Look at that.");
    live.send(answers());
    let before = live.insights().remove(0);
    assert!(before.phrases[0].samples.iter().any(|text| text.contains("SECRET")), "{before:?}");
    assert!(before.top_chats.iter().any(|chat| chat.text.contains("SECRET")), "{before:?}");

    live.withdraw(90_000, "chat", "secret");
    let [after] = &live.published()[..] else { panic!("once") };
    assert!(!shows(after, "SECRET") && shows(after, "DOXXER"), "{after:?}");
    assert_eq!((after.window_start_ms, after.chats, after.withdrawn), (before.window_start_ms, before.chats, 1));
    live.withdraw(90_000, "chat", "secret");
    assert_eq!(live.published(), [], "once is enough");

    live.withdraw(91_000, "viewers", "doxxer");
    let [after] = &live.published()[..] else { panic!("once") };
    assert!(!shows(after, "DOXXER") && !shows(after, "doxxer") && !shows(after, "love it"), "{after:?}");
    assert_eq!(after.withdrawn, 2);
    // A text of many stays while one of them is left.
    for user in 0..9 {
        live.withdraw(92_000, "chat", &format!("m{user}"));
    }
    let shown = |insight: &Insight| insight.phrases[0].samples.contains(&"hello jump".to_owned());
    assert!(live.published().iter().all(shown));
    live.withdraw(93_000, "chat", "m9");
    assert!(!live.published().iter().any(shown), "nobody else wrote it");
}

#[test]
fn a_topic_that_only_withdrawn_viewers_wrote_about_is_unsaid() {
    let mut live = Live::start();
    live.send((0..5).map(|user| said(1_000 + user, &format!("u{user}"), "hm")));
    live.send((0..5).map(|bot| said(2_000 + bot, &format!("bot{bot}"), &format!("badword raid {bot}"))));
    let before = live.insights().remove(0);
    assert!(before.hot_topics.iter().any(|topic| topic.term.contains("badword")), "{before:?}");
    assert!(before.instruction.contains("badword"), "{}", before.instruction);
    for bot in 0..5 {
        live.withdraw(90_000, "viewers", &format!("bot{bot}"));
    }
    let after = live.published().pop().expect("published again");
    assert!(!shows(&after, "badword"), "{after:?}");
    assert!(after.instruction.starts_with("Carry on: "), "{}", after.instruction);
}

#[test]
fn a_withdrawn_topic_from_right_to_left_is_unsaid_as_well() {
    let mut live = Live::start();
    live.send(
        (0..12).map(|user| with_id(&format!("m{user}"), said(1_000 + user, &format!("u{user}"), "המפלצת המפלצת"))),
    );
    let before = live.insights().remove(0);
    assert!(before.instruction.contains("המפלצת"), "{}", before.instruction);
    for user in 0..12 {
        live.withdraw(90_000, "chat", &format!("m{user}"));
    }
    let after = live.published().pop().expect("published again");
    assert!(!shows(&after, "המפלצת"), "{after:?}");
}

#[test]
fn a_banned_viewers_name_goes_though_it_had_marks_of_a_direction() {
    let mut live = Live::start();
    live.speak(5_000, "Look at that.");
    live.send(answers());
    let named = |user: &str, name: &str| with(said(7_000, user, "wow nice"), json!({ "user_name": name }));
    live.send([named("evil", "\u{202e}evilname\u{200f}"), named("good", "Good")]);
    let before = live.insights().remove(0);
    assert!(shows(&before, "evilname"), "{before:?}");
    live.withdraw(90_000, "viewers", "evil");
    let after = live.published().pop().expect("published again");
    assert!(!shows(&after, "evilname"), "{after:?}");
}

#[test]
fn an_answer_that_comes_after_the_withdrawal_does_not_bring_the_text_back() {
    let quote = |request: &InsightRequest, insight: &mut Insight| {
        insight.analyst = "model".to_owned();
        let read = request.window.chats.iter().any(|chat| chat.text.contains("SECRET"));
        insight.instruction = if read { "Say something about SECRET." } else { "Carry on." }.to_owned();
        insight.hot_topics.clear();
    };
    let mut live = Live::start();
    live.speak(5_000, "Look at that.");
    live.send(answers());
    live.close();
    live.withdraw(70_000, "chat", "secret");
    live.answer(quote);
    let [insight] = &live.published()[..] else { panic!("once") };
    assert!(!shows(insight, "SECRET"), "{insight:?}");
    assert_eq!((insight.chats, insight.withdrawn, insight.analyst.as_str()), (12, 1, "model"));
    assert!(!insight.hot_topics.is_empty() && !insight.instruction.is_empty(), "the draft's words: {insight:?}");

    // The same after the answer was published.
    let mut live = Live::start();
    live.send(answers());
    live.close();
    live.answer(quote);
    assert!(shows(&live.published()[0], "SECRET"));
    live.withdraw(70_000, "chat", "m3");
    let [insight] = &live.published()[..] else { panic!("once") };
    assert!(insight.instruction != "Say something about SECRET.", "a model may quote all that it read: {insight:?}");
}

/// The texts of the messages behind the statements of a kind.
fn behind(insight: &Insight, kind: StatementKind) -> Vec<&str> {
    let is_behind = |line: &&tidemill_schemas::EvidenceLine| line.behind.iter().any(|statement| statement.kind == kind);
    insight.evidence.iter().filter(is_behind).map(|line| &*line.text).collect()
}

#[test]
fn withdrawn_messages_and_viewers_leave_the_evidence() {
    let mut live = Live::start();
    live.speak(5_000, "Look at that.");
    live.send(answers());
    let before = live.insights().remove(0);
    assert!(behind(&before, StatementKind::Phrase).contains(&"SECRET ADDRESS is awful awful"), "{before:?}");
    assert!(behind(&before, StatementKind::Phrase).contains(&"love it"), "{before:?}");
    live.withdraw(90_000, "chat", "secret");
    let [after] = &live.published()[..] else { panic!("once") };
    let lines = behind(after, StatementKind::Phrase);
    assert!(!lines.iter().any(|text| text.contains("SECRET")) && lines.contains(&"love it"), "{after:?}");
    live.withdraw(91_000, "viewers", "doxxer");
    let [after] = &live.published()[..] else { panic!("once") };
    assert!(after.evidence.iter().all(|line| line.user_id != "doxxer") && !after.evidence.is_empty(), "{after:?}");
}

#[test]
fn a_withdrawn_topic_leaves_the_evidence_and_so_does_what_the_instruction_was_about() {
    let mut live = Live::start();
    live.send((0..5).map(|user| said(1_000 + user, &format!("u{user}"), "hm")));
    live.send((0..2).map(|bot| said(2_000 + bot, &format!("bot{bot}"), &format!("badword raid {bot}"))));
    live.send([said(3_000, "fan", "badword raid is no nice word")]);
    let before = live.insights().remove(0);
    assert!(!behind(&before, StatementKind::HotTopic).is_empty(), "{before:?}");
    assert!(behind(&before, StatementKind::Instruction).contains(&"badword raid is no nice word"), "{before:?}");
    for bot in 0..2 {
        live.withdraw(90_000, "viewers", &format!("bot{bot}"));
    }
    let after = live.published().pop().expect("published again");
    assert!(after.instruction.starts_with("Carry on: "), "{}", after.instruction);
    assert!(behind(&after, StatementKind::Instruction).is_empty(), "{after:?}");
    assert!(after.evidence.is_empty(), "one author is no topic, and its message explains nothing any more: {after:?}");
}

#[test]
fn a_models_words_lead_to_the_messages_it_read_until_one_is_withdrawn() {
    let speak = |_: &InsightRequest, insight: &mut Insight| {
        insight.analyst = "model".to_owned();
        insight.instruction = "Thank them for the love.".to_owned();
        insight.hot_topics.truncate(1);
        insight.hot_topics[0].term = "Secret Address".to_owned();
    };
    let mut live = Live::start();
    live.speak(5_000, "Look at that.");
    live.send(answers());
    live.close();
    live.answer(speak);
    let [before] = &live.published()[..] else { panic!("once") };
    assert_eq!(behind(before, StatementKind::HotTopic), ["SECRET ADDRESS is awful awful"]);
    assert!(before.evidence.len() <= 60 && !behind(before, StatementKind::Phrase).is_empty(), "{before:?}");
    live.withdraw(70_000, "chat", "secret");
    let [after] = &live.published()[..] else { panic!("once") };
    assert!(!shows(after, "SECRET") && !shows(after, "Secret Address"), "{after:?}");
    assert!(behind(after, StatementKind::HotTopic).contains(&"hello jump"), "the draft's evidence: {after:?}");
}

#[test]
fn an_insight_tells_whether_a_model_answered_and_why_not() {
    let mut live = Live::start();
    live.send(answers());
    let told = live.insights().remove(0).provenance.expect("told");
    assert_eq!((told.outcome, told.model.as_str()), (CallOutcome::Offline, ""));
    live.send(answers().into_iter().map(|chat| with(chat, json!({ "timestamp": 130_000 }))));
    live.close();
    live.answer(|_, insight| insight.analyst = "gemini-2.5-flash".to_owned());
    let told = live.published().remove(0).provenance.expect("told");
    assert_eq!((told.outcome, told.model.as_str()), (CallOutcome::Answered, "gemini-2.5-flash"));
    live.send(answers().into_iter().map(|chat| with(chat, json!({ "timestamp": 260_000 }))));
    live.close();
    live.refuse();
    let draft = live.published().remove(0);
    let told = draft.provenance.expect("told");
    assert_eq!((told.outcome, told.attempts, draft.analyst.as_str()), (CallOutcome::Failed, 1, "offline"));
    assert_eq!(told.reason, "The model did not answer after 1 attempt: HTTP 400");
}

#[test]
fn withdrawals_are_forgotten_with_time_and_with_their_stream() {
    let mut live = Live::start();
    live.send(answers());
    assert_eq!(live.insights().len(), 1);
    live.withdraw(70_000, "chat", "secret");
    live.published();
    assert_eq!(live.rows(), [1, 1]);
    let erasures = live.driver.input::<String, String>(live_insight::ERASURES);
    erasures.pipe("s".into(), json!({ "requested_ms": 99_999 }).to_string(), START_MS + 99_999).expect("erased");
    assert_eq!(live.rows(), [0, 0]);

    live.send([with_id("m", said(120_000, "u", "here again"))]);
    live.withdraw(121_000, "chat", "other");
    assert_eq!(live.insights().len(), 1);
    assert_eq!(live.rows(), [1, 1]);
    let later = 3_600_000 * 2;
    live.send([said(later, "u", "much later")]);
    assert_eq!(live.rows(), [0, 0]);
    live.withdraw(later, "chat", "m");
    assert_eq!(live.published(), [], "the window is too old");
}

#[test]
fn a_crash_changes_nothing_of_a_withdrawal() {
    let play = |crash: bool| {
        let mut live = Live::start();
        live.speak(5_000, "Look at that.");
        live.send(answers());
        let mut all = live.insights();
        for (at_ms, part, id) in [(70_000, "chat", "secret"), (71_000, "viewers", "doxxer"), (72_000, "chat", "m1")] {
            live.withdraw(at_ms, part, id);
            if crash {
                live.driver.crash();
            }
        }
        live.send([with_id("m1", said(80_000, "u1", "again")), said(80_000, "u2", "hi")]);
        all.extend(live.published());
        all.extend(live.insights());
        all
    };
    assert_eq!(play(true), play(false));
}
