//! Hashes that tell equal content from other content. Strangers choose the content, so the hash is a cryptographic one.

use std::fmt::Write as _;

use ring::digest;
use serde_json::Value;

/// The SHA-256 hash of the parts. The lengths are part of the hash, so the borders between the parts count.
pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A JSON text in which the names of objects are sorted. Equal values have equal texts, whatever crates are built in.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.keys().collect();
            names.sort();
            let fields = names.into_iter().map(|name| {
                let (key, value) = (Value::from(name.as_str()), &fields[name]);
                format!("{key}:{}", canonical(value))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_border_between_parts_counts() {
        assert_ne!(sha256(&[b"ab", b"c"]), sha256(&[b"a", b"bc"]));
        assert_eq!(hex(&sha256(&[])[..3]), "e3b0c4", "the hash of nothing, as everybody computes it");
    }

    #[test]
    fn the_order_of_names_does_not_count() {
        assert_eq!(
            canonical(&json!({ "b": [1, { "d": null, "c": "x" }], "a": 1.5 })),
            r#"{"a":1.5,"b":[1,{"c":"x","d":null}]}"#
        );
    }
}
