//! The list of all settings, and the draft that they fill in.

use tidemill_apps::{server::Settings, setting::Row};
use tracing_subscriber::EnvFilter;

use super::{
    accounts::{self, Accounts},
    analyst::{self, Analyst},
    apps,
    kafka::{self, Kafka},
    schema::{self, Schema},
    server,
    speech::{self, Speech},
};

/// The values that the rows set. Every default comes from a row.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) settings: Settings,
    pub(super) log_filter: String,
    pub(super) analyst: Analyst,
    pub(super) kafka: Kafka,
    pub(super) schema: Schema,
    pub(super) accounts: Accounts,
    pub(super) speech: Speech,
}

/// All settings, in the order of `--help`.
pub(super) fn rows() -> Vec<Row<Draft>> {
    let settings: fn(&mut Draft) -> &mut Settings = |draft| &mut draft.settings;
    let parts = [
        within(server::place(), settings),
        within(kafka::rows(), |draft: &mut Draft| &mut draft.kafka),
        within(server::work(), settings),
        within(schema::rows(), |draft: &mut Draft| &mut draft.schema),
        within(apps::rows(), settings),
        within(analyst::rows(), |draft: &mut Draft| &mut draft.analyst),
        within(server::sources(), settings),
        within(accounts::rows(), |draft: &mut Draft| &mut draft.accounts),
        within(speech::rows(), |draft: &mut Draft| &mut draft.speech),
        within(server::clips(), settings),
        within(server::bounds(), settings),
        vec![log()],
    ];
    parts.into_iter().flatten().collect()
}

/// Turns the rows of a part into rows of the value that contains the part.
pub(super) fn within<O: 'static, D: 'static>(rows: Vec<Row<D>>, place: fn(&mut O) -> &mut D) -> Vec<Row<O>> {
    rows.into_iter().map(|row| row.within(place)).collect()
}

/// The setting of the log's filter, which every command has.
pub(crate) const LOG: &str = "log.filter";

fn log() -> Row<Draft> {
    Row::new(LOG, "info", filter, |draft: &mut Draft| &mut draft.log_filter)
        .flag("log", "FILTER")
        .help("Filter for log lines, such as info or tidemill=debug")
}

fn filter(text: &str) -> Result<String, String> {
    let read = EnvFilter::try_new(text).map(|_| text.to_owned());
    read.map_err(|error| format!("must be a filter such as info or tidemill=debug: {error}"))
}
