//! The applications that ship with Tidemill, and the parts that every application uses.

mod analyst;
mod application;
mod earlier;
mod erasure;
mod format;
mod http;
mod late;
mod models;
mod provenance;
mod refusal;
mod request;
mod retention;
mod shown;
mod withdrawal;

pub mod form_coach;
pub mod live_insight;
pub mod recordings;

pub use analyst::{Analyst, AnalystError, Answer};
pub use application::{
    App, Application, Asked, Calls, Door, File, Host, Incoming, Input, Owner, Parameters, Part, Property, Question,
    Questions, ReadEvent, ReadProperty, RecordedCall, RecordedFailure, Results, Setup, Show, Shown, Span, Stored,
    TenantOf, ToJson, TrialFuture, Unshown, View, Wanted, WindowEnds, WindowPlace, WindowSetting, Windows, Withdrawals,
    Wrong, show_json, windowed_key,
};
pub(crate) use application::{shown_content, shown_key};
pub(crate) use earlier::EarlierResults;
pub use erasure::{Erased, Erasure, erase};
pub use format::{Format, Wire};
pub use http::http_client;
pub use late::{LateEvents, TooLate, report_late};
pub use models::{ENDPOINT, MODEL, ModelChoice, ModelSettings, ProviderSettings, TokenSettings};
pub(crate) use provenance::provenance;
pub use refusal::refuse_panics;
pub(crate) use request::{evenly, to_call_error};
pub use retention::Retention;
pub use withdrawal::Withdrawal;

/// The applications that ship with Tidemill, in the order in which help lists them.
pub static APPLICATIONS: [App; 2] = [&live_insight::APPLICATION, &form_coach::APPLICATION];

/// Files that all pages share.
pub(crate) static SHARED_FILES: &[File] = application::files!("shared");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_application_has_a_page_and_recordings_of_its_events() {
        for app in APPLICATIONS {
            assert!(app.files.iter().any(|file| file.path == "page/index.html"), "{app:?}");
            for input in app.inputs {
                let is_one =
                    |(_, text): (_, &str)| input.marks.iter().all(|mark| text.contains(&format!("\"{mark}\"")));
                assert!(app.recordings().any(is_one), "{input:?}");
            }
        }
    }
}
