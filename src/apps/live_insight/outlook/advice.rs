//! What to do. Rules are tried in order of urgency. The first one that applies and is sure enough decides.

use super::{
    churn::Churn,
    claim::{Claim, Side},
    course::Step,
    forecast::Belief,
    prediction::{Action, Advice},
    sureness::{Sureness, Weighed},
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
/// Advice to do something is given only if it is so sure. Below, it would be wrong nearly as often as right.
pub(super) const SURE: f64 = 0.6;
/// Standard deviations by which a share of stopped authors must be above the usual one.
const MUCH: f64 = 2.0;

/// What a rule sees.
pub(super) struct Situation<'a> {
    pub(super) belief: &'a Belief,
    pub(super) sureness: &'a Sureness,
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

/// Advice before it is known how sure it is.
struct Draft {
    action: Action,
    side: Side,
    chats_per_second: f64,
    instruction: String,
    reason: String,
}

impl Situation<'_> {
    pub(super) fn vibe(&self) -> f64 {
        let chats: u64 = self.recent.iter().map(|step| step.chats).sum();
        let sum: f64 = self.recent.iter().map(|step| f64::from(step.vibe) * step.chats as f64).sum();
        if chats == 0 { 50.0 } else { sum / chats as f64 }
    }

    /// How sure a promotion is now; `None` if the chat is not lively and happy enough.
    pub(super) fn promotion(&self) -> Option<Weighed> {
        promote(self).map(|draft| self.weighed(draft).1)
    }

    /// How probable it is that the chat stays above the usual.
    pub(super) fn above_usual(&self) -> Weighed {
        self.sureness.weigh(Action::Promote, &self.claim(Side::Above, self.usual), self.belief)
    }

    fn minutes(&self) -> i64 {
        ((self.until_ms - self.at_ms) / 60_000).max(1)
    }

    fn claim(&self, side: Side, chats_per_second: f64) -> Claim {
        let chats_per_second = chats_per_second.max(self.least_claim());
        Claim { from_ms: self.at_ms, until_ms: self.until_ms, side, chats_per_second }
    }

    /// The lowest rate that a claim can be about. Without speech, there is a window only if there is a message, so the
    /// chat of the windows is never below one message in each: a claim about less would come true whatever happens.
    fn least_claim(&self) -> f64 {
        let seconds = (self.until_ms - self.at_ms).max(1) as f64 / 1000.0;
        let newest = self.recent.last().map_or(seconds, |step| step.seconds);
        let certain = if self.recent.iter().all(|step| step.spoken) { 0.0 } else { 1.0 / newest };
        certain + 1.0 / seconds
    }

    fn weighed(&self, draft: Draft) -> (Advice, Weighed) {
        let Draft { action, side, chats_per_second, instruction, reason } = draft;
        let claim = self.claim(side, chats_per_second);
        let weighed = self.sureness.weigh(action, &claim, self.belief);
        let confidence = (weighed.sure * 100.0).round() / 100.0;
        (Advice { action, instruction, reason, confidence, claim }, weighed)
    }
}

/// The advice, and how it was weighed.
pub(super) fn advice(on: &Situation<'_>) -> (Advice, Weighed) {
    let rules: [fn(&Situation<'_>) -> Option<Draft>; 4] = [end, questions, promote, win_back];
    let drafts = rules.iter().filter_map(|rule| rule(on));
    drafts.map(|draft| on.weighed(draft)).find(|(_, weighed)| weighed.sure >= SURE).unwrap_or_else(|| keep_going(on))
}

fn end(on: &Situation<'_>) -> Option<Draft> {
    let now = on.belief.level.exp();
    let is_late = on.at_ms - on.began_ms >= END_AFTER_MS;
    (is_late && now < END_SHARE * on.best && on.belief.trend <= 0.0).then(|| Draft {
        action: Action::End,
        side: Side::Below,
        chats_per_second: 0.5 * on.best,
        instruction: "Thank your viewers, tell them when you stream next, and end the stream.".to_owned(),
        reason: format!("Chat is at {} % of its best and does not rise.", percent(now / on.best)),
    })
}

fn questions(on: &Situation<'_>) -> Option<Draft> {
    if on.belief.per_second() >= SLOW * on.usual {
        return None;
    }
    let minutes = on.minutes();
    let asked: u64 = on.recent.iter().map(|step| step.questions).sum();
    let instruction = match asked {
        0 | 1 => "Start a question round now.".to_owned(),
        n => format!("Start a question round now: {n} questions were asked in the last {minutes} minutes."),
    };
    let reason = format!(
        "Without a change, {} messages a minute are expected in the next {minutes} minutes; usual are {}.",
        per_minute(on.belief.per_second()),
        per_minute(on.usual)
    );
    let chats_per_second = SLOW * on.usual;
    Some(Draft { action: Action::Questions, side: Side::Below, chats_per_second, instruction, reason })
}

fn promote(on: &Situation<'_>) -> Option<Draft> {
    let now = on.belief.level.exp();
    (on.usual > 0.0 && now >= LIVELY * on.usual && on.vibe() >= GOOD_VIBE).then(|| Draft {
        action: Action::Promote,
        side: Side::Above,
        chats_per_second: on.usual,
        instruction: "Do your promotion or a poll now.".to_owned(),
        reason: format!(
            "Chat runs {:.1} times as fast as usual, the vibe is {}, and both should last for {} minutes.",
            now / on.usual,
            on.vibe().round(),
            on.minutes()
        ),
    })
}

/// Those who stopped matter only if the chat misses them.
fn win_back(on: &Situation<'_>) -> Option<Draft> {
    let churn = on.churn.filter(|churn| is_much(churn) && on.belief.per_second() <= on.usual)?;
    let names: Vec<String> = churn.users.iter().take(3).map(|user| quoted(&user.user_name)).collect();
    let who = if names.is_empty() { "those who stopped chatting".to_owned() } else { names.join(", ") };
    Some(Draft {
        action: Action::WinBack,
        side: Side::Below,
        chats_per_second: on.usual,
        instruction: format!("Win viewers back: ask {who} something."),
        reason: format!(
            "About {} authors stopped in the last {} minutes: {} % of them; usual are {} %.",
            churn.stopped,
            on.minutes(),
            percent(churn.share),
            percent(churn.usual_share)
        ),
    })
}

/// Asks for no change, so it needs no certain sureness. It claims the side that is more probable.
fn keep_going(on: &Situation<'_>) -> (Advice, Weighed) {
    let draft = |side| Draft {
        action: Action::KeepGoing,
        side,
        chats_per_second: SLOW * on.usual,
        instruction: "Keep going.".to_owned(),
        reason: format!(
            "{} messages a minute are expected in the next {} minutes; usual are {}.",
            per_minute(on.belief.per_second()),
            on.minutes(),
            per_minute(on.usual)
        ),
    };
    let (above, below) = (on.weighed(draft(Side::Above)), on.weighed(draft(Side::Below)));
    if above.1.pooled >= below.1.pooled { above } else { below }
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

fn percent(share: f64) -> f64 {
    (100.0 * share).round()
}

fn per_minute(per_second: f64) -> f64 {
    let per_minute = per_second * 60.0;
    if per_minute < 10.0 { (per_minute * 10.0).round() / 10.0 } else { per_minute.round() }
}
