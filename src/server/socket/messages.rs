//! What goes over a WebSocket, as JSON texts.

use axum::body::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    apps::Parameters,
    server::{problem::Problem, results::Followed},
};

/// The longest id of a message, in bytes.
const ID_BYTES: usize = 64;

/// What a page asks.
#[derive(Debug)]
pub(super) struct Asked {
    /// Comes back with the answer.
    pub(super) id: Value,
    /// The word that [`ASKS`](super::asks::ASKS) knows.
    pub(super) ask: String,
    /// The other fields.
    pub(super) fields: Map<String, Value>,
}

/// Why a message cannot be read, with its id if it has one.
pub(super) struct Unread {
    pub(super) id: Value,
    pub(super) error: String,
}

impl Asked {
    /// Reads a page's message.
    pub(super) fn read(text: &str) -> Result<Self, Unread> {
        let unread = |id: &Value, error: &str| Unread { id: id.clone(), error: error.to_owned() };
        let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
            return Err(unread(&Value::Null, "the message is not a JSON object"));
        };
        let id = fields.remove("id").unwrap_or_default();
        let is_id = match &id {
            Value::Number(_) => true,
            Value::String(text) => text.len() <= ID_BYTES,
            _ => false,
        };
        if !is_id {
            return Err(unread(&Value::Null, "the message has no id"));
        }
        match fields.remove("ask") {
            Some(Value::String(ask)) => Ok(Self { id, ask, fields }),
            _ => Err(unread(&id, "the message does not say what it asks")),
        }
    }

    /// The other fields, as an address has them behind its question mark.
    pub(super) fn parameters(&self) -> Result<Parameters, Problem> {
        let fields = self.fields.iter().filter(|(_, value)| !value.is_null());
        fields
            .map(|(name, value)| match value {
                Value::String(text) => Ok((name.clone(), text.clone())),
                Value::Number(number) => Ok((name.clone(), number.to_string())),
                _ => Err(Problem::wrong(
                    format!("'{name}' is neither a text nor a number"),
                    "correct it, or leave it out",
                )),
            })
            .collect()
    }
}

/// An answer, or what is pushed without being asked for.
pub(super) struct Answer {
    /// JSON.
    pub(super) body: Box<RawValue>,
    /// The older windows that it leaves out.
    pub(super) left_out: usize,
}

impl Answer {
    pub(super) fn of(value: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::value::to_raw_value(value).map_err(|error| Problem::internal(&error))?;
        Ok(Self { body, left_out: 0 })
    }

    pub(super) fn of_json(body: Vec<u8>, left_out: usize) -> Result<Self, Problem> {
        let text = String::from_utf8(body).map_err(|error| Problem::internal(&error))?;
        let body = RawValue::from_string(text).map_err(|error| Problem::internal(&error))?;
        Ok(Self { body, left_out })
    }
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "is_nothing")]
    left_out: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_nothing(count: &usize) -> bool {
    *count == 0
}

const NOTHING: Told<'static> = Told { id: None, push: None, answer: None, data: None, left_out: 0, error: None };

#[derive(Serialize)]
struct Refusal {
    message: String,
    remedy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
}

impl From<&Problem> for Refusal {
    fn from(problem: &Problem) -> Self {
        let (message, remedy, retry_after_s) = problem.told();
        Self { message, remedy, retry_after_s }
    }
}

fn text(told: &Told<'_>) -> String {
    serde_json::to_string(told).expect("texts and JSON become JSON")
}

/// The answer to a message.
pub(super) fn answer(id: &Value, answer: &Result<Answer, Problem>) -> String {
    text(&match answer {
        Ok(Answer { body, left_out }) => Told { id: Some(id), answer: Some(body), left_out: *left_out, ..NOTHING },
        Err(problem) => Told { id: Some(id), error: Some(problem.into()), ..NOTHING },
    })
}

/// Something that is pushed.
pub(super) fn push(name: &str, pushed: &Result<Answer, Problem>) -> String {
    text(&match pushed {
        Ok(Answer { body, left_out }) => Told { push: Some(name), data: Some(body), left_out: *left_out, ..NOTHING },
        Err(problem) => Told { push: Some(name), error: Some(problem.into()), ..NOTHING },
    })
}

/// A result, or news. The id of a result is the page's place behind it. `None` if it is not JSON.
pub(super) fn result(Followed { id, name, data }: &Followed) -> Option<String> {
    let data = raw(data)?;
    let id = id.clone().map(Value::String);
    Some(text(&Told { push: Some(name), id: id.as_ref(), data: Some(data), ..NOTHING }))
}

fn raw(data: &Bytes) -> Option<&RawValue> {
    serde_json::from_slice(data).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_an_object_with_an_id_and_an_ask() {
        let read = |text: &str| Asked::read(text).map_err(|unread| (unread.id, unread.error));
        let asked = read(r#"{"id":7,"ask":"frame","last":"15m","from":5,"to":null}"#).expect("a message");
        assert_eq!((&asked.id, asked.ask.as_str()), (&json!(7), "frame"));
        let parameters = asked.parameters().expect("texts and numbers");
        assert_eq!(parameters, [("from".to_owned(), "5".to_owned()), ("last".to_owned(), "15m".to_owned())].into());
        assert!(read(r#"{"id":"a","ask":"frame","last":[1]}"#).expect("a message").parameters().is_err());
        let long = format!(r#"{{"id":"{}","ask":"frame"}}"#, "x".repeat(65));
        for wrong in
            ["", "[]", "frame", r#"{"ask":"frame"}"#, r#"{"id":null,"ask":"frame"}"#, r#"{"id":{},"ask":"x"}"#, &long]
        {
            assert_eq!(read(wrong).expect_err(wrong).0, Value::Null, "{wrong}");
        }
        assert_eq!(read(r#"{"id":3,"ask":5}"#).expect_err("no ask").0, json!(3));
    }

    #[test]
    fn answers_pushes_and_errors_have_their_form() {
        let told = answer(&json!(1), &Answer::of_json(br#"{"a":1}"#.to_vec(), 2));
        assert_eq!(told, r#"{"id":1,"answer":{"a":1},"left_out":2}"#);
        assert_eq!(push("source", &Answer::of(&Value::Null)), r#"{"push":"source","data":null}"#);
        let refused = answer(&json!("x"), &Err(Problem::busy("too much", 3)));
        assert!(refused.starts_with(r#"{"id":"x","error":{"message":"too much","remedy":"#), "{refused}");
        assert!(refused.ends_with(r#""retry_after_s":3}}"#), "{refused}");
        let followed =
            |data: &'static str| Followed { id: Some("0-1".to_owned()), name: "insight", data: Bytes::from(data) };
        assert_eq!(
            result(&followed(r#"{"chats":1}"#)).expect("JSON"),
            r#"{"id":"0-1","push":"insight","data":{"chats":1}}"#
        );
        assert_eq!(result(&followed("no JSON")), None);
    }
}
