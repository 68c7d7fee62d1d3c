//! Prints how good the predictions of live insight are on recorded and generated streams, beside naive predictions:
//! `cargo run --release --example score_predictions`.

use std::io::{self, Write};

use tidemill_apps::apps::live_insight::outlook::{Advised, Compared, Scores};
use tidemill_apps::apps::recordings::{Pattern, START_MS, evening, generate, insights, pattern};
use tidemill_schemas::{Insight, describe_errors, parse_chat, parse_transcript};

const MINUTE_MS: i64 = 60_000;
const NOW_MS: i64 = START_MS + 86_400_000;
/// Evenings that no setting of the forecast was chosen by.
const UNSEEN: std::ops::Range<u64> = 100..124;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut recorded = Scores::default();
    recorded.add(&recording()?.iter().collect::<Vec<_>>());
    print(&mut out, "The recorded stream of 20 minutes", &recorded)?;
    let mut evenings = Scores::default();
    let seeds = std::env::args().nth(1).and_then(|text| {
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    let seeds = seeds.unwrap_or(UNSEEN);
    for seed in seeds.clone() {
        let evening = evening(seed);
        let insights = insights(&evening.chats, &evening.segments, START_MS, MINUTE_MS);
        evenings.add(&insights.iter().collect::<Vec<_>>());
    }
    print(&mut out, &format!("The generated evenings {} to {}", seeds.start, seeds.end - 1), &evenings)?;
    for kind in Pattern::ALL {
        let mut scores = Scores::default();
        for seed in seeds.clone() {
            let streams = pattern(kind, seed);
            let insights = insights(&streams.chats, &streams.segments, START_MS, MINUTE_MS);
            scores.add(&insights.iter().collect::<Vec<_>>());
        }
        print(&mut out, &format!("Generated streams with the pattern {kind:?}"), &scores)?;
    }
    Ok(())
}

fn recording() -> io::Result<Vec<Insight>> {
    let files = generate();
    let lines = |path: &str| {
        let file = files.iter().find(|file| file.path == format!("live_insight/recordings/{path}"));
        file.map_or_else(Vec::new, |file| file.content.lines().collect())
    };
    let wrong = |errors: Vec<_>| io::Error::other(describe_errors(&errors));
    let chats = lines("chat.ndjson").into_iter().map(|line| parse_chat(line.as_bytes(), NOW_MS).map_err(wrong));
    let chats = chats.collect::<io::Result<Vec<_>>>()?;
    let said = lines("transcript.ndjson").into_iter();
    let said =
        said.map(|line| parse_transcript(line.as_bytes(), NOW_MS).map_err(wrong)).collect::<io::Result<Vec<_>>>()?;
    Ok(insights(&chats, &said, START_MS, MINUTE_MS))
}

fn print(out: &mut impl Write, what: &str, scores: &Scores) -> io::Result<()> {
    writeln!(out, "{what}:")?;
    let mut row = |name: &str, compared: &Compared, other: &str| {
        let (ours, last, mean) = (compared.ours(), compared.like_last(), compared.like_mean());
        writeln!(out, "  {name:44} {ours:.3}; as in the last window {last:.3}; {other} {mean:.3}")
    };
    row("error of the chat in the next five minutes", &scores.chat, "as in the last five")?;
    row("error of probabilities (Brier score)", &scores.probability, "as often as so far")?;
    row("error of the share of authors who stop", &scores.churn, "as in the last five")?;
    for (action, advised) in &scores.advice {
        let name = format!("{action:?}");
        advice(out, &name, advised)?;
    }
    advice(out, "all advice", &scores.all_advice())
}

fn advice(out: &mut impl Write, name: &str, advised: &Advised) -> io::Result<()> {
    let share = |number: f64| number / advised.given as f64;
    let (truth, sure, random) = (share(advised.came_true as f64), share(advised.confidence), share(advised.at_random));
    let (given, error, naive) = (advised.given, share(advised.error), share(advised.naive_error));
    writeln!(
        out,
        "  {name:12} given {given:4} times: came true {truth:.2}, confidence {sure:.2}, at random {random:.2}; \
         Brier score {error:.3}, as sure as so far {naive:.3}"
    )
}
