//! The data of a window from which alerts and the instruction are derived.

use tidemill_schemas::{Alert, AlertKind, EngagementTrend, HotTopic, Spike};

use super::crowd::CrowdMood;
use super::numbers::round2;
use super::reading::Reading;
use super::window::ChatWindow;

/// The data from which alerts are derived.
pub(super) struct Evidence<'a> {
    pub(super) window: &'a ChatWindow,
    pub(super) reading: &'a Reading<'a>,
    pub(super) crowd: &'a CrowdMood,
    pub(super) topics: &'a [HotTopic],
    pub(super) spikes: &'a [Spike],
    pub(super) engagement: EngagementTrend,
}

impl Evidence<'_> {
    pub(super) fn alert(&self, kind: AlertKind, at_ms: i64, severity: f64, message: String) -> Alert {
        let (stream_id, severity) = (self.window.stream_id.clone(), round2(severity.clamp(0.0, 1.0)));
        Alert { stream_id, kind, at_ms, severity, message, ahead: false }
    }
}

/// The topic that explains a change of mood.
pub(super) fn about(topics: &[HotTopic], change: f64) -> Option<&HotTopic> {
    topics.iter().filter(|topic| topic.mood * change > 0.0 && topic.lift > 1.5).max_by(|a, b| {
        let weight = |topic: &HotTopic| topic.mood.abs() * topic.users as f64;
        weight(a).total_cmp(&weight(b))
    })
}
