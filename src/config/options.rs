//! Command-line options for settings.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use tidemill_apps::setting::CommandLine;

use super::rows::rows;

/// Options of every command. Each is also a key of the file and a variable of the environment.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// TOML file with settings; see the end of `tidemill --help`
    #[arg(long, global = true, value_name = "FILE", env = "TIDEMILL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// Any other setting, such as live.window=30s
    #[arg(long = SET, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl Options {
    /// The settings that the command line gives, each with the text that gives it.
    pub(crate) fn given(&self) -> Vec<(&str, String)> {
        let set = self.set.iter().map(|pair| (pair.split('=').next().unwrap_or_default(), format!("--set {pair}")));
        set.chain(self.flags.iter().map(|(setting, flag)| (setting, format!("--{}", flag.long)))).collect()
    }
}

/// The name of the option `--set`.
pub(crate) const SET: &str = "set";

/// Values that were given with flags, by the setting's name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags(BTreeMap<&'static str, Flag>);

/// A flag of the command line, with its value.
#[derive(Debug, Clone)]
pub(super) struct Flag {
    pub(super) long: &'static str,
    pub(super) text: String,
}

impl Flags {
    /// The value that a flag gives to a setting.
    #[cfg(test)]
    pub(crate) fn get(&self, setting: &str) -> Option<&str> {
        self.0.get(setting).map(|flag| flag.text.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Flag)> {
        self.0.iter().map(|(setting, flag)| (*setting, flag))
    }
}

/// The flags of all rows with a flag.
fn arguments() -> impl Iterator<Item = Arg> {
    rows().into_iter().filter_map(|row| match row.command_line {
        CommandLine::Flag { long, value } => Some(
            Arg::new(row.name)
                .long(long)
                .value_name(value)
                .help(row.to_help())
                .global(true)
                .allow_negative_numbers(true),
        ),
        CommandLine::Never | CommandLine::Set => None,
    })
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(arguments())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for row in rows() {
            if let CommandLine::Flag { long, .. } = row.command_line
                && let Some(text) = matches.get_one::<String>(row.name)
            {
                self.0.insert(row.name, Flag { long, text: text.clone() });
            }
        }
        Ok(())
    }
}
