//! Records that the applications of a running server could not process: listed, and put back to their topics.

use std::io::Write as _;

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Server, line, text};
use crate::{cli::DlqRecords, usage::usage};

/// The most records that a list shows of an application.
const LISTED: &str = "1000";

/// The filters that were given: names and values, as the server takes them.
fn filters(records: &DlqRecords) -> Vec<(&'static str, Value)> {
    let DlqRecords { records: _, topic, operator, error, key, from, to } = records;
    let texts = [("topic", topic), ("operator", operator), ("error", error), ("key", key)];
    let texts = texts.into_iter().filter_map(|(name, value)| Some((name, json!(value.as_ref()?))));
    let times = [("from", from), ("to", to)].into_iter().filter_map(|(name, value)| Some((name, json!((*value)?))));
    texts.chain(times).collect()
}

pub(super) async fn list(server: &Server, records: &DlqRecords) -> Result<()> {
    let mut found = 0;
    for application in server.applications().await? {
        let mut url = server.url(&["state", "dead-records", &application])?;
        url.query_pairs_mut().append_pair("limit", LISTED);
        for (name, value) in filters(records) {
            url.query_pairs_mut().append_pair(name, &text(&value));
        }
        let page = server.ask(Method::GET, url, None).await?;
        let letters = page["dead_records"].as_array().map(Vec::as_slice).unwrap_or_default();
        for letter in letters {
            writeln!(std::io::stdout().lock(), "{}", row(&application, letter))?;
        }
        found += letters.len();
        if page["more"] == true {
            tracing::info!("{application} has more than {LISTED} dead records: filters choose among them");
        }
    }
    if found == 0 {
        tracing::info!("there are no dead records that match: no record was left out, or all were replayed");
    }
    Ok(())
}

/// A record in a line.
fn row(application: &str, letter: &Value) -> String {
    let [id, operator, bytes, timestamp] = ["id", "operator", "bytes", "timestamp"].map(|name| text(&letter[name]));
    let from = match &letter["from"] {
        Value::Null => "from an unknown topic".to_owned(),
        from => format!("from {}/{}/{}", text(&from["topic"]), from["partition"], from["offset"]),
    };
    let key = if letter["key"].is_null() { "no key".to_owned() } else { line(&text(&letter["key"]["id"])) };
    let error = line(&text(&letter["error"]));
    format!("{application} {id}: {key}: {from}, time {timestamp}, {bytes} bytes, operator {operator}: {error}")
}

pub(super) async fn replay(server: &Server, records: &DlqRecords, is_dry: bool, ids: &[String]) -> Result<()> {
    let chosen = filters(records);
    if !ids.is_empty() && !chosen.is_empty() {
        let (name, _) = chosen[0];
        return Err(usage(format!("--{name} chooses among all records: use it with --all, and not with ids")));
    }
    let applications = server.applications().await?;
    if !ids.is_empty() && applications.len() > 1 {
        let known = applications.join(" or ");
        return Err(usage(format!("the server runs several applications: name one with --application {known}")));
    }
    let mut body = if ids.is_empty() { json!({ "all": true }) } else { json!({ "ids": ids }) };
    body["dry_run"] = json!(is_dry);
    for (name, value) in chosen {
        body[name] = value;
    }
    let (mut now, mut before, mut not_possible) = (0, 0, 0);
    for application in &applications {
        let url = server.url(&["state", "dead-records", application, "replay"])?;
        let done = server.ask(Method::POST, url, Some(&body)).await?;
        let ids = |name: &str| done[name].as_array().cloned().unwrap_or_default();
        for id in ids("replayed") {
            writeln!(std::io::stdout().lock(), "{application} {}", text(&id))?;
        }
        for letter in ids("not_possible") {
            tracing::warn!("{application} {} cannot be replayed: {}", text(&letter["id"]), text(&letter["why"]));
        }
        now += ids("replayed").len();
        before += ids("replayed_before").len();
        not_possible += ids("not_possible").len();
    }
    let would =
        if is_dry { "would be replayed; nothing was written" } else { "went back to the topics they came from" };
    match (now, before, not_possible) {
        (0, 0, 0) => tracing::info!("there is no dead record to replay"),
        (0, before, 0) => tracing::info!("nothing is left to replay: {before} dead record(s) were replayed before"),
        (now, before, _) => tracing::info!("{now} dead record(s) {would}; {before} were replayed before"),
    }
    Ok(())
}
