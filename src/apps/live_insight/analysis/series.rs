//! The chat and the mood of a window, interval by interval. The page draws them as a line.

use tidemill_schemas::SeriesPoint;

use super::crowd::CrowdMood;
use super::numbers::round2;
use super::reading::{Reading, between};
use super::window::ChatWindow;

/// Length of an interval.
const STEP_MS: i64 = 5_000;
/// The maximum number of intervals. More intervals do not make the line clearer, so long windows have longer
/// intervals.
const POINTS: i64 = 120;

/// The window's intervals, from its start to its end. The last interval ends with the window.
pub(super) fn series(window: &ChatWindow, reading: &Reading<'_>, crowd: &CrowdMood) -> Vec<SeriesPoint> {
    let length_ms = (window.end_ms - window.start_ms).max(1);
    let step_ms = STEP_MS * (length_ms as u64).div_ceil((STEP_MS * POINTS) as u64) as i64;
    let mut points = Vec::new();
    let mut at = window.start_ms;
    while at < window.end_ms {
        let end = at.saturating_add(step_ms).min(window.end_ms);
        let chats = between(&reading.chats, at, end);
        // The whole window's outliers are left out of each interval. One interval has too few messages to find them.
        let mood = CrowdMood::of(chats.iter().filter(|chat| !crowd.outliers.contains(&chat.user)));
        let mood = (f64::from(mood.vibe_score()) - 50.0) / 50.0;
        points.push(SeriesPoint { at, chats: chats.len() as u64, mood: round2(mood) });
        at = end;
    }
    points
}

#[cfg(test)]
mod tests {
    use tidemill_schemas::ChatMessage;

    use super::*;

    fn points(length_ms: i64, chats: &[(i64, &str)]) -> Vec<SeriesPoint> {
        let (start_ms, end_ms) = (60_000, 60_000 + length_ms);
        let chat = |(at, (ms, text)): (usize, &(i64, &str))| ChatMessage {
            stream_id: "s".into(),
            user_id: format!("u{at}"),
            text: (*text).to_owned(),
            timestamp: start_ms + ms,
            ..ChatMessage::default()
        };
        let chats = chats.iter().enumerate().map(chat).collect();
        let (segments, trend) = (Vec::new(), super::super::StreamTrend::default());
        let window = ChatWindow { stream_id: "s".into(), start_ms, end_ms, chats, segments, trend, told: Vec::new() };
        let reading = Reading::of(&window);
        series(&window, &reading, &CrowdMood::of(reading.chats.iter()))
    }

    #[test]
    fn each_stretch_has_its_own_chats_and_mood() {
        let chats =
            [(0, "love it"), (4_999, "so good"), (5_000, "this is terrible"), (5_001, "awful lag"), (11_999, "?")];
        let points = points(12_000, &chats);
        let counted: Vec<_> = points.iter().map(|point| (point.at, point.chats)).collect();
        assert_eq!(counted, [(60_000, 2), (65_000, 2), (70_000, 1)]);
        assert!(points[0].mood > 0.2 && points[1].mood < -0.2 && points[2].mood == 0.0, "{points:?}");
    }

    #[test]
    fn a_long_window_has_longer_stretches_not_more() {
        assert_eq!(points(600_000, &[]).len(), 120);
        let hour = points(3_600_000, &[]);
        assert_eq!((hour.len(), hour[1].at - hour[0].at), (120, 30_000));
        assert_eq!(points(3, &[(1, "hi")]).len(), 1);
    }
}
