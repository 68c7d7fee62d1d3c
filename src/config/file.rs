//! The configuration file, in TOML.

use std::{fs, path::Path};

use toml::{Table, Value};

use super::{near::suggestion, sources::Sources, tenants, text::text};

impl Sources {
    pub(super) fn read_file(&mut self, path: &Path) {
        let file = path.display().to_string();
        let table = match fs::read_to_string(path).map(|text| text.parse::<Table>()) {
            Ok(Ok(table)) => table,
            Ok(Err(error)) => return self.problem(format!("{file}: {}", error.to_string().trim_end())),
            Err(error) => return self.problem(format!("{file}: {error}")),
        };
        for (section, value) in table {
            match (section.as_str(), value) {
                ("tenant", tenants) => {
                    tenants::read(&file, tenants, &mut self.draft.settings, &mut self.problems);
                }
                (_, Value::Table(values)) => {
                    for (key, value) in values {
                        self.take_key(&file, &format!("{section}.{key}"), value);
                    }
                }
                _ => self.problem(format!("{file}: '{section}' must be a section, such as [server]")),
            }
        }
    }

    fn take_key(&mut self, file: &str, name: &str, value: Value) {
        if name == "kafka.properties" {
            return self.draft.kafka.take_table(file, value, &mut self.problems);
        }
        match (self.row(name), text(&value)) {
            (Some(row), Some(text)) => self.say(row.name, text, file),
            (Some(_), None) => self.problem(format!("{file}: '{name}' must be a single value")),
            (None, _) => {
                self.problem(format!("{file}: there is no setting '{name}'{}", suggestion(name, self.names())));
            }
        }
    }
}
