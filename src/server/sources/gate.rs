//! The limit of what waits on the log, as connectors ask for it.

use tidemill_schemas::Arrival;

use crate::{
    apps::live_insight::{APPLICATION, CHAT},
    server::intake::Intake,
    sources::Gate,
};

impl Gate for Intake {
    fn admits(&self, records: usize) -> bool {
        self.pressure().admit_most(&APPLICATION, records)
    }

    fn written(&self, messages: u64) {
        self.accepted(CHAT).inc_by(messages);
    }

    fn arrival(&self) -> Arrival {
        Self::arrival(self)
    }
}
