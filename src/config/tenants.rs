//! The tenants: `[[tenant]]` in the file.

use std::{env, fs, sync::Arc};

use tidemill::Limit;
use tidemill_apps::{
    apps::APPLICATIONS,
    server::{Settings, Tenant},
    setting::{amount, bytes},
};
use toml::{Table, Value};

type MakeLimit = fn(u64) -> Limit;

/// Budgets of one tenant for calls to models, in tokens, or in money as text.
const BUDGETS: [(&str, MakeLimit); 5] = [
    ("calls_in_flight", Limit::in_flight),
    ("tokens_per_hour", Limit::tokens_per_hour),
    ("tokens_per_day", Limit::tokens_per_day),
    ("money_per_hour", Limit::micros_per_hour),
    ("money_per_day", Limit::micros_per_day),
];

/// The fields of a tenant. Each application adds a field with the ids that the tenant may use.
fn known_fields() -> Vec<&'static str> {
    let ids = APPLICATIONS.iter().map(|app| app.owner.plural);
    let (before, after) = (["name", "token", "token_file", "token_env"], ["admin", "records_per_second", "body"]);
    before.into_iter().chain(ids).chain(after).chain(BUDGETS.map(|(field, _)| field)).collect()
}

pub(super) fn read(file: &str, tenants: Value, settings: &mut Settings, problems: &mut Vec<String>) {
    let Value::Array(tenants) = tenants else {
        return problems.push(format!("{file}: write tenants as [[tenant]]"));
    };
    for (at, tenant) in tenants.into_iter().enumerate() {
        let mut problem = |text: String| problems.push(format!("{file}: tenant {}: {text}", at + 1));
        match tenant {
            Value::Table(fields) => {
                let limits = limits_of(&fields, &mut problem);
                let tenant = tenant_of(&fields, &mut problem).map(Arc::new);
                if !limits.is_empty() && tenant.as_ref().is_some_and(|tenant| tenant.admin) {
                    let whose = "give the budgets to the tenants whose ids it opens";
                    problem(format!("an administrator pays for no call, so its budgets never count: {whose}"));
                }
                let named =
                    |limit: Limit| tenant.iter().map(move |tenant| limit.clone().of_tenant(&*tenant.name)).next();
                settings.calls.limits.extend(limits.into_iter().filter_map(named));
                settings.tenants.extend(tenant);
            }
            _ => problem("write it as [[tenant]]".to_owned()),
        }
    }
}

fn tenant_of(fields: &Table, problem: &mut impl FnMut(String)) -> Option<Tenant> {
    let known = known_fields();
    for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
        problem(format!("there is no field '{name}'; the fields are {}", known.join(", ")));
    }
    let name = fields.get("name").and_then(Value::as_str).map(ToOwned::to_owned);
    if name.is_none() {
        problem("'name' must be a string".to_owned());
    }
    let token = token(fields).map_err(&mut *problem).ok();
    let mut ids = |field: &str| match fields.get(field) {
        None => Vec::new(),
        Some(Value::Array(ids)) if ids.iter().all(Value::is_str) => {
            ids.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
        }
        Some(_) => {
            problem(format!("'{field}' must be a list of ids, such as [\"ada\", \"team-*\"]"));
            Vec::new()
        }
    };
    let owners = APPLICATIONS.iter().map(|app| (app.owner.plural, ids(app.owner.plural))).collect();
    let admin = fields.get("admin").map_or(Some(false), Value::as_bool);
    if admin.is_none() {
        problem("'admin' must be true or false".to_owned());
    }
    let rate = fields.get("records_per_second");
    let records_per_second = rate.and_then(Value::as_integer).and_then(|rate| u32::try_from(rate).ok());
    if rate.is_some() && records_per_second.is_none_or(|rate| rate == 0) {
        problem("'records_per_second' must be a whole number above 0".to_owned());
    }
    let body_bytes = match fields.get("body").map(|body| body.as_str().ok_or("must be a size such as 1MiB".to_owned()))
    {
        None => None,
        Some(size) => match size.and_then(bytes) {
            Ok(size) => Some(size),
            Err(text) => {
                problem(format!("'body' {text}"));
                None
            }
        },
    };
    Some(Tenant { name: name?, token: token?, owners, admin: admin?, records_per_second, body_bytes })
}

fn limits_of(fields: &Table, problem: &mut impl FnMut(String)) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (field, limit) in BUDGETS {
        let money = field.starts_with("money");
        let most = match fields.get(field) {
            None => continue,
            Some(Value::String(text)) if money => amount(text).ok(),
            Some(Value::Integer(most)) if !money => u64::try_from(*most).ok(),
            Some(_) => None,
        };
        match most.filter(|most| *most > 0) {
            Some(most) => limits.push(limit(most)),
            None if money => problem(format!("'{field}' must be an amount above 0 as text, such as \"2.50\"")),
            None => problem(format!("'{field}' must be a whole number above 0")),
        }
    }
    limits
}

fn token(fields: &Table) -> Result<String, String> {
    let text = |field| fields.get(field).and_then(Value::as_str);
    let token = match (text("token"), text("token_file"), text("token_env")) {
        (Some(token), None, None) => token.to_owned(),
        (None, Some(file), None) => {
            fs::read_to_string(file).map_err(|error| format!("'token_file' {file}: {error}"))?
        }
        (None, None, Some(name)) => env::var(name).map_err(|error| format!("'token_env' {name}: {error}"))?,
        _ => return Err("give one of 'token', 'token_file' and 'token_env'".to_owned()),
    };
    Ok(token.trim().to_owned())
}
