//! How good predictions are, beside naive ones.

use std::sync::LazyLock;

use tidemill_schemas::{Insight, parse_chat, parse_transcript};

use super::super::*;
use super::MINUTE_MS;
use crate::apps::recordings::{Evening, Pattern, START_MS, evening, insights, pattern};

/// By this share, an error may be larger than that of the mean so far or of the last five windows. A few streams differ by
/// as much by chance.
const MARGIN: f64 = 0.06;
/// The same for the method that all stays as in the last window. It is by far the worst, but where the chat goes up and
/// down at a stretch: the forecast has to learn first that it is the best there.
const MARGIN_OF_LAST: f64 = 0.15;

fn scores(evenings: impl IntoIterator<Item = Evening>) -> Scores {
    let mut scores = Scores::default();
    for evening in evenings {
        let insights = insights(&evening.chats, &evening.segments, START_MS, MINUTE_MS);
        scores.add(&insights.iter().collect::<Vec<_>>());
    }
    scores
}

/// Evenings by which no setting was chosen.
static EVENINGS: LazyLock<Scores> = LazyLock::new(|| scores((100..108).map(evening)));

/// Streams of each pattern.
static PATTERNS: LazyLock<Vec<(Pattern, Scores)>> =
    LazyLock::new(|| Pattern::ALL.map(|kind| (kind, scores((100..103).map(|seed| pattern(kind, seed))))).to_vec());

fn recorded() -> Vec<Insight> {
    let (chats, said) =
        (include_str!("../../recordings/chat.ndjson"), include_str!("../../recordings/transcript.ndjson"));
    let late = START_MS + 86_400_000;
    let chats: Vec<_> = chats.lines().map(|line| parse_chat(line.as_bytes(), late).expect("chat")).collect();
    let said: Vec<_> = said.lines().map(|line| parse_transcript(line.as_bytes(), late).expect("speech")).collect();
    insights(&chats, &said, START_MS, MINUTE_MS)
}

fn assert_hardly_worse(what: &str, scores: &Scores) {
    for (name, compared) in [("chat", scores.chat), ("probability", scores.probability), ("churn", scores.churn)] {
        let (ours, last, mean) = (compared.ours(), compared.like_last(), compared.like_mean());
        let least = (mean * (1.0 + MARGIN)).min(last * (1.0 + MARGIN_OF_LAST));
        assert!(ours <= least, "{what}, {name}: {ours:.3}, naive {last:.3} and {mean:.3}");
    }
    let all = scores.all_advice();
    assert!(all.error <= all.naive_error, "{what}: {all:?}");
}

#[test]
fn predictions_are_better_than_naive_ones_on_streams_that_nobody_tuned_for() {
    for (what, compared) in [("chat", EVENINGS.chat), ("probability", EVENINGS.probability), ("churn", EVENINGS.churn)]
    {
        let (ours, last, mean) = (compared.ours(), compared.like_last(), compared.like_mean());
        assert!(ours < last && ours < mean, "{what}: {ours} {last} {mean}");
    }
}

#[test]
fn advice_comes_true_more_often_than_the_same_claims_at_random() {
    let all = EVENINGS.all_advice();
    assert!(all.came_true as f64 > 1.05 * all.at_random, "{all:?}");
    assert!(all.error < 0.8 * all.naive_error, "{all:?}");
}

#[test]
fn no_kind_of_advice_is_much_surer_than_it_comes_true() {
    for (action, advised) in &EVENINGS.advice {
        let given = advised.given as f64;
        // Neighbouring predictions foresee the same minutes, so they are as good as a fifth of their number.
        let by_chance = (0.25 * 5.0 / given).sqrt();
        let too_sure = (advised.confidence - advised.came_true as f64) / given;
        assert!(too_sure < 0.05 + 2.0 * by_chance, "{action:?} is too sure: {advised:?}");
    }
}

#[test]
fn predictions_of_the_short_recording_are_hardly_worse_than_naive_ones() {
    let mut scores = Scores::default();
    scores.add(&recorded().iter().collect::<Vec<_>>());
    assert_hardly_worse("recording", &scores);
    let all = scores.all_advice();
    assert!(all.confidence <= all.came_true as f64, "not too sure: {all:?}");
}

#[test]
fn predictions_are_hardly_worse_than_naive_ones_on_any_pattern_and_better_where_there_is_one() {
    for (kind, scores) in PATTERNS.iter() {
        assert_hardly_worse(&format!("{kind:?}"), scores);
        let all = scores.all_advice();
        let better = if *kind == Pattern::Steady { 1.0 } else { 0.85 };
        assert!(all.error < better * all.naive_error, "{kind:?}: {all:?}");
        assert!(scores.probability.ours() < scores.probability.like_mean(), "{kind:?}: {:?}", scores.probability);
    }
}

#[test]
fn the_end_of_streams_of_about_the_same_length_is_foreseen() {
    let scores = PATTERNS.iter().find(|(kind, _)| *kind == Pattern::SameLength).map(|(_, scores)| scores);
    let scores = scores.expect("all patterns are scored");
    let slow = [Action::Questions, Action::End].map(|action| scores.advice.get(&action).copied().unwrap_or_default());
    let (given, came_true) = (slow[0].given + slow[1].given, slow[0].came_true + slow[1].came_true);
    let at_random = slow[0].at_random + slow[1].at_random;
    assert!(given > 0 && came_true as f64 > 0.8 * given as f64 && came_true as f64 > 2.0 * at_random, "{slow:?}");
}
