//! A row: name, default, help, and the conversion of a text into a value of the right type.

use std::fmt;

/// Prefix of every setting's environment variable.
pub const PREFIX: &str = "TIDEMILL_";

/// One setting, whose value is a field of `D`.
///
/// The help shows `default`, and the program parses the same text if no source gives a value. So the documented default
/// is always the real default.
pub struct Row<D> {
    /// Section and key in the file, such as `run.threads`.
    pub name: &'static str,
    /// The value, as text, if no source gives one. May be empty.
    pub default: &'static str,
    /// How the setting may be given on a command line.
    pub command_line: CommandLine,
    help: &'static str,
    /// The legal values, if they are few.
    choices: Option<String>,
    set: Box<Setter<D>>,
}

/// Parses a text into a field of `D`.
type Setter<D> = dyn Fn(&mut D, &str) -> Result<(), String>;

/// How a setting may be given on a command line, which every user of the machine can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandLine {
    /// Not at all: the value is a secret.
    Never,
    /// As `--set KEY=VALUE`.
    Set,
    /// As `--set KEY=VALUE`, and with a flag of its own.
    Flag {
        /// The flag, without its hyphens.
        long: &'static str,
        /// The name of the flag's value in the help.
        value: &'static str,
    },
}

impl<D: 'static> Row<D> {
    /// Creates a setting. `parse` turns its text into the type of the field that `place` returns.
    pub fn new<T: 'static>(
        name: &'static str,
        default: &'static str,
        parse: fn(&str) -> Result<T, String>,
        place: impl Fn(&mut D) -> &mut T + 'static,
    ) -> Self {
        let set = move |to: &mut D, text: &str| {
            *place(to) = parse(text)?;
            Ok(())
        };
        Self { name, default, command_line: CommandLine::Set, help: "", choices: None, set: Box::new(set) }
    }

    /// Creates a setting with few legal values. Its help and its error message list them.
    pub fn choice<T: Copy + 'static>(
        name: &'static str,
        default: &'static str,
        choices: &'static [(&'static str, T)],
        place: impl Fn(&mut D) -> &mut T + 'static,
    ) -> Self {
        let names = one_of(&choices.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let listed = names.clone();
        let set = move |to: &mut D, text: &str| {
            let chosen = choices.iter().find(|(name, _)| *name == text);
            let (_, value) = chosen.ok_or_else(|| format!("must be {names}, not '{text}'"))?;
            *place(to) = *value;
            Ok(())
        };
        Self { name, default, command_line: CommandLine::Set, help: "", choices: Some(listed), set: Box::new(set) }
    }

    /// Sets the help text.
    #[must_use]
    pub fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// Gives the setting a flag of its own.
    #[must_use]
    pub fn flag(mut self, long: &'static str, value: &'static str) -> Self {
        self.command_line = CommandLine::Flag { long, value };
        self
    }

    /// Forbids the setting on command lines, because its value is a secret.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.command_line = CommandLine::Never;
        self
    }

    /// The same setting, in a value that contains `D`.
    #[must_use]
    pub fn within<O: 'static>(self, place: fn(&mut O) -> &mut D) -> Row<O> {
        let Self { name, default, command_line, help, choices, set } = self;
        let set = move |to: &mut O, text: &str| set(place(to), text);
        Row { name, default, command_line, help, choices, set: Box::new(set) }
    }

    /// Parses a text and stores the value in the setting's field.
    ///
    /// # Errors
    /// If the text is not a legal value. The message continues a sentence that begins with the setting's name.
    pub fn set(&self, to: &mut D, text: &str) -> Result<(), String> {
        (self.set)(to, text)
    }

    /// The help text, the legal values if they are few, and the default.
    pub fn to_help(&self) -> String {
        let mut text = self.help.to_owned();
        if let Some(choices) = &self.choices {
            text = format!("{text}: {choices}");
        }
        if !self.default.is_empty() {
            text = format!("{text} [default: {}]", self.default);
        }
        text
    }
}

impl<D> fmt::Debug for Row<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, default, command_line, help, .. } = self;
        f.debug_struct("Row")
            .field("name", name)
            .field("default", default)
            .field("command_line", command_line)
            .field("help", help)
            .finish_non_exhaustive()
    }
}

/// The environment variable of a setting, such as `TIDEMILL_RUN_THREADS` for `run.threads`.
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_uppercase())
}

/// `a, b or c`.
fn one_of(names: &[&str]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::{number, switch};

    #[derive(Default)]
    struct Outer {
        inner: Inner,
    }

    #[derive(Default)]
    struct Inner {
        threads: usize,
        eager: bool,
    }

    #[test]
    fn a_row_sets_its_own_field_alone() {
        let threads = Row::new("run.threads", "1", number, |inner: &mut Inner| &mut inner.threads);
        let eager = Row::new("run.eager", "false", switch, |inner: &mut Inner| &mut inner.eager);
        let mut outer = Outer::default();
        threads.within(|outer: &mut Outer| &mut outer.inner).set(&mut outer, "3").expect("a number");
        assert_eq!((outer.inner.threads, outer.inner.eager), (3, false));
        eager.set(&mut outer.inner, "true").expect("a switch");
        assert_eq!((outer.inner.threads, outer.inner.eager), (3, true));
    }

    #[test]
    fn a_refused_text_changes_nothing() {
        let row = Row::new("run.threads", "1", number, |inner: &mut Inner| &mut inner.threads);
        let mut inner = Inner { threads: 7, eager: false };
        assert_eq!(row.set(&mut inner, "many"), Err("must be a whole number, not 'many'".to_owned()));
        assert_eq!(inner.threads, 7);
    }

    #[test]
    fn help_and_errors_list_the_choices() {
        let choices = &[("one", 1), ("two", 2), ("three", 3)];
        let row = Row::choice("run.threads", "two", choices, |inner: &mut Inner| &mut inner.threads).help("Threads");
        assert_eq!(row.to_help(), "Threads: one, two or three [default: two]");
        let mut inner = Inner::default();
        assert_eq!(row.set(&mut inner, "four"), Err("must be one, two or three, not 'four'".to_owned()));
        row.set(&mut inner, "three").expect("a choice");
        assert_eq!(inner.threads, 3);
    }

    #[test]
    fn variables_are_names_in_capitals() {
        assert_eq!(variable("data.raw_retention"), "TIDEMILL_DATA_RAW_RETENTION");
    }
}
