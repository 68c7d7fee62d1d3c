//! A shift that was reported while its window was open is not reported again when the window closes.

use tidemill_schemas::Alert;

use super::is_shift;
use crate::apps::live_insight::analysis::window::ChatWindow;

/// Replaces alerts of the window by the alerts that the mood watch already sent for the same shift.
///
/// A shift repeats an earlier shift of the same kind if the earlier shift was reported since the window began, or if it
/// was the last shift reported in the previous window. The usual mood follows slowly, so without this rule the same
/// shift would be reported twice.
pub(in super::super) fn without_repeats(window: &ChatWindow, mut alerts: Vec<Alert>) -> Vec<Alert> {
    let before = window.told.iter().rfind(|told| told.at_ms < window.start_ms);
    let mut own: Vec<Alert> =
        window.told.iter().filter(|told| (window.start_ms..window.end_ms).contains(&told.at_ms)).cloned().collect();
    alerts.retain(|alert| {
        if !is_shift(alert) {
            return true;
        }
        // The closed window knows the cause of the shift.
        if let Some(told) = own.iter_mut().rfind(|told| told.kind == alert.kind) {
            told.message.clone_from(&alert.message);
            return false;
        }
        let later = window.told.iter().any(|told| told.kind == alert.kind && told.at_ms >= window.end_ms);
        !later && before.is_none_or(|told| told.kind != alert.kind)
    });
    alerts.extend(own.into_iter().map(|told| Alert { ahead: true, ..told }));
    alerts.sort_by(|a, b| b.severity.total_cmp(&a.severity));
    alerts
}
