//! One event in the versions of its life.

use serde::{Deserialize, Serialize};
use tidemill_schemas::avro::{AvroEvent, Schema};

macro_rules! version {
    ($module:ident: $schema:literal, { $($field:ident: $type:ty),* }) => {
        pub(crate) mod $module {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            pub(crate) struct Goal {
                $(pub(crate) $field: $type,)*
            }

            impl AvroEvent for Goal {
                const SCHEMA: &'static str = $schema;

                fn schema() -> &'static Schema {
                    static PARSED: std::sync::LazyLock<Schema> =
                        std::sync::LazyLock::new(|| Schema::parse_str(Goal::SCHEMA).expect("a schema"));
                    &PARSED
                }
            }
        }
    };
}

version!(first: r#"{
    "type": "record", "name": "Goal", "namespace": "tests",
    "fields": [{ "name": "minute", "type": "long" }, { "name": "by", "type": "string", "default": "nobody" }]
}"#, { minute: i64, by: String });

// One field more, which has a default.
version!(second: r#"{
    "type": "record", "name": "Goal", "namespace": "tests",
    "fields": [
        { "name": "assist", "type": ["null", "string"], "default": null },
        { "name": "minute", "type": "long" }, { "name": "by", "type": "string", "default": "nobody" }
    ]
}"#, { assist: Option<String>, minute: i64, by: String });

// A field whose type is another.
version!(broken: r#"{
    "type": "record", "name": "Goal", "namespace": "tests",
    "fields": [{ "name": "minute", "type": "string" }]
}"#, { minute: String });

// A field less, which old readers need.
version!(shorter: r#"{
    "type": "record", "name": "Goal", "namespace": "tests",
    "fields": [{ "name": "by", "type": "string", "default": "nobody" }]
}"#, { by: String });
