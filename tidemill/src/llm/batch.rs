//! Several requests in one prompt: an array of items goes out, an array of answers comes back.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    output::{Flaws, OutputCheck},
    prompt::Prompt,
};
use crate::async_op::Usage;

const TASK: &str = "The data has several items. Do the task for each item alone, as if the others were not there. Give \
    one answer for each item, with the item's index.";

/// The task and the data of all items.
pub(super) fn user_turn(prompt: &Prompt, data: &[Value]) -> String {
    let items = data.iter().enumerate().map(|(index, data)| json!({ "index": index, "data": data }));
    prompt.user_turn_with(TASK, &json!({ "items": items.collect::<Vec<_>>() }))
}

/// The schema of all answers. Definitions move to the root, where references look for them.
pub(super) fn schema(prompt: &Prompt) -> Value {
    let mut answer = prompt.schema().cloned().unwrap_or_else(|| json!({ "type": "string" }));
    let mut root = Map::new();
    if let Some(fields) = answer.as_object_mut() {
        for name in ["$defs", "definitions"] {
            root.extend(fields.remove(name).map(|definitions| (name.to_owned(), definitions)));
        }
        fields.remove("$schema");
    }
    let mut schema = frame(Some(answer));
    if let Some(fields) = schema.as_object_mut() {
        fields.extend(root);
    }
    schema
}

/// Answers with indexes. Whether an answer fits is checked for each alone.
fn frame(answer: Option<Value>) -> Value {
    let mut properties = json!({ "index": { "type": "integer" } });
    if let Some(answer) = answer {
        properties["answer"] = answer;
    }
    let item = json!({ "type": "object", "properties": properties, "required": ["index", "answer"] });
    let answers = json!({ "type": "array", "items": item });
    json!({ "type": "object", "properties": { "answers": answers }, "required": ["answers"] })
}

/// The answers by index, those that fit. An index with two answers has none, because nobody knows which one is meant.
pub(super) fn answers(prompt: &Prompt, text: &str, items: usize) -> Result<BTreeMap<usize, Value>, Flaws> {
    let whole = OutputCheck::new(&frame(None))?.check(text)?;
    let mut found: BTreeMap<usize, Option<Value>> = BTreeMap::new();
    for item in whole["answers"].as_array().into_iter().flatten() {
        let index = item["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        if let Some(index) = index.filter(|index| *index < items) {
            let answer = Some(item["answer"].clone());
            found.entry(index).and_modify(|answer| *answer = None).or_insert(answer);
        }
    }
    let known = found.into_iter().filter_map(|(index, answer)| Some((index, answer?)));
    Ok(known.filter(|(_, answer)| prompt.check_value(answer).is_ok()).collect())
}

/// The part of a request in what all of them consumed.
pub(super) fn share(usage: Usage, index: usize, requests: usize) -> Usage {
    let (index, requests) = (index as u64, requests.max(1) as u64);
    let part = |all: u64| all / requests + u64::from(index < all % requests);
    Usage {
        input_tokens: part(usage.input_tokens),
        output_tokens: part(usage.output_tokens),
        cost_micros: part(usage.cost_micros),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt() -> Result<Prompt, super::super::PromptError> {
        Prompt::parse(
            "name = 'a'\nversion = 1\nsystem = 's'\ntask = 't'\n[output]\ntype = 'object'\nrequired = ['n']\n\
             properties.n = { '$ref' = '#/$defs/small' }\n'$defs'.small = { type = 'integer', maximum = 9 }\n",
        )
    }

    #[test]
    fn answers_are_taken_by_index_and_checked_alone() -> Result<(), Box<dyn std::error::Error>> {
        let text = json!({ "answers": [
            { "index": 2, "answer": { "n": 3 } },
            { "index": 0, "answer": { "n": 1 } },
            { "index": 1, "answer": { "n": 99 } },
            { "index": 3, "answer": { "n": 4 } },
            { "index": 3, "answer": { "n": 5 } },
            { "index": 7, "answer": { "n": 1 } },
            { "index": -1, "answer": { "n": 1 } },
        ] });
        let found = answers(&prompt()?, &text.to_string(), 5)?;
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(0, json!({ "n": 1 })), (2, json!({ "n": 3 }))]);
        assert!(answers(&prompt()?, "{\"n\": 1}", 5).is_err());
        Ok(())
    }

    #[test]
    fn references_find_their_definitions() -> Result<(), Box<dyn std::error::Error>> {
        let check = OutputCheck::new(&schema(&prompt()?))?;
        assert!(check.check(r#"{"answers":[{"index":0,"answer":{"n":10}}]}"#).is_err());
        assert!(check.check(r#"{"answers":[{"index":0,"answer":{"n":9}}]}"#).is_ok());
        Ok(())
    }

    #[test]
    fn shares_add_up() {
        let usage = Usage { input_tokens: 100, output_tokens: 7, cost_micros: 2 };
        let shares = (0..3).map(|index| share(usage, index, 3));
        assert_eq!(shares.fold(Usage::default(), |sum, part| sum + part), usage);
    }
}
