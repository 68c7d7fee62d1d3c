//! The limit of what waits on the log, as connectors ask for it.

use std::sync::Arc;

use tidemill_schemas::Arrival;

use crate::{apps::App, server::intake::Intake, sources::Gate};

/// The limit that also holds for requests of clients.
pub(super) struct Limit {
    pub(super) intake: Arc<Intake>,
    pub(super) app: App,
}

impl Gate for Limit {
    fn admits(&self, records: usize) -> bool {
        self.intake.pressure().admit_most(self.app, records)
    }

    fn written(&self, topic: &'static str, messages: u64) {
        self.intake.accepted(topic).inc_by(messages);
    }

    fn arrival(&self) -> Arrival {
        self.intake.arrival()
    }
}
