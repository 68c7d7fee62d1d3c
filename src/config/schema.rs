//! Settings of the topics' format and of the schema registry. They are checked together.

use std::{fs, path::PathBuf, time::Duration};

use tidemill_apps::{
    server::FormatChoice,
    setting::{Row, duration, path, text, variable},
};
use tidemill_schemas::avro::{Credentials, RegistrySettings};

use super::secrets::travel_safely;

/// The settings of the format, as given.
#[derive(Debug, Default)]
pub(super) struct Schema {
    avro: bool,
    registry: Option<String>,
    user: Option<String>,
    password: Option<String>,
    password_file: Option<PathBuf>,
    patience: Duration,
}

type Setting = Row<Schema>;

pub(super) fn rows() -> Vec<Setting> {
    vec![
        Setting::choice("schema.format", "json", &[("json", false), ("avro", true)], |s| &mut s.avro)
            .help("Format of the values on topics"),
        Setting::new("schema.registry", "", registry, |s| &mut s.registry)
            .help("Address of the schema registry, for avro"),
        Setting::new("schema.user", "", text, |s| &mut s.user).help("User at the schema registry"),
        Setting::new("schema.password", "", text, |s| &mut s.password).secret().help("The user's password"),
        Setting::new("schema.password_file", "", path, |s| &mut s.password_file)
            .help("File that holds the user's password"),
        Setting::new("schema.timeout", "10s", duration, |s| &mut s.patience)
            .help("How long the start waits for a registry that does not answer"),
    ]
}

impl Schema {
    /// The format, or all contradictions between the settings.
    pub(super) fn choose(self) -> Result<FormatChoice, Vec<String>> {
        let Self { avro, registry, user, password, password_file, patience } = self;
        let mut problems = Vec::new();
        let credentials = credentials(user, password, password_file).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
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
                if credentials.is_some() && !travel_safely(&url) {
                    problems.push(format!(
                        "'schema.registry' {url} must begin with https://, or the password is sent unencrypted"
                    ));
                }
                FormatChoice::Avro(RegistrySettings { credentials, patience, ..RegistrySettings::new(url) })
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
        (Some(_), None) => {
            let variable = variable("schema.password");
            Err(format!("'schema.user' needs a password: set {variable} or 'schema.password_file'"))
        }
        (None, Some(_)) => Err("the schema registry's password is set, but no user: set 'schema.user'".to_owned()),
    }
}

fn registry(url: &str) -> Result<Option<String>, String> {
    if url.contains('@') {
        // The message does not repeat the text, which may hold a password.
        let variable = variable("schema.password");
        return Err(format!("must not hold a user and a password: set 'schema.user' and {variable}"));
    }
    if !url.is_empty() && !["http://", "https://"].iter().any(|at| url.starts_with(at)) {
        return Err(format!("must be an address such as http://localhost:8081, not '{url}'"));
    }
    text(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(said: &[(&str, &str)]) -> Result<FormatChoice, Vec<String>> {
        let mut schema = Schema::default();
        let rows = rows();
        for (name, text) in said {
            let row = rows.iter().find(|row| row.name == *name).expect("a setting of the schema registry");
            row.set(&mut schema, text).map_err(|problem| vec![problem])?;
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
