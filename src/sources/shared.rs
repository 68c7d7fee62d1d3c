//! What the partitions of an instance share.

use std::sync::Arc;

use tidemill::transport::Transport;

use super::{Gate, Guard, LiveSource, Platforms, Speech, View, events::Records, speech::Wish};

pub(super) struct Shared {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) platforms: Platforms,
    pub(super) guard: Guard,
    /// What listens to the streams; `None` if nothing does.
    pub(super) speech: Option<Arc<Speech>>,
    pub(super) gate: Arc<dyn Gate>,
    pub(super) view: Arc<View>,
    pub(super) records: Arc<Records>,
}

impl Shared {
    /// Whether a source is heard here, or something tells why it cannot be.
    pub(super) fn listens(&self, source: &LiveSource) -> bool {
        self.speech.as_ref().is_some_and(|speech| !matches!(Wish::of(source, speech), Ok(None)))
    }
}
