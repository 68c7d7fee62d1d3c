//! A tool for models: the earlier results of the same owner.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use tidemill::{
    Windowed,
    llm::{Tool, ToolContext, ToolFuture},
    partition_for,
    state::{Codec as _, Coded},
    transport::{TopicPartition, Transport, TransportError},
};

use super::{App, Format, ToJson};

/// The most results that a model gets at once.
const MOST: usize = 12;
/// How many of the last records of a partition are looked through. Results that are farther back are not found.
const RECORDS: i64 = 5_000;
const WAIT: Duration = Duration::from_millis(100);

/// Lets a model look into the windows before the one that it judges. It shows only those of the same owner.
#[derive(Clone)]
pub(crate) struct EarlierResults(Arc<Source>);

struct Source {
    log: Arc<dyn Transport>,
    app: App,
    to_json: ToJson,
    /// The fields of a result that the model gets.
    fields: &'static [&'static str],
}

impl EarlierResults {
    pub(crate) fn new(log: Arc<dyn Transport>, app: App, format: &Format, fields: &'static [&'static str]) -> Self {
        let results = &app.results[0];
        let to_json = (results.to_json)(format, results.topic);
        Self(Arc::new(Source { log, app, to_json, fields }))
    }
}

impl Source {
    /// The last results of an owner whose windows ended before `before_ms`, the oldest first. Blocks.
    fn read(&self, owner: &str, before_ms: i64, most: usize) -> Result<Vec<Value>, TransportError> {
        let topic = self.app.results[0].topic;
        let partitions = self.log.admin()?.describe_topic(topic)?.map_or(1, |spec| spec.partitions);
        let partition = TopicPartition::new(topic, partition_for(Some(owner.as_bytes()), partitions));
        let mut reader = self.log.reader()?;
        let bounds = reader.watermarks(&partition)?;
        reader.assign(&[(partition.clone(), bounds.low.max(bounds.high - RECORDS))])?;
        let codec = <Windowed<String> as Coded>::Codec::default();
        let mut found = BTreeMap::<i64, Value>::new();
        while reader.position(&partition)? < bounds.high {
            for record in reader.read(WAIT, 1_000)?.into_iter().flat_map(|fetched| fetched.records) {
                let Some(Ok(key)) = record.key.map(|key| codec.decode(key)) else { continue };
                if key.key != owner || key.window.end > before_ms {
                    continue;
                }
                // A result that was published again replaces the earlier one, and a deleted one is gone.
                found.remove(&key.window.start);
                let json = record.value.and_then(|value| (self.to_json)(value).ok());
                let whole = json.and_then(|json| serde_json::from_slice::<Value>(&json).ok());
                found.extend(whole.map(|whole| (key.window.start, self.chosen(&whole))));
                if found.len() > most {
                    found.pop_first();
                }
            }
        }
        Ok(found.into_values().collect())
    }

    fn chosen(&self, whole: &Value) -> Value {
        let fields = self.fields.iter().filter_map(|field| Some(((*field).to_owned(), whole.get(field)?.clone())));
        Value::Object(fields.collect::<Map<_, _>>())
    }
}

impl Tool for EarlierResults {
    fn name(&self) -> &'static str {
        "earlier_windows"
    }

    fn description(&self) -> &'static str {
        "The results of the windows before this one, the oldest first. Use it only if the trend in the data is not enough."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "count": { "type": "integer", "minimum": 1, "maximum": MOST, "description": "how many windows" },
            },
            "required": ["count"],
            "additionalProperties": false,
        })
    }

    fn call<'a>(&'a self, arguments: Value, context: &'a ToolContext) -> ToolFuture<'a> {
        let (source, key) = (self.0.clone(), <Windowed<String> as Coded>::Codec::default().decode(context.key.clone()));
        Box::pin(async move {
            let key = key.map_err(|error| error.to_string())?;
            let most = arguments["count"].as_u64().map_or(1, |count| count as usize).min(MOST);
            let read = tokio::task::spawn_blocking(move || source.read(&key.key, key.window.start, most)).await;
            let results = read.map_err(|_| "they cannot be read".to_owned())?.map_err(|error| error.to_string())?;
            Ok(json!({ "windows": results }))
        })
    }
}

#[cfg(test)]
mod tests {
    use tidemill::{
        Window,
        transport::embedded::{EmbeddedLog, Entry},
    };

    use super::*;
    use crate::apps::live_insight::{APPLICATION, INSIGHTS};

    #[test]
    fn a_model_sees_the_last_windows_of_the_same_owner_alone() {
        let log = EmbeddedLog::in_memory();
        log.create(INSIGHTS, 1).expect("created");
        let codec = <Windowed<String> as Coded>::Codec::default();
        let put = |owner: &str, start: i64, score: Option<i64>| {
            let key = Windowed { key: owner.to_owned(), window: Window { start, end: start + 60 } };
            let value = score.map(|score| json!({ "vibe_score": score, "top_chats": ["a name"] }).to_string().into());
            let key = codec.encode(&key).expect("encoded");
            log.append(INSIGHTS, 0, [Entry { key, value, ..Entry::default() }]).expect("appended");
        };
        for (owner, start, score) in [("ada", 0, 1), ("adam", 0, 9), ("ada", 60, 2), ("ada", 120, 3), ("ada", 180, 4)] {
            put(owner, start, Some(score));
        }
        put("ada", 60, Some(5));
        put("ada", 0, None);
        let tool = EarlierResults::new(Arc::new(log), &APPLICATION, &Format::Json, &["vibe_score"]);
        let scores = |before_ms, most| {
            let read = tool.0.read("ada", before_ms, most).expect("read");
            read.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(scores(180, 9), r#"{"vibe_score":5} {"vibe_score":3}"#);
        assert_eq!(scores(120, 9), r#"{"vibe_score":5}"#);
    }
}
