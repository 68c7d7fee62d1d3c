//! The options of `prompts`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tidemill_apps::setting::amount;

use super::values::{requests, share, url};

/// Options of `prompts`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PromptsOptions {
    #[command(subcommand)]
    pub(crate) action: PromptsAction,
}

/// What `prompts` does.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PromptsAction {
    /// List the prompts: name, version, hash, application, settings, fields of the answers
    List,
    /// Print the file of a prompt
    Show {
        /// The prompt's name
        name: String,
    },
    /// Ask recorded requests again with another prompt or another model, and compare the answers
    ///
    /// Settings of the analyst (provider, key, address, price, time limit, attempts) are those of `serve`. Their limits
    /// and budgets do not count here: before it starts, the command says the most that its requests may cost, and asks
    /// for --yes above --ask-above. Ctrl-C prints what is there so far.
    Eval(Box<EvalOptions>),
}

/// Options of `prompts eval`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EvalOptions {
    /// The application whose requests are asked
    #[arg(long, value_name = "ID")]
    pub(crate) application: String,
    /// Recorded requests: JSON lines as GET /state/calls/ID/journal of a server gives them
    #[arg(long, value_name = "FILE", conflicts_with = "url", required_unless_present = "url")]
    pub(crate) requests: Option<PathBuf>,
    /// Address of a server that keeps calls (`analyst.keep_calls`)
    #[arg(long, value_name = "URL", value_parser = url)]
    pub(crate) url: Option<String>,
    /// Token of a tenant with `admin = true`
    #[arg(long, env = "TIDEMILL_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// File of the prompt to try; without it, this program's prompt
    #[arg(long, value_name = "FILE")]
    pub(crate) prompt: Option<PathBuf>,
    /// The model to try; without it, the analyst's model
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// What to compare with: recorded, offline, or the file of a prompt, which is asked the same requests
    #[arg(long, value_name = "WHAT", default_value = "recorded", value_parser = against)]
    pub(crate) against: Against,
    /// The most requests
    #[arg(long, default_value_t = 50, value_parser = requests)]
    pub(crate) limit: usize,
    /// The difference of numbers that counts as agreement, as a share of their range
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    pub(crate) tolerance: f64,
    /// Exit with 1 if a smaller share of the requests gets an answer that fits the schema
    #[arg(long, value_name = "SHARE", default_value_t = 0.98, value_parser = share)]
    pub(crate) min_valid: f64,
    /// Exit with 1 if the agreement, which is of all fields but free texts, is smaller
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) min_agreement: Option<f64>,
    /// Ask for --yes if the requests may cost more
    #[arg(long, value_name = "AMOUNT", default_value = "1.00", value_parser = amount)]
    pub(crate) ask_above: u64,
    /// Ask the requests although they may be expensive, or their price is not known
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What answers are compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Against {
    /// The recorded answers.
    Recorded,
    /// The answers of the offline analysis.
    Offline,
    /// The answers to another prompt.
    Prompt(PathBuf),
}

#[expect(clippy::unnecessary_wraps, reason = "clap's parsers may fail")]
fn against(text: &str) -> Result<Against, String> {
    Ok(match text {
        "recorded" => Against::Recorded,
        "offline" => Against::Offline,
        file => Against::Prompt(file.into()),
    })
}
