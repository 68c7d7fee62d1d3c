//! The model: what it does with a request, as a pure function of the request, the schedule and the fault.

use std::time::Duration;

use serde_json::{Value, json};

use crate::asked::{Asked, Form, ToolChoice};
use crate::draw::Draw;
use crate::refusal::Refusal;
use crate::reply::{Answer, Course, Finish, Reply, ToolCall, Usage};
use crate::schedule::{Fault, Hint, Schedule};
use crate::schema::{self, Maker};
use crate::tokens::{self, tokens};

/// What a model says that does not find an end, and where it ends if the request does not say.
const LOOP: &str = " and so on,";
const LOOP_TOKENS: u64 = 4_096;

/// Which asking of which id this is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) id: &'a str,
    pub(crate) number: u64,
}

/// What the model does, and how its answer gets to the client.
pub(crate) fn reply(asked: &Asked, schedule: &Schedule, fault: Option<Fault>, asking: Asking<'_>) -> (Reply, Course) {
    let prompt_only = Usage { prompt: asked.prompt_tokens(), ..Usage::default() };
    let refused = |refusal| (Reply::Refused(refusal), Course::Whole);
    let Some(fault) = fault else {
        return (Reply::Answer(answer(asked, schedule, None, asking)), Course::Whole);
    };
    let course = match fault {
        Fault::RateLimited => return refused(rate_limited(schedule, asking)),
        Fault::OutOfCredit => return refused(Refusal::OutOfCredit),
        Fault::InternalError => return refused(Refusal::Internal),
        Fault::Unavailable => return refused(Refusal::Unavailable),
        Fault::GatewayPage => return refused(Refusal::GatewayPage),
        Fault::OkError if !asked.stream => return (Reply::OkError, Course::Whole),
        Fault::BlockedPrompt => return (Reply::BlockedPrompt(prompt_only), Course::Whole),
        Fault::Empty => return (Reply::Empty(prompt_only), Course::Whole),
        Fault::Hang => return (Reply::Silence, Course::Whole),
        Fault::OkError => Course::Error,
        Fault::Cut => Course::Cut,
        Fault::Unfinished => Course::Unfinished,
        Fault::SlowStream => Course::Slow,
        _ => Course::Whole,
    };
    (Reply::Answer(answer(asked, schedule, Some(fault), asking)), course)
}

fn rate_limited(schedule: &Schedule, asking: Asking<'_>) -> Refusal {
    let mut draw = schedule.draw("retry", asking.id, asking.number);
    let (least, most) = schedule.retry_after_ms;
    let after = Duration::from_millis(draw.between(least, most));
    Refusal::RateLimited { after, hint: hint(schedule, &mut draw), of: "requests" }
}

/// How a refusal tells when to come back.
pub(crate) fn hint(schedule: &Schedule, draw: &mut Draw) -> Hint {
    match schedule.retry_hints.as_slice() {
        [] => Hint::None,
        hints => *draw.one_of(hints),
    }
}

fn answer(asked: &Asked, schedule: &Schedule, fault: Option<Fault>, asking: Asking<'_>) -> Answer {
    let mut draw = asked.draw();
    let mut answer = Answer {
        thought: None,
        text: String::new(),
        calls: Vec::new(),
        finish: Finish::Stop,
        usage: Usage { prompt: asked.prompt_tokens(), answer: 0, thoughts: schedule.thinking_tokens },
        shows_usage: fault != Some(Fault::NoUsage),
    };
    if asks_for_tools(asked, schedule, fault, asking) {
        answer.calls = vec![call(asked, schedule, &mut draw)];
    } else {
        answer.text = text(asked, schedule, fault, &mut draw);
    }
    match fault {
        Some(Fault::Truncated) => {
            let half = answer.text.chars().count() / 2;
            answer.text = answer.text.chars().take(half.max(1)).collect();
            answer.finish = Finish::Length;
        }
        Some(Fault::EmptyText) => answer.text.clear(),
        Some(Fault::BlockedAnswer) => {
            answer.text.clear();
            answer.finish = Finish::Withheld;
        }
        Some(Fault::ThinksAloud) => {
            let thought = format!("The question is about {}.", schema::words(&mut draw, 3));
            answer.usage.thoughts += tokens(&thought);
            answer.thought = Some(thought);
        }
        Some(Fault::UnknownTool) => answer.calls.iter_mut().for_each(|call| call.name.push_str("_all")),
        Some(Fault::StopDespiteCall) if !answer.calls.is_empty() => answer.finish = Finish::StopDespiteCalls,
        Some(Fault::Repeats) => {
            let half = answer.text.chars().count() / 2;
            answer.text = answer.text.chars().take(half).collect();
            let room = asked.most_tokens.unwrap_or(LOOP_TOKENS).saturating_sub(answer.usage.thoughts);
            while tokens(&answer.text) <= room {
                answer.text.push_str(&LOOP.repeat(64));
            }
        }
        Some(Fault::MalformedCall) if !answer.calls.is_empty() => answer.finish = Finish::MalformedCall,
        _ => {}
    }
    let most = asked.most_tokens.or((fault == Some(Fault::Repeats)).then_some(LOOP_TOKENS));
    settle(&mut answer, most, fault == Some(Fault::ThoughtOnly));
    answer
}

