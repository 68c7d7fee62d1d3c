//! The end of `--help`: every setting, and the sources of its value.

use std::fmt::Write as _;

use tidemill_apps::setting::CommandLine;

use super::{kafka, rows::rows};

const SOURCES: &str = "\
Settings come from a TOML file ([section] and key), then from the environment (TIDEMILL_SECTION_KEY), then from --set,
then from flags. A later source overrides an earlier one.

";

const TENANTS: &str = "
Clients that may use the server are tenants in the file:

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
