//! A window as a row of a table.

use serde::Serialize;
use tidemill_schemas::Insight;

/// Between two texts in one cell.
const BETWEEN: &str = "; ";

/// A column: its name and how a window fills it.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) cell: Cell,
}

#[derive(Clone, Copy)]
pub(super) enum Cell {
    /// Epoch milliseconds.
    Time(fn(&Insight) -> i64),
    Whole(fn(&Insight) -> u64),
    Real(fn(&Insight) -> f64),
    /// Text that a program wrote or that is a fixed word.
    Text(fn(&Insight) -> String),
}

const fn column(name: &'static str, cell: Cell) -> Column {
    Column { name, cell }
}

/// All columns, in the order of the table. New columns are added at the end, so that programs that read by place go on.
pub(super) const COLUMNS: [Column; 27] = [
    column("stream_id", Cell::Text(|window| window.stream_id.clone())),
    column("window_start_ms", Cell::Time(|window| window.window_start_ms)),
    column("window_end_ms", Cell::Time(|window| window.window_end_ms)),
    column("analyst", Cell::Text(|window| window.analyst.clone())),
    column("chats", Cell::Whole(|window| window.chats)),
    column("users", Cell::Whole(|window| window.users)),
    column("segments", Cell::Whole(|window| window.segments)),
    column("chats_per_second", Cell::Real(|window| window.chats_per_second)),
    column("questions", Cell::Whole(|window| window.questions)),
    column("vibe_score", Cell::Whole(|window| u64::from(window.vibe_score))),
    column("mood", Cell::Text(|window| word(window.mood))),
    column("engagement", Cell::Text(|window| word(window.trend.engagement))),
    column("hot_topics", Cell::Text(|window| joined(window.hot_topics.iter().map(|topic| topic.term.clone())))),
    column("languages", Cell::Text(|window| joined(window.languages.iter().map(|share| share.language.clone())))),
    column(
        "top_chat",
        Cell::Text(|window| window.top_chats.first().map_or_else(String::new, |chat| chat.text.clone())),
    ),
    column("active_users", Cell::Text(|window| joined(window.active_users.iter().map(|user| user.user_name.clone())))),
    column("phrase", Cell::Text(|window| most_moving(window).map_or_else(String::new, |phrase| phrase.text.clone()))),
    column("phrase_lift", Cell::Real(|window| most_moving(window).map_or(0.0, |phrase| phrase.lift))),
    column("spikes", Cell::Whole(|window| window.spikes.len() as u64)),
    column("clips", Cell::Whole(|window| window.clips.len() as u64)),
    column("alerts", Cell::Text(|window| joined(window.alerts.iter().map(|alert| alert.message.clone())))),
    column("paid_messages", Cell::Whole(|window| window.support.as_ref().map_or(0, |support| support.paid))),
    column("paid", Cell::Text(paid)),
    column("new_members", Cell::Whole(|window| window.support.as_ref().map_or(0, |support| support.new_members))),
    column("gifted_members", Cell::Whole(|window| window.support.as_ref().map_or(0, |support| support.gifted_members))),
    column("withdrawn", Cell::Whole(|window| window.withdrawn)),
    column("instruction", Cell::Text(|window| window.instruction.clone())),
];

/// The word by which JSON calls a value.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}

fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(BETWEEN)
}

/// The phrase after which the chat was fastest.
fn most_moving(window: &Insight) -> Option<&tidemill_schemas::PhraseReaction> {
    window.phrases.iter().max_by(|a, b| a.lift.total_cmp(&b.lift))
}

/// The sums, such as `EUR 4.99; USD 10.00`. An amount is exact: it has more digits if it needs them.
fn paid(window: &Insight) -> String {
    let sums = window.support.iter().flat_map(|support| &support.sums);
    joined(sums.map(|sum| {
        let (sign, micros) = (if sum.micros < 0 { "-" } else { "" }, sum.micros.unsigned_abs());
        let parts = format!("{:06}", micros % 1_000_000);
        let digits = parts.trim_end_matches('0').len().max(2);
        format!("{} {sign}{}.{}", sum.currency, micros / 1_000_000, &parts[..digits])
    }))
}
