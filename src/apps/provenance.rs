//! Tells how a result came about: from the report of its call, and from the reason if the call has no answer.

use serde::Deserialize;
use tidemill::{AnswerSource, CallFailure, CallReport, FailureKind};
use tidemill_schemas::{CallOutcome, InputRead, Provenance};

use super::shown::line;

/// A reason shows at most this many characters of an error's message.
const MESSAGE: usize = 200;

/// The name of the analyst that needs no model.
pub(crate) const OFFLINE: &str = "offline";

/// The largest count that a result can hold. A result with a larger one could not be written.
const COUNT: u64 = i64::MAX as u64;

/// Digits of a prompt's hash that are shown.
const HASH: usize = 6;

/// What a caller tells about its answer, as JSON. Other callers may tell something else, or nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    model: String,
    /// The prompt's name.
    prompt: String,
    version: u32,
    hash: String,
    currency: String,
}

impl Details {
    /// The prompt with its version and the begin of its hash, such as `live-insight@3 a1b2c3`.
    fn prompt(&self) -> String {
        let Self { prompt, version, hash, .. } = self;
        let version = if *version > 0 { format!("@{version}") } else { String::new() };
        let hash: String = hash.chars().take(HASH).collect();
        format!("{prompt}{version} {hash}").trim().to_owned()
    }
}

/// The provenance of a result. `answer` is the name of the analyst that answered, or the reason why none did.
pub(crate) fn provenance(report: CallReport, answer: Result<&str, &CallFailure>) -> Provenance {
    let mut details: Details = serde_json::from_str(&report.details).unwrap_or_default();
    if details.model == OFFLINE {
        // The caller was asked, but no model was.
        details = Details { currency: details.currency, ..Details::default() };
    }
    let prompt = details.prompt();
    let (outcome, reason) = match answer {
        Ok(analyst) => answered(&report, analyst),
        Err(failure) => unanswered(failure),
    };
    let model = match answer {
        Ok(analyst) if details.model.is_empty() && analyst != OFFLINE => analyst.to_owned(),
        _ => details.model,
    };
    let CallReport { route, usage, untold, latency_ms, repeated, inputs, .. } = report;
    let attempts = answer.err().map_or(report.attempts, |failure| report.attempts.max(failure.attempts));
    let input =
        |read: tidemill::InputOffset| InputRead { topic: read.topic, partition: read.partition, offset: read.offset };
    Provenance {
        outcome,
        reason,
        model,
        prompt,
        route,
        input_tokens: usage.input_tokens.min(COUNT),
        output_tokens: usage.output_tokens.min(COUNT),
        cost_micros: usage.cost_micros.min(COUNT),
        currency: details.currency,
        attempts,
        latency_ms,
        repeated,
        untold,
        inputs: inputs.into_iter().map(input).collect(),
    }
}

fn answered(report: &CallReport, analyst: &str) -> (CallOutcome, String) {
    if report.fallback > 0 {
        let who = if analyst == OFFLINE { "the built-in analyst" } else { analyst };
        let before = if report.fallback == 1 {
            "the route before it".to_owned()
        } else {
            format!("{} routes before it", report.fallback)
        };
        return (CallOutcome::Fallback, format!("Answered by {who}: {before} did not answer."));
    }
    let outcome = match report.source {
        _ if analyst == OFFLINE => CallOutcome::Offline,
        AnswerSource::Known => CallOutcome::Offline,
        AnswerSource::Called => CallOutcome::Answered,
        AnswerSource::Cached => CallOutcome::Cached,
        AnswerSource::Joined => CallOutcome::Joined,
    };
    (outcome, String::new())
}

