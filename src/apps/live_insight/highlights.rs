//! Moments of a whole stream that are worth a clip, the best one first, each with its reasons.

use serde::Serialize;
use tidemill_media::candidates::{Candidate, CandidateOptions, Spike, rank};
use tidemill_schemas::{Alert, AlertKind, Insight};

/// The most candidates that can be asked for, and as many as there are without a wish.
pub(super) const MOST: usize = 50;
pub(super) const USUAL: usize = 20;
/// What an alert tells began before it, and goes on.
const LEAD_MS: i64 = 12_000;
const TAIL_MS: i64 = 8_000;
/// The most severe alert counts as much as a moment of half the best score.
const SEVEREST: f64 = 50.0;

/// The candidates of a stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Highlights {
    candidates: Vec<Candidate>,
}

/// Ranks the moments of all windows: spikes of the chat that viewers enjoyed, and rises of mood and of chat. Moments that
/// overlap are one, with all of their reasons.
pub(super) fn highlights(insights: &[Insight], most: usize) -> Highlights {
    let clips = insights.iter().flat_map(|insight| &insight.clips).map(|clip| Spike {
        start_ms: clip.start_ms,
        end_ms: clip.end_ms,
        score: f64::from(clip.score),
        reason: clip.reason.clone(),
    });
    let alerts = insights.iter().flat_map(|insight| &insight.alerts).filter_map(rise);
    let spikes: Vec<_> = clips.chain(alerts).collect();
    // What clips show before and after a spike is in them already.
    let options = CandidateOptions { lead_in_ms: 0, lead_out_ms: 0, most, ..CandidateOptions::default() };
    Highlights { candidates: rank(&spikes, &options) }
}

fn rise(alert: &Alert) -> Option<Spike> {
    let is_good = matches!(alert.kind, AlertKind::MoodRise | AlertKind::EngagementSpike);
    is_good.then(|| Spike {
        start_ms: alert.at_ms - LEAD_MS,
        end_ms: alert.at_ms + TAIL_MS,
        score: alert.severity * SEVEREST,
        reason: alert.message.clone(),
    })
}

#[cfg(test)]
mod tests {
    use tidemill_schemas::ClipCandidate;

    use super::*;
    use crate::apps::recordings::{START_MS, insights as insights_of};

    fn window(at: i64, clips: &[(i64, i64, &str, u8)], alerts: &[(AlertKind, i64, f64)]) -> Insight {
        let said = include_str!("recordings/transcript.ndjson").lines().next().expect("a line");
        let said = tidemill_schemas::parse_transcript(said.as_bytes(), START_MS + 86_400_000).expect("valid");
        let mut insight = insights_of(&[], &[said], START_MS, 60_000).remove(0);
        let clip = |(start, end, reason, score): &(i64, i64, &str, u8)| ClipCandidate {
            stream_id: "ada".to_owned(),
            start_ms: at + start,
            end_ms: at + end,
            reason: (*reason).to_owned(),
            score: *score,
        };
        let alert = |(kind, at_ms, severity): &(AlertKind, i64, f64)| Alert {
            stream_id: "ada".to_owned(),
            kind: *kind,
            at_ms: at + at_ms,
            severity: *severity,
            message: format!("{kind:?}"),
            ahead: false,
        };
        insight.clips = clips.iter().map(clip).collect();
        insight.alerts = alerts.iter().map(alert).collect();
        insight
    }

    #[test]
    fn moments_of_all_windows_are_ranked_and_those_that_overlap_are_one() {
        let insights = [
            window(0, &[(10_000, 30_000, "a goal", 60)], &[(AlertKind::MoodRise, 25_000, 0.5)]),
            window(600_000, &[(0, 20_000, "a save", 70)], &[(AlertKind::MoodDrop, 200_000, 1.0)]),
        ];
        let Highlights { candidates } = highlights(&insights, USUAL);
        assert_eq!(candidates.len(), 2, "what only got worse is no highlight: {candidates:?}");
        assert_eq!(candidates[0].reasons, ["a goal", "MoodRise"]);
        assert_eq!((candidates[0].start_ms, candidates[0].end_ms), (10_000, 33_000));
        assert_eq!(candidates[1].reasons, ["a save"]);
        assert_eq!(highlights(&insights, 1).candidates.len(), 1);
        assert_eq!(highlights(&[], USUAL).candidates, []);
    }
}
