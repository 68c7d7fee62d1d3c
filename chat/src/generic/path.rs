//! Paths into JSON.

use serde_json::Value;

/// A path with dots such as `author.name`, where a number is an index, or a JSON Pointer such as `/author/name`. The
/// empty path is the whole.
pub(crate) fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let found = if path.is_empty() || path.starts_with('/') {
        value.pointer(path)
    } else {
        path.split('.').try_fold(value, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            other => other.get(step),
        })
    };
    found.filter(|value| !value.is_null())
}

/// A text or a number as a text.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_kinds_of_paths_lead_to_a_value() {
        let value = json!({"a": {"b.c": [1, {"d": "x"}]}, "n": null});
        assert_eq!(find(&value, "/a/b.c/1/d"), Some(&json!("x")));
        assert_eq!(find(&json!([[7]]), "0.0"), Some(&json!(7)));
        assert_eq!((find(&value, "n"), find(&value, "a.x.y"), find(&value, "/q")), (None, None, None));
        assert_eq!(find(&value, ""), Some(&value));
    }
}
