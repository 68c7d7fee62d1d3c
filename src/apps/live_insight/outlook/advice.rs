//! What to do. Rules are tried in order of urgency, and the first rule that applies decides.

use super::{
    churn::Churn,
    claim::{Claim, Side},
    course::Step,
    forecast::Belief,
    prediction::{Action, Advice},
};
use crate::apps::live_insight::analysis::quoted;

/// A stream is not advised to end before it is so old.
const END_AFTER_MS: i64 = 30 * 60_000;
/// The end is near if the chat is below this share of its best time.
const END_SHARE: f64 = 0.35;
/// A promotion needs this vibe score at least.
const GOOD_VIBE: f64 = 55.0;
/// A promotion needs this many times the usual chat.
const LIVELY: f64 = 1.15;
/// The chat is slow below this share of the usual.
const SLOW: f64 = 0.8;
/// A rule that claims something needs this probability at least.
const SURE: f64 = 0.6;
/// Standard deviations by which a share of stopped authors must be above the usual one.
const MUCH: f64 = 2.0;

/// What a rule sees.
pub(super) struct Situation<'a> {
    pub(super) belief: &'a Belief,
    /// The median rate so far, in messages per second.
    pub(super) usual: f64,
    /// The best rate over a horizon so far, in messages per second.
    pub(super) best: f64,
    /// The windows of the last horizon.
    pub(super) recent: &'a [Step],
    pub(super) churn: Option<&'a Churn>,
    pub(super) began_ms: i64,
    pub(super) at_ms: i64,
    pub(super) until_ms: i64,
}

impl Situation<'_> {
    pub(super) fn vibe(&self) -> f64 {
        let chats: u64 = self.recent.iter().map(|step| step.chats).sum();
        let sum: f64 = self.recent.iter().map(|step| f64::from(step.vibe) * step.chats as f64).sum();
        if chats == 0 { 50.0 } else { sum / chats as f64 }
    }

    pub(super) fn is_promotion(&self) -> bool {
        self.belief.level.exp() >= LIVELY * self.usual
            && self.vibe() >= GOOD_VIBE
            && 1.0 - self.belief.below(self.usual) >= SURE
    }

    fn minutes(&self) -> i64 {
        ((self.until_ms - self.at_ms) / 60_000).max(1)
    }

    fn advice(&self, action: Action, side: Side, chats_per_second: f64, instruction: String, reason: String) -> Advice {
        let below = self.belief.below(chats_per_second);
        let confidence = match side {
            Side::Above => 1.0 - below,
            Side::Below => below,
        };
        let claim = Claim { from_ms: self.at_ms, until_ms: self.until_ms, side, chats_per_second };
        Advice { action, instruction, reason, confidence: (confidence * 100.0).round() / 100.0, claim }
    }
}

pub(super) fn advice(on: &Situation<'_>) -> Advice {
    let (now, expected, minutes) = (on.belief.level.exp(), on.belief.per_second(), on.minutes());
    let percent = |share: f64| (100.0 * share).round();
    if on.at_ms - on.began_ms >= END_AFTER_MS
        && now < END_SHARE * on.best
        && on.belief.trend <= 0.0
        && on.belief.below(0.5 * on.best) >= SURE
    {
        let reason = format!("Chat is at {} % of its best and does not rise.", percent(now / on.best));
        let instruction = "Thank your viewers, tell them when you stream next, and end the stream.".to_owned();
        return on.advice(Action::End, Side::Below, 0.5 * on.best, instruction, reason);
    }
    let questions: u64 = on.recent.iter().map(|step| step.questions).sum();
    if on.belief.below(SLOW * on.usual) >= SURE {
        let instruction = match questions {
            0 | 1 => "Start a question round now.".to_owned(),
            n => format!("Start a question round now: {n} questions were asked in the last {minutes} minutes."),
        };
        let reason = format!(
            "Without a change, {} messages a minute are expected in the next {minutes} minutes; usual are {}.",
            per_minute(expected),
            per_minute(on.usual)
        );
        return on.advice(Action::Questions, Side::Below, SLOW * on.usual, instruction, reason);
    }
    if on.is_promotion() {
        let reason = format!(
            "Chat runs {:.1} times as fast as usual, the vibe is {}, and both should last for {minutes} minutes.",
            now / on.usual,
            on.vibe().round()
        );
        let instruction = "Do your promotion or a poll now.".to_owned();
        return on.advice(Action::Promote, Side::Above, on.usual, instruction, reason);
    }
    // Those who stopped matter only if the chat misses them.
    if let Some(churn) = on.churn.filter(|churn| is_much(churn) && on.belief.below(on.usual) >= 0.5) {
        let names: Vec<String> = churn.users.iter().take(3).map(|user| quoted(&user.user_name)).collect();
        let who = if names.is_empty() { "those who stopped chatting".to_owned() } else { names.join(", ") };
        let reason = format!(
            "About {} authors stopped in the last {minutes} minutes: {} % of them; usual are {} %.",
            churn.stopped,
            percent(churn.share),
            percent(churn.usual_share)
        );
        let instruction = format!("Win viewers back: ask {who} something.");
        return on.advice(Action::WinBack, Side::Below, on.usual, instruction, reason);
    }
    let reason = format!(
        "{} messages a minute are expected in the next {minutes} minutes; usual are {}.",
        per_minute(expected),
        per_minute(on.usual)
    );
    on.advice(Action::KeepGoing, Side::Above, SLOW * on.usual, "Keep going.".to_owned(), reason)
}

/// Whether clearly more authors stopped than usual.
fn is_much(churn: &Churn) -> bool {
    if churn.share <= 0.0 {
        return false;
    }
    let authors = churn.stopped as f64 / churn.share;
    let usual = churn.usual_share.clamp(0.01, 0.99);
    let by_chance = (usual * (1.0 - usual) / authors.max(1.0)).sqrt();
    churn.share > usual + MUCH * by_chance && churn.share > usual + 0.1
}

fn per_minute(per_second: f64) -> f64 {
    let per_minute = per_second * 60.0;
    if per_minute < 10.0 { (per_minute * 10.0).round() / 10.0 } else { per_minute.round() }
}
