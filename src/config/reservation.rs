//! Budgets that would never let a call through: what a call reserves is known before the start, at least a part of it.

use tidemill::{
    Limit, Usage,
    llm::{Prompt, least_reservation},
};
use tidemill_apps::{apps::ModelSettings, evaluation::money, server::Settings};

/// The largest of what calls reserve at least.
struct Least {
    app: &'static str,
    model: String,
    usage: Usage,
}

/// The limits that are smaller than what one call reserves. `limits` are given with their settings.
pub(super) fn too_small(settings: &Settings, models: &ModelSettings, limits: &[(String, Limit)]) -> Vec<String> {
    let least = least(settings, models);
    let problems = limits.iter().filter_map(|(setting, limit)| {
        let largest = least.iter().filter(|call| !limit.fits(&call.usage)).max_by_key(|call| limit.counts(&call.usage))?;
        let Least { app, model, usage } = largest;
        let needs = if limit.is_of_money() {
            money(usage.cost_micros, &models.currency)
        } else {
            format!("{} tokens", usage.tokens())
        };
        Some(format!(
            "{setting} is below what one call reserves, so no call of {app} to {model} would ever be made: before a call, \
             at least {needs} is reserved, the most that it may use. Raise it, best to fifty times that"
        ))
    });
    problems.collect()
}

fn least(settings: &Settings, models: &ModelSettings) -> Vec<Least> {
    let apps = settings.apps.iter().filter_map(|app| Some((app.id, &app.calls.as_ref()?.asked)));
    let prompted = apps.filter_map(|(app, asked)| {
        let other = settings.prompts.get(app).cloned().flatten();
        // A test reads the program's own prompts.
        let own = if other.is_none() { Prompt::parse(asked.prompt).ok().map(Into::into) } else { None };
        Some((app, other.or(own)?))
    });
    let each = prompted.flat_map(|(app, prompt)| {
        models.models.iter().map(move |model| {
            let usage = least_reservation(&prompt, &model.price);
            Least { app, model: model.name.clone(), usage }
        })
    });
    each.collect()
}
