//! Where one stream ends and the next one begins. A streamer may use one stream id for all streams.

use tidemill_schemas::Insight;

/// After a pause of so many milliseconds, the next window belongs to another stream.
pub const PAUSE_MS: i64 = 30 * 60_000;

/// The streams in the windows of one stream id, oldest first. The windows must be in order.
pub fn sessions<'a>(insights: impl IntoIterator<Item = &'a Insight>) -> Vec<Vec<&'a Insight>> {
    let mut sessions: Vec<Vec<&Insight>> = Vec::new();
    for insight in insights {
        let goes_on = |session: &&mut Vec<&Insight>| {
            session.last().is_some_and(|last| insight.window_start_ms.saturating_sub(last.window_end_ms) < PAUSE_MS)
        };
        match sessions.last_mut().filter(goes_on) {
            Some(session) => session.push(insight),
            None => sessions.push(vec![insight]),
        }
    }
    sessions
}