/// Counts what the answer uses, and cuts it where it has no tokens left.
fn settle(answer: &mut Answer, most: Option<u64>, thoughts_take_all: bool) {
    if thoughts_take_all {
        answer.usage.thoughts = most.unwrap_or(1_024);
    }
    if let Some(most) = most {
        answer.usage.thoughts = answer.usage.thoughts.min(most);
    }
    let left = most.map_or(u64::MAX, |most| most - answer.usage.thoughts);
    if thoughts_take_all || output_tokens(answer) > left {
        // A call of a tool is not cut: without room for it, there is none.
        answer.calls.clear();
        let room = if thoughts_take_all { 0 } else { left };
        answer.text.truncate(tokens::first(&answer.text, room).len());
        answer.finish = Finish::Length;
    }
    answer.usage.answer = output_tokens(answer);
}

fn output_tokens(answer: &Answer) -> u64 {
    let of_call = |call: &ToolCall| call.name.chars().count() + call.arguments.to_string().chars().count();
    tokens::of_characters(answer.text.chars().count() + answer.calls.iter().map(of_call).sum::<usize>())
}

fn asks_for_tools(asked: &Asked, schedule: &Schedule, fault: Option<Fault>, asking: Asking<'_>) -> bool {
    let may = !asked.tools.is_empty() && asked.choice != ToolChoice::Never && asked.tool_rounds < schedule.tool_rounds;
    let must = asked.choice == ToolChoice::Must
        || matches!(fault, Some(Fault::MalformedCall | Fault::UnknownTool | Fault::StopDespiteCall));
    // Faults of a text need a text.
    let needs_text = matches!(
        fault,
        Some(
            Fault::Truncated
                | Fault::ThoughtOnly
                | Fault::Repeats
                | Fault::Malformed
                | Fault::WrongSchema
                | Fault::Fenced
                | Fault::BlockedAnswer
                | Fault::EmptyText
        )
    );
    let drawn = || schedule.draw("tools", asking.id, asking.number).strikes(schedule.tool_calls);
    may && !needs_text && (must || drawn())
}

fn call(asked: &Asked, schedule: &Schedule, draw: &mut Draw) -> ToolCall {
    let tool = draw.one_of(&asked.tools).clone();
    let echo = echo(asked, schedule);
    let id = format!("call_{}", draw.hex());
    let arguments = match tool.parameters.as_object() {
        Some(words) if !words.is_empty() => Maker::new(&tool.parameters, draw, echo.as_deref()).value(),
        _ => json!({}),
    };
    ToolCall { id, name: tool.name, arguments }
}

fn text(asked: &Asked, schedule: &Schedule, fault: Option<Fault>, draw: &mut Draw) -> String {
    let echo = echo(asked, schedule);
    let sentence = |draw: &mut Draw| echo.clone().unwrap_or_else(|| schema::words(draw, 8));
    let (schema, value) = match &asked.form {
        Form::Text => {
            let text = sentence(draw);
            return match fault {
                Some(Fault::Malformed) => schema::broken(&json!({"answer": text}).to_string()),
                Some(Fault::WrongSchema) => json!({"unexpected": text}).to_string(),
                Some(Fault::Fenced) => format!("```\n{text}\n```"),
                _ => text,
            };
        }
        Form::Choice(schema) => match Maker::new(schema, draw, None).value() {
            Value::String(choice) => return choice,
            value => (schema, value),
        },
        Form::Json(schema) if schema.as_object().is_none_or(serde_json::Map::is_empty) => {
            (schema, json!({"answer": sentence(draw)}))
        }
        Form::Json(schema) => (schema, Maker::new(schema, draw, echo.as_deref()).value()),
    };
    match fault {
        Some(Fault::Malformed) => schema::broken(&value.to_string()),
        Some(Fault::WrongSchema) => schema::unfitting(schema, &value).to_string(),
        Some(Fault::Fenced) => format!("Here is the JSON:\n```json\n{value:#}\n```"),
        _ => value.to_string(),
    }
}

fn echo(asked: &Asked, schedule: &Schedule) -> Option<String> {
    if schedule.obeys_injection { asked.injection() } else { None }
}
