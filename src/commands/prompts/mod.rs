//! Prompts of this program: lists them, shows them, compares them with others.

mod eval;
mod journal;
mod list;

use anyhow::Result;
use tidemill_apps::apps::{APPLICATIONS, App, Asked};

use crate::{
    cli::{PromptsAction, PromptsOptions},
    config::Config,
    usage::usage,
};

/// Runs the action.
pub(crate) fn prompts(config: Config, options: &PromptsOptions) -> Result<()> {
    match &options.action {
        PromptsAction::List => list::list(&config.settings),
        PromptsAction::Show { name } => list::show(name),
        PromptsAction::Eval(options) => eval::eval(config, options),
    }
}

/// The applications with prompts.
fn asked() -> impl Iterator<Item = (App, &'static Asked)> {
    APPLICATIONS.into_iter().filter_map(|app| Some((app, &app.calls.as_ref()?.asked)))
}

/// What a model is asked for an application.
fn asked_for(id: &str) -> Result<(App, &'static Asked)> {
    let known = APPLICATIONS.into_iter().any(|app| app.id == id);
    let ids: Vec<_> = asked().map(|(app, _)| app.id).collect();
    let ids = ids.join(" and ");
    asked().find(|(app, _)| app.id == id).ok_or_else(|| {
        usage(if known {
            format!("{id} asks no model, so it has no prompt; the applications with prompts are {ids}")
        } else {
            format!("there is no application '{id}'; the applications with prompts are {ids}")
        })
    })
}