/// The reason is for people who see the result. They see the draft of the offline analysis.
fn unanswered(CallFailure { kind, message, attempts }: &CallFailure) -> (CallOutcome, String) {
    let message = line(message, MESSAGE);
    let because = |text: &str| if message.is_empty() { format!("{text}.") } else { format!("{text}: {message}") };
    match kind {
        FailureKind::Superseded => {
            (CallOutcome::Superseded, "A newer window took this one's turn before the model answered.".to_owned())
        }
        FailureKind::Expired => (CallOutcome::Expired, "The model's answer came too late.".to_owned()),
        FailureKind::Exhausted => (CallOutcome::Exhausted, because("The limit for calls to models is used up")),
        FailureKind::Unavailable => (CallOutcome::Failed, because("No model takes calls at the moment")),
        FailureKind::Timeout => (CallOutcome::Failed, "The model did not answer in time.".to_owned()),
        FailureKind::Undecodable => (CallOutcome::Failed, because("The model's answer could not be read")),
        FailureKind::Error => {
            let times = if *attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
            (CallOutcome::Failed, because(&format!("The model did not answer after {times}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemill::{InputOffset, Usage};

    use super::*;

    fn report() -> CallReport {
        CallReport {
            route: "gemini".into(),
            attempts: 1,
            usage: Usage { input_tokens: 1_420, output_tokens: 88, cost_micros: 900 },
            latency_ms: 800,
            inputs: vec![InputOffset { topic: "live-chat".into(), partition: 2, offset: 41 }],
            details: r#"{"model":"gemini-2.5-flash","prompt":"live-insight@3 a1b2c3","currency":"EUR","turns":1}"#
                .into(),
            ..CallReport::default()
        }
    }

    fn failed(kind: FailureKind, message: &str, attempts: u32) -> Provenance {
        provenance(CallReport::default(), Err(&CallFailure { kind, message: message.into(), attempts }))
    }

    #[test]
    fn an_answer_tells_its_model_prompt_tokens_cost_and_inputs() {
        let told = provenance(report(), Ok("gemini-2.5-flash"));
        let expected = Provenance {
            outcome: CallOutcome::Answered,
            reason: String::new(),
            model: "gemini-2.5-flash".into(),
            prompt: "live-insight@3 a1b2c3".into(),
            route: "gemini".into(),
            input_tokens: 1_420,
            output_tokens: 88,
            cost_micros: 900,
            currency: "EUR".into(),
            attempts: 1,
            latency_ms: 800,
            repeated: false,
            untold: 0,
            inputs: vec![InputRead { topic: "live-chat".into(), partition: 2, offset: 41 }],
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn an_answer_of_a_caller_without_details_names_its_analyst() {
        for details in ["", "rubric-3", "[1]", "{}", r#"{"model":7}"#] {
            let told = provenance(CallReport { details: details.into(), ..report() }, Ok("gemini-2.5-flash"));
            assert_eq!((told.model.as_str(), told.prompt.as_str()), ("gemini-2.5-flash", ""), "{details}");
        }
    }

    #[test]
    fn answers_that_cost_nothing_say_where_they_come_from() {
        for (source, outcome) in
            [(AnswerSource::Cached, CallOutcome::Cached), (AnswerSource::Joined, CallOutcome::Joined)]
        {
            let report = CallReport { source, usage: Usage::default(), ..report() };
            let told = provenance(report, Ok("gemini-2.5-flash"));
            assert_eq!((told.outcome, told.cost_micros, told.reason.as_str()), (outcome, 0, ""));
        }
    }

    #[test]
    fn an_answer_of_a_later_route_is_a_fallback_with_its_reason() {
        let told = provenance(CallReport { fallback: 1, ..report() }, Ok("gemini-2.5-flash-lite"));
        assert_eq!(told.outcome, CallOutcome::Fallback);
        assert_eq!(told.reason, "Answered by gemini-2.5-flash-lite: the route before it did not answer.");
        let told = provenance(CallReport { fallback: 2, details: String::new(), ..report() }, Ok(OFFLINE));
        assert_eq!((told.outcome, told.model.as_str()), (CallOutcome::Fallback, ""));
        assert_eq!(told.reason, "Answered by the built-in analyst: 2 routes before it did not answer.");
        assert_eq!(told.cost_micros, 900, "what the routes before it cost is told");
    }

    #[test]
    fn the_offline_analysis_has_no_model_and_no_prompt() {
        let details = r#"{"prompt":"live-insight","version":3,"hash":"a1b2c3","model":"offline"}"#.into();
        let told = provenance(CallReport { attempts: 1, details, ..CallReport::default() }, Ok(OFFLINE));
        assert_eq!(told, Provenance { attempts: 1, ..Provenance::default() });
        assert_eq!(told.outcome, CallOutcome::Offline);
    }

    #[test]
    fn a_draft_tells_why_no_model_answered() {
        let told = failed(FailureKind::Superseded, "", 0);
        assert_eq!((told.outcome, told.reason.contains("newer window")), (CallOutcome::Superseded, true));
        let told = failed(FailureKind::Expired, "the deadline of 3s is over", 1);
        assert_eq!((told.outcome, told.reason.as_str()), (CallOutcome::Expired, "The model's answer came too late."));
        let told = failed(FailureKind::Exhausted, "the budget of a day is spent", 0);
        assert_eq!(told.outcome, CallOutcome::Exhausted);
        assert_eq!(told.reason, "The limit for calls to models is used up: the budget of a day is spent");
        let told = failed(FailureKind::Error, "HTTP 400\n(INVALID_ARGUMENT)", 4);
        assert_eq!((told.outcome, told.attempts), (CallOutcome::Failed, 4));
        assert_eq!(told.reason, "The model did not answer after 4 attempts: HTTP 400 (INVALID_ARGUMENT)");
        for kind in [FailureKind::Timeout, FailureKind::Undecodable, FailureKind::Unavailable] {
            let told = failed(kind, &"x".repeat(10_000), 1);
            assert_eq!(told.outcome, CallOutcome::Failed);
            assert!(told.reason.len() < 300, "{} bytes", told.reason.len());
        }
    }

    #[test]
    fn an_absurd_usage_does_not_keep_a_result_from_being_written() {
        let usage = Usage { input_tokens: u64::MAX, output_tokens: u64::MAX, cost_micros: u64::MAX };
        let told = provenance(CallReport { usage, ..report() }, Ok("gemini-2.5-flash"));
        assert!(serde_json::to_string(&told).is_ok());
        assert_eq!(told.cost_micros, i64::MAX as u64);
    }

    #[test]
    fn what_a_failed_call_has_cost_is_told() {
        let failure = CallFailure { kind: FailureKind::Expired, message: String::new(), attempts: 1 };
        let told = provenance(report(), Err(&failure));
        assert_eq!((told.cost_micros, told.model.as_str(), told.route.as_str()), (900, "gemini-2.5-flash", "gemini"));
    }
}
