//! Values of the file as texts, as all other sources give them.

use toml::Value;

/// A value of the file as text; `None` for tables, dates, and lists with items that are not strings.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(value.to_string()),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(ToOwned::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(|all| all.join(",")),
        Value::Table(_) | Value::Datetime(_) => None,
    }
}
