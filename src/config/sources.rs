//! The sources of values: the file, the environment, the command line. A later source overrides an earlier one.

use std::collections::BTreeMap;

use tidemill_apps::setting::{CommandLine, Row, variable};

use super::{
    analyst::{self, Given},
    kafka,
    near::suggestion,
    options::Options,
    rows::{Draft, rows},
};

/// Variables that name programs. They are no settings: a program is looked for before there are any.
const PROGRAMS: [&str; 2] = ["TIDEMILL_FFMPEG", "TIDEMILL_YT_DLP"];

/// A value, and the source that gave it.
struct Said {
    text: String,
    by: String,
}

/// The values of all sources, and the problems found in them.
pub(super) struct Sources {
    pub(super) rows: Vec<Row<Draft>>,
    said: BTreeMap<&'static str, Said>,
    pub(super) draft: Draft,
    pub(super) problems: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl Sources {
    pub(super) fn new() -> Self {
        Self {
            rows: rows(),
            said: BTreeMap::new(),
            draft: Draft::default(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn read_variables(&mut self, variables: impl Iterator<Item = (String, String)>) {
        for (name, text) in variables {
            match self.rows.iter().find(|row| variable(row.name) == name) {
                Some(row) => self.say(row.name, text, &name),
                None if self.draft.kafka.take_variable(&name, &text) => {}
                None => self.take_unknown(&name),
            }
        }
    }

    /// A name near a setting's is a mistake. Others may be meant for something else: Kubernetes gives every program
    /// variables that begin with the names of services.
    fn take_unknown(&mut self, name: &str) {
        if PROGRAMS.contains(&name) {
            return;
        }
        let variables: Vec<_> = self.rows.iter().map(|row| variable(row.name)).collect();
        let is_service = ["_PORT", "_SERVICE_HOST", "_SERVICE_PORT"].iter().any(|end| name.ends_with(end));
        let is_service = is_service || name.contains("_PORT_") || name.contains("_SERVICE_PORT_");
        let near = if is_service { String::new() } else { suggestion(name, variables.iter().map(String::as_str)) };
        let text = format!("{name}: there is no such setting{near}; `tidemill --help` lists all settings");
        if near.is_empty() { self.warnings.push(text) } else { self.problem(text) }
    }

    pub(super) fn read_options(&mut self, options: &Options) {
        for pair in &options.set {
            match pair.split_once('=') {
                Some((name, text)) => self.take_set(name, text),
                None => self.problem(format!("--set {pair}: write it as KEY=VALUE")),
            }
        }
        for (setting, flag) in options.flags.iter() {
            self.say(setting, flag.text.clone(), &format!("--{}", flag.long));
        }
    }

    fn take_set(&mut self, name: &str, text: &str) {
        const READABLE: &str = "every user of this machine can read a command line";
        if let Some(property) = name.strip_prefix(kafka::PREFIX) {
            if kafka::is_secret(property) {
                let variable = variable(name);
                self.problem(format!("--set {name}: {READABLE}; use {variable} or 'kafka.properties_file'"));
            } else {
                self.draft.kafka.take(property, text);
            }
            return;
        }
        match self.row(name) {
            Some(row) if row.command_line == CommandLine::Never => {
                self.problem(format!("--set {name}: {READABLE}; use {}", variable(name)));
            }
            Some(row) => self.say(row.name, text.to_owned(), "--set"),
            None => self.problem(format!("--set {name}: there is no such setting{}", suggestion(name, self.names()))),
        }
    }

    /// The draft with all defaults and the given values over them, and all problems.
    pub(super) fn draft(self) -> (Draft, Vec<String>) {
        let Self { rows, said, mut draft, mut problems, .. } = self;
        for row in rows {
            row.set(&mut draft, row.default).expect("a test reads every default");
            if let Some(Said { text, by }) = said.get(row.name)
                && let Err(problem) = row.set(&mut draft, text)
            {
                problems.push(format!("{by}: '{}' {problem}", row.name));
            }
        }
        (draft, problems)
    }

    /// The settings that some source gives another value than the default, and the kind of analyst in any case.
    pub(super) fn given(&self) -> Vec<Given> {
        let given = self.said.iter().filter(|(name, said)| {
            let is_default = said.text.trim().is_empty() || self.row(name).is_some_and(|row| row.default == said.text);
            **name == analyst::KIND || !is_default
        });
        let of = |(name, said): (&&'static str, &Said)| Given {
            name,
            by: said.by.clone(),
            is_variable: said.by == variable(name),
        };
        given.map(of).collect()
    }

    /// The names of all settings.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().map(|row| row.name)
    }

    pub(super) fn row(&self, name: &str) -> Option<&Row<Draft>> {
        self.rows.iter().find(|row| row.name == name)
    }

    pub(super) fn say(&mut self, name: &'static str, text: String, by: &str) {
        self.said.insert(name, Said { text, by: by.to_owned() });
    }

    pub(super) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }
}
