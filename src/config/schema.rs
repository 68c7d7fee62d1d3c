//! The settings of topics' format and of the schema registry, which make sense only together.

use std::{fs, path::PathBuf, time::Duration};

use tidemill::server::FormatChoice;
use tidemill_schemas::avro::{Credentials, RegistrySettings};

use super::value::duration;

/// What was said about the format.
#[derive(Debug, Default)]
pub(super) struct Schema {
    avro: bool,
    registry: Option<String>,
    user: Option<String>,
    password: Option<String>,
    password_file: Option<PathBuf>,
    patience: Option<Duration>,
}

impl Schema {
    pub(super) fn apply(&mut self, name: &str, text: &str) -> Result<(), String> {
        let said = Some(text.to_owned()).filter(|text| !text.is_empty());
        match name {
            "schema.format" => {
                self.avro = match text {
                    "json" => false,
                    "avro" => true,
                    _ => return Err(format!("must be json or avro, not '{text}'")),
                };
            }
            "schema.registry" => {
                if said.as_ref().is_some_and(|url| !["http://", "https://"].iter().any(|at| url.starts_with(at))) {
                    return Err(format!("must be an address such as http://localhost:8081, not '{text}'"));
                }
                if text.contains('@') {
                    // The text is not repeated: it holds a password.
                    return Err("must not hold a user: that is what schema.user and its password are for".to_owned());
                }
                self.registry = said;
            }
            "schema.user" => self.user = said,
            "schema.password" => self.password = said,
            "schema.password_file" => self.password_file = said.map(PathBuf::from),
            "schema.timeout" => self.patience = Some(duration(text)?),
            _ => return Err("is listed but not known: this is a bug".to_owned()),
        }
        Ok(())
    }

    /// The format, or what contradicts itself.
    pub(super) fn choose(self) -> Result<FormatChoice, Vec<String>> {
        let Self { avro, registry, user, password, password_file, patience } = self;
        let mut problems = Vec::new();
        let credentials = credentials(user, password, password_file).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let is_safe = |url: &str| {
            url.starts_with("https://")
                || ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|at| url.starts_with(at))
        };
        let choice = match (avro, registry) {
            (false, None) => FormatChoice::Json,
            (false, Some(_)) => {
                problems.push("'schema.registry' is set, but topics are JSON: set schema.format to avro".to_owned());
                FormatChoice::Json
            }
            (true, None) => {
                problems.push("schema.format avro needs the address of a registry: set 'schema.registry'".to_owned());
                FormatChoice::Json
            }
            (true, Some(url)) => {
                if credentials.is_some() && !is_safe(&url) {
                    problems.push(format!(
                        "'schema.registry' {url} must begin with https://, or the password would travel unencrypted"
                    ));
                }
                let mut settings = RegistrySettings { credentials, ..RegistrySettings::new(url) };
                if let Some(patience) = patience {
                    settings.patience = patience;
                }
                FormatChoice::Avro(settings)
            }
        };
        if problems.is_empty() { Ok(choice) } else { Err(problems) }
    }
}

fn credentials(
    user: Option<String>,
    password: Option<String>,
    file: Option<PathBuf>,
) -> Result<Option<Credentials>, String> {
    let password = match (password, file) {
        (Some(password), _) => Some(password),
        (None, Some(file)) => {
            let read = fs::read_to_string(&file);
            let read = read.map_err(|error| format!("'schema.password_file' {}: {error}", file.display()))?;
            Some(read.trim_end_matches(['\r', '\n']).to_owned())
        }
        (None, None) => None,
    };
    match (user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => Ok(Some(Credentials { user, password })),
        (Some(_), None) => Err("'schema.user' needs TIDEMILL_SCHEMA_PASSWORD, or 'schema.password_file'".to_owned()),
        (None, Some(_)) => Err("the schema registry's password needs 'schema.user'".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(said: &[(&str, &str)]) -> Result<FormatChoice, Vec<String>> {
        let mut schema = Schema::default();
        for (name, text) in said {
            schema.apply(name, text).map_err(|problem| vec![problem])?;
        }
        schema.choose()
    }

    #[test]
    fn json_is_what_nobody_has_to_ask_for() {
        assert_eq!(choose(&[("schema.registry", ""), ("schema.format", "json")]), Ok(FormatChoice::Json));
    }

    #[test]
    fn avro_takes_address_user_and_password() {
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        fs::write(file.path(), "secret\n").expect("and written");
        let path = file.path().display().to_string();
        let said = [
            ("schema.format", "avro"),
            ("schema.registry", "https://registry.example"),
            ("schema.user", "ada"),
            ("schema.password_file", &path),
            ("schema.timeout", "3s"),
        ];
        let Ok(FormatChoice::Avro(settings)) = choose(&said) else { panic!("valid") };
        let credentials = Credentials { user: "ada".to_owned(), password: "secret".to_owned() };
        assert_eq!((settings.credentials, settings.patience), (Some(credentials), Duration::from_secs(3)));
    }

    #[test]
    fn half_of_what_belongs_together_is_a_mistake() {
        let avro = ("schema.format", "avro");
        let far = ("schema.registry", "http://registry.example");
        for (said, part) in [
            (&[avro][..], "set 'schema.registry'"),
            (&[far], "set schema.format"),
            (&[avro, far, ("schema.user", "ada")], "TIDEMILL_SCHEMA_PASSWORD"),
            (&[avro, far, ("schema.password", "x")], "'schema.user'"),
            (&[avro, far, ("schema.user", "ada"), ("schema.password", "x")], "unencrypted"),
            (&[avro, ("schema.registry", "registry:8081")], "http://localhost:8081"),
            (&[avro, ("schema.registry", "https://ada:hunter2@registry.example")], "schema.user"),
            (&[("schema.format", "xml")], "json or avro"),
        ] {
            let problems = choose(said).expect_err(part);
            assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:?}");
            assert!(!problems.iter().any(|problem| problem.contains("hunter2")), "{problems:?}");
        }
    }
}
