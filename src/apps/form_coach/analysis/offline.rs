//! The analyst that needs nobody: geometry and rules.

use tidemill_schemas::FormFeedback;

use super::assess::assess;
use super::window::PoseWindow;
use crate::apps::{Analyst, Answer};

/// Grades windows by geometry and rules; the same window always gives the same feedback.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineAnalyst;

impl OfflineAnalyst {
    /// The name that its feedback carries.
    pub const NAME: &'static str = "offline";

    /// Grades one window.
    pub fn feedback(window: &PoseWindow) -> FormFeedback {
        assess(window).feedback
    }
}

impl Analyst<PoseWindow, FormFeedback> for OfflineAnalyst {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn analyze<'a>(&'a self, window: &'a PoseWindow) -> Answer<'a, FormFeedback> {
        Box::pin(std::future::ready(Ok(Self::feedback(window))))
    }
}
