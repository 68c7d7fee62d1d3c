//! What must hold at the end, by the logs of the stand-ins.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use anyhow::Result;
use serde_json::Value;
use tidemill::transport::embedded::EmbeddedLog;
use tidemill_apps::apps::live_insight;

use super::{
    align::{Expected, difference},
    stands::{SEGMENT_MS, SPOKEN, Stands},
};
use crate::figures::Figures;

/// Words so near to lost audio may be cut, in milliseconds.
const EDGE_MS: i64 = 400;

/// The records of a topic, by stream, in the order of the log.
fn values(data_dir: &Path, topic: &str) -> Result<HashMap<String, Vec<Value>>> {
    let log = EmbeddedLog::open(data_dir.join("log"))?;
    let mut streams = HashMap::<String, Vec<Value>>::new();
    for value in log.read_all(topic)?.into_iter().filter_map(|(_, record)| record.value) {
        let value: Value = serde_json::from_slice(&value)?;
        streams.entry(stream_of(&value).to_owned()).or_default().push(value);
    }
    Ok(streams)
}

fn stream_of(value: &Value) -> &str {
    // Reports of late events call it otherwise.
    value["stream_id"].as_str().or_else(|| value["id"].as_str()).unwrap_or_default()
}

/// Compares the chats with what their servers posted.
pub(super) fn chats(figures: &mut Figures, stands: &Stands, data_dir: &Path) -> Result<()> {
    let written = values(data_dir, live_insight::CHAT)?;
    let insights = values(data_dir, live_insight::INSIGHTS)?;
    let late = values(data_dir, live_insight::LATE)?;
    let mut faults = BTreeMap::<String, u64>::new();
    for id in Stands::ids() {
        let log = stands.log(id);
        if *id != "youtube-poll" {
            log.faults.iter().for_each(|(fault, count)| *faults.entry(format!("{fault:?}")).or_default() += count);
        }
        let mut counts = HashMap::<&str, usize>::new();
        let ids = written.get(*id).into_iter().flatten().filter_map(|message| message["id"].as_str());
        ids.for_each(|message| *counts.entry(message).or_default() += 1);
        let lost = log.posted.iter().filter(|line| !counts.contains_key(line.id.as_str())).count();
        let twice = counts.values().filter(|count| **count > 1).count();
        let told = format!("{} posted, {lost} lost, {twice} twice", log.posted.len());
        figures.check(format!("chat of {id}"), told, lost == 0 && twice == 0 && counts.len() == log.posted.len());
        // Where speech moves time on, chat that comes back after a fault may be late; so it is not in a window.
        if SPOKEN.iter().any(|(spoken, _)| spoken == id) {
            continue;
        }
        let mut windows = HashMap::new();
        for insight in insights.get(*id).into_iter().flatten() {
            windows.insert(insight["window_start_ms"].as_i64(), insight["chats"].as_u64().unwrap_or(0));
        }
        let reports = late.get(*id).into_iter().flatten().filter(|report| report["input"] == "chat");
        let late: u64 = reports.filter_map(|report| report["events"].as_u64()).sum();
        let counted: u64 = windows.values().sum();
        let told = format!("{counted} in windows, {late} late");
        figures.check(format!("  counted in insights of {id}"), told, counted + late == log.posted.len() as u64);
    }
    let told: Vec<_> = faults.iter().map(|(fault, count)| format!("{fault} {count}")).collect();
    figures.add("faults of chats", told.join(", "));
    Ok(())
}

/// Compares the transcripts with the script.
pub(super) fn words(figures: &mut Figures, stands: &Stands, data_dir: &Path) -> Result<()> {
    let transcripts = values(data_dir, live_insight::TRANSCRIPT)?;
    for (id, number) in SPOKEN {
        let (server, segments) = (&stands.audio[number], stands.script.length_ms / SEGMENT_MS);
        let first = (0..segments as u64).find(|segment| server.asked(*segment) > 0).unwrap_or(0);
        let lost: &[u64] = if number == 1 { &stands.lost } else { &[] };
        // Audio that is missing: what was before the reader came, and lost segments.
        let before = std::iter::once(i64::MIN..first as i64 * SEGMENT_MS);
        let lost = lost.iter().map(|lost| *lost as i64 * SEGMENT_MS..(*lost as i64 + 1) * SEGMENT_MS);
        let missing: Vec<_> = before.chain(lost).collect();
        let expected = stands.script.words.iter().map(|word| {
            let edge = |range: &std::ops::Range<i64>| {
                let from_ms = range.start.saturating_sub(EDGE_MS);
                word.end_ms > from_ms && word.start_ms < range.end.saturating_add(EDGE_MS)
            };
            Expected { text: word.text.clone(), must: !missing.iter().any(edge) }
        });
        let expected: Vec<_> = expected.collect();
        let texts = transcripts.get(id).into_iter().flatten().filter_map(|segment| segment["text"].as_str());
        let heard = texts
            .flat_map(str::split_whitespace)
            .map(|word| word.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase());
        let heard: Vec<String> = heard.filter(|word| !word.is_empty()).collect();
        let found = difference(&expected, &heard);
        let must = expected.iter().filter(|word| word.must).count();
        let told = format!(
            "{must} said, {} heard, {} lost {:?}, {} too many {:?}",
            heard.len(),
            found.lost.len(),
            &found.lost[..found.lost.len().min(8)],
            found.extra.len(),
            &found.extra[..found.extra.len().min(8)],
        );
        figures.check(format!("words of {id}"), told, found.lost.is_empty() && found.extra.is_empty());
        let again: u32 = (0..segments as u64).map(|segment| server.asked(segment).saturating_sub(1)).sum();
        figures.add("  segments of audio that were asked for again", again);
    }
    let server = &stands.speech;
    let told = format!(
        "{} in all, {} broken, {} with an old token, {} ended by the server",
        server.sessions(),
        server.broken(),
        server.refused(),
        server.ended()
    );
    figures.add("sessions of the recogniser", told);
    Ok(())
}
