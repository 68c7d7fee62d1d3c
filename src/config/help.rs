//! The end of `--help`: every setting, and where its value comes from.

use std::fmt::Write as _;

use tidemill_apps::setting::CommandLine;

use super::{kafka, rows::rows};

const SOURCES: &str = "\
Settings come from a TOML file ([section] and key), then TIDEMILL_SECTION_KEY of the environment, then --set, then flags:
what comes later wins.

";

const TENANTS: &str = "
Who may come in, in the file:

  [[tenant]]
  name = \"ada\"
  token_file = \"ada.token\"   # or token, or token_env
  streams = [\"ada\", \"ada-*\"]
  users = []
  admin = false
  records_per_second = 2000
";

/// The list of settings for `--help`.
pub(crate) fn help() -> String {
    let mut text = SOURCES.to_owned();
    for row in rows() {
        let how = match row.command_line {
            CommandLine::Flag { long, .. } => format!(" [--{long}]"),
            CommandLine::Never => " [never on a command line]".to_owned(),
            CommandLine::Set => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:26} {}{how}", row.name, row.to_help());
    }
    text + kafka::HELP + TENANTS
}
