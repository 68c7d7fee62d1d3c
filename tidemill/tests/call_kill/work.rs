//! The application that is killed: windows of chat, each asked about once, and the limits of its calls.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill::{
    AsyncCall, BreakerPolicy, CallPolicy, CallReport, Limit, Route, StreamsBuilder, TimeWindows, Topology,
    TopologyError, WhenExhausted, Windowed,
    llm::{ModelTask, Price, Prompt},
    transport::{Headers, ProducerRecord},
};

pub(crate) const APP: &str = "called";
pub(crate) const INPUT: &str = "chat";
pub(crate) const OUTPUT: &str = "moods";
pub(crate) const PARTITIONS: i32 = 6;
/// The route with a budget, and the one that is taken when it is used up.
pub(crate) const ROUTES: [&str; 2] = ["large", "small"];
/// One micro for a token of input, two for one of output: the server and the program round alike.
pub(crate) const MICROS: (u64, u64) = (1_000_000, 2_000_000);

const USERS: i64 = 4;
const WINDOW_MS: i64 = 10_000;
/// An attempt may take this long, in real time.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(1_000);

/// What differs between runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Attempts at the same time, of all instances.
    pub(crate) in_flight: u64,
    /// Attempts at the same time in one instance.
    pub(crate) in_flight_each: usize,
    /// Tokens an hour on the first route.
    pub(crate) tokens_per_hour: u64,
    /// How much faster than the machine's clock the executors' clock is.
    pub(crate) speed: u32,
}

impl Plan {
    pub(crate) fn policy(&self) -> CallPolicy {
        let real = |duration: Duration| duration * self.speed;
        let breaker = BreakerPolicy {
            failures: 6,
            open_for: real(Duration::from_millis(200)),
            longest: real(Duration::from_millis(800)),
            ..BreakerPolicy::default()
        };
        CallPolicy {
            max_in_flight: self.in_flight_each,
            timeout: real(TIMEOUT),
            max_attempts: 3,
            first_backoff: real(Duration::from_millis(40)),
            max_backoff: real(Duration::from_millis(300)),
            routes: ROUTES.map(|name| Route { breaker: Some(breaker.clone()), ..Route::named(name) }).into(),
            limits: vec![
                Limit::in_flight(self.in_flight),
                Limit::tokens_per_hour(self.tokens_per_hour).of_route(ROUTES[0]),
            ],
            when_exhausted: WhenExhausted::Fallback,
            ..CallPolicy::default()
        }
    }
}

pub(crate) fn call() -> AsyncCall<Windowed<String>, Vec<String>, String> {
    AsyncCall::named("mood")
}

pub(crate) fn topology() -> Result<Topology, TopologyError> {
    let windows = TimeWindows::of_size_and_grace(Duration::from_millis(WINDOW_MS as u64), Duration::ZERO);
    let builder = StreamsBuilder::new();
    let talk = builder.stream::<String, String>(INPUT).group_by_key().windowed_by(windows).collect("talk");
    let answers = talk.map_async(&call());
    answers.map_values(|it| Effect::new(&it.request, it.outcome.map_err(|no| no.to_string()), it.report)).to(OUTPUT);
    builder.build()
}

/// What the application emits for a window.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Effect {
    pub(crate) name: String,
    pub(crate) outcome: Result<String, String>,
    pub(crate) report: CallReport,
}

impl Effect {
    #[allow(clippy::new_ret_no_self, reason = "it goes out as text")]
    fn new(talk: &[String], outcome: Result<String, String>, report: CallReport) -> String {
        let effect = Self { name: name_of(talk), outcome, report };
        serde_json::to_string(&effect).expect("texts and numbers are JSON")
    }
}

/// The window's name, which each of its chats begins with: `p3-u1-w17`.
pub(crate) fn name_of(talk: &[String]) -> String {
    talk.first().and_then(|chat| chat.split(' ').next()).unwrap_or_default().to_owned()
}

/// The window's name somewhere in a prompt.
pub(crate) fn name_within(text: &str) -> Option<String> {
    let is_name = |word: &&str| word.starts_with('p') && word.contains("-u") && word.contains("-w");
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').find(is_name).map(ToOwned::to_owned)
}

/// The partition in a window's name.
pub(crate) fn partition_of(name: &str) -> i32 {
    name[1..].split('-').next().and_then(|number| number.parse().ok()).expect("names begin with their partition")
}

/// The chats of one window of every user. They close the windows before.
pub(crate) fn portion(number: i64) -> Vec<ProducerRecord> {
    let mut records = Vec::new();
    for partition in 0..PARTITIONS {
        for (chat, user) in (0..2).flat_map(|chat| (0..USERS).map(move |user| (chat, user))) {
            let key = format!("p{partition}-u{user}");
            let value = format!("{key}-w{number} says the {chat}. thing");
            records.push(ProducerRecord {
                topic: INPUT.into(),
                partition,
                timestamp: number * WINDOW_MS + chat * 1_000 + user,
                key: Some(Bytes::from(key)),
                value: Some(Bytes::from(value)),
                headers: Headers::new(),
            });
        }
    }
    records
}

/// The names of all windows that so many portions close.
pub(crate) fn windows(portions: i64) -> BTreeSet<String> {
    let users = (0..PARTITIONS).flat_map(|partition| (0..USERS).map(move |user| (partition, user)));
    let numbers =
        move |(partition, user)| (0..portions - 1).map(move |number| format!("p{partition}-u{user}-w{number}"));
    users.flat_map(numbers).collect()
}

/// What the model is asked.
pub(crate) struct Mood(Prompt);

impl Mood {
    pub(crate) fn new() -> Self {
        let text = r#"
            name = "mood"
            version = 1
            system = "You judge the mood of a chat."
            task = "Say in a few words how the people feel."
            max_output_tokens = 60
            [output]
            type = "object"
            required = ["mood"]
            properties.mood = { type = "string", maxLength = 40 }
        "#;
        Self(Prompt::parse(text).expect("the prompt of this test is right"))
    }
}

impl ModelTask<Windowed<String>, Vec<String>, String> for Mood {
    fn prompt(&self) -> &Prompt {
        &self.0
    }

    fn data(&self, _key: &Windowed<String>, talk: &Vec<String>) -> Value {
        json!({ "talk": talk })
    }

    fn answer(&self, _talk: &Vec<String>, output: Value, _model: &str) -> Result<String, String> {
        output["mood"].as_str().map(ToOwned::to_owned).ok_or_else(|| "mood: a text is missing".to_owned())
    }
}

pub(crate) fn price() -> Price {
    Price::per_million(MICROS.0, MICROS.1)
}
