//! Reads a prompt's file, and finds all of its mistakes.

use serde_json::{Map, Value};

use super::{OutputCheck, Prompt};

const FIELDS: [&str; 8] = ["name", "version", "system", "task", "temperature", "max_output_tokens", "input", "output"];

pub(super) fn parse(text: &str) -> Result<Prompt, Vec<String>> {
    let mut fields: Map<String, Value> =
        toml::from_str(text).map_err(|error| vec![format!("it is no TOML: {}", error.to_string().trim_end())])?;
    let mut reader = Reader { problems: Vec::new() };
    let name = reader.name(fields.remove("name"));
    let version = reader.number(&fields, "version", true).unwrap_or_default();
    let system = reader.text(&fields, "system");
    let task = reader.text(&fields, "task");
    let temperature = reader.temperature(fields.get("temperature"));
    let max_output_tokens = reader.number(&fields, "max_output_tokens", false);
    let input = reader.schema(fields.get("input"), "input");
    let output = reader.schema(fields.get("output"), "output");
    if let Some((schema, _)) = &output
        && schema["type"] != "object"
    {
        reader.problem("output: the type must be \"object\", because some providers take no other");
    }
    for unknown in fields.keys().filter(|field| !FIELDS.contains(&field.as_str())) {
        reader.problem(format!("{unknown}: there is no such field. The fields are {}", FIELDS.join(", ")));
    }
    let (input_schema, input) = input.unzip();
    let hash = String::new();
    let prompt = Prompt { name, version, system, task, temperature, max_output_tokens, input, output, hash };
    if reader.problems.is_empty() { Ok(prompt.hashed(input_schema.as_ref())) } else { Err(reader.problems) }
}

struct Reader {
    problems: Vec<String>,
}

impl Reader {
    fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    fn name(&mut self, value: Option<Value>) -> String {
        let name = value.and_then(|value| value.as_str().map(ToOwned::to_owned)).unwrap_or_default();
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if name.is_empty() || !name.chars().all(fits) {
            self.problem("name: write a name of small letters, digits and hyphens");
        }
        name
    }

    fn text(&mut self, fields: &Map<String, Value>, name: &str) -> String {
        let text = fields.get(name).and_then(Value::as_str).unwrap_or_default().replace("\r\n", "\n");
        if text.trim().is_empty() {
            self.problem(format!("{name}: write a text"));
        }
        if text.contains("{{") || text.contains("${") {
            self.problem(format!("{name}: it has a gap for data. Data is sent in a turn of its own"));
        }
        text.trim().to_owned()
    }

    fn number(&mut self, fields: &Map<String, Value>, name: &str, needed: bool) -> Option<u32> {
        let value = fields.get(name);
        let number = value.and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| *number > 0);
        match value {
            Some(_) if number.is_none() => self.problem(format!("{name}: write a whole number from 1")),
            None if needed => {
                self.problem(format!(
                    "{name}: it is missing. Write a whole number from 1, and raise it with each change"
                ));
            }
            _ => {}
        }
        number
    }

    fn temperature(&mut self, value: Option<&Value>) -> Option<f64> {
        let temperature = value.and_then(Value::as_f64).filter(|number| (0.0..=2.0).contains(number));
        if temperature.is_none() && value.is_some() {
            self.problem("temperature: write a number from 0 to 2");
        }
        temperature
    }

    /// A schema, as a table or as JSON in a text.
    fn schema(&mut self, value: Option<&Value>, name: &str) -> Option<(Value, OutputCheck)> {
        let schema = match value? {
            Value::String(text) => serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}")),
            table => Ok(table.clone()),
        };
        let checked = schema.and_then(|schema| match OutputCheck::new(&schema) {
            Ok(check) => Ok((schema, check)),
            Err(flaws) => Err(format!("it is no JSON schema: {flaws}")),
        });
        checked.map_err(|problem| self.problem(format!("{name}: {problem}"))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = 'a'\nversion = 1\nsystem = 's'\ntask = 't'\n";

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "name = 'Live Insight'\nversion = 0\ntask = 'Judge {{chat}}'\ntemperature = 7\nmodel = 'x'\n\
                    output = '{'\n[input]\ntype = 'number of chats'\n";
        let problems = parse(text).map(|_| ()).expect_err("mistakes");
        let fields: Vec<_> = problems.iter().filter_map(|problem| Some(problem.split_once(':')?.0)).collect();
        assert_eq!(fields, ["name", "version", "system", "task", "temperature", "input", "output", "model"]);
    }

    #[test]
    fn a_text_that_is_no_toml_is_told_with_its_line() {
        let problems = parse("name = ").map(|_| ()).expect_err("mistakes");
        assert!(problems.len() == 1 && problems[0].contains("line 1"), "{problems:?}");
    }

    #[test]
    fn the_hash_is_of_what_the_prompt_says_and_not_of_how_the_file_says_it() -> Result<(), Vec<String>> {
        let prompt = parse(GOOD)?;
        let other = "# a comment\r\nversion = 1\r\nname = \"a\"\r\ntask = 't'\r\nsystem = '''\r\ns\r\n'''\r\n";
        assert_eq!(parse(other)?.hash(), prompt.hash());
        assert_ne!(parse(&format!("{GOOD}temperature = 0.5"))?.hash(), prompt.hash());
        assert_ne!(parse(&format!("{GOOD}[output]\ntype = 'object'"))?.hash(), prompt.hash());
        assert_ne!(
            parse(&format!("{GOOD}[input]\ntype = 'object'"))?.hash(),
            parse(&format!("{GOOD}[output]\ntype = 'object'"))?.hash()
        );
        assert_eq!(&prompt.hash()[..12], "18c2448f5533", "the same on every machine");
        Ok(())
    }

    #[test]
    fn a_schema_may_not_point_to_other_documents() {
        let text = format!("{GOOD}output = '{{\"type\":\"object\",\"$ref\":\"http://127.0.0.1/schema.json\"}}'");
        assert!(parse(&text).is_err());
    }
}
