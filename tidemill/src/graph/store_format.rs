//! The format of a store. A note of it is kept beside the store and with the changelog. If another topology would read
//! the rows in another meaning, the store refuses to open and the error says how to fix this.

use std::{borrow::Cow, collections::BTreeMap};

/// What the rows of a store depend on, as named fields: the operator, the bounds of its windows, the codecs' names.
///
/// A field that only one of two formats has is not compared. This accepts notes that are older than the field, and
/// codecs without a name.
///
/// ```
/// # use tidemill::StreamsBuilder;
/// # let builder = StreamsBuilder::new();
/// builder.stream::<String, i64>("orders").group_by_key().count("orders-of-user");
///
/// let topology = builder.build()?;
/// let store = topology.stores().next().expect("there is one");
/// let fields: Vec<_> = store.format.fields().collect();
/// assert_eq!(fields, [("key", "utf8"), ("operator", "count"), ("value", "i64")]);
/// # Ok::<(), tidemill::TopologyError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreFormat {
    fields: BTreeMap<String, String>,
}

/// The meaning of a missing field, for fields that are newer than existing notes.
const UNSAID: &[(&str, &str)] = &[(EVENT_TIME, PARTITION), (ROWS, "values")];

/// The field that says what a row is.
const ROWS: &str = "rows";

/// The field that says which time closes the windows of a store.
const EVENT_TIME: &str = "event-time";
const PARTITION: &str = "partition";

impl StoreFormat {
    /// Every field with its value, sorted by field. See the example of [`StoreFormat`].
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(field, value)| (field.as_str(), value.as_str()))
    }

    /// The value of a field, if the format has the field.
    pub(crate) fn field(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// Sets a field.
    pub(crate) fn set(&mut self, field: &str, value: impl ToString) {
        // Each field takes one line.
        self.fields.insert(field.to_owned(), value.to_string().replace('\n', " "));
    }

    /// Sets whether each key has an event time of its own.
    pub(crate) fn set_event_time(&mut self, by_key: bool) {
        self.set(EVENT_TIME, if by_key { "key" } else { PARTITION });
    }

    /// Sets that each row is a version of a value.
    pub(crate) fn set_versions(&mut self) {
        self.set(ROWS, "versions");
    }

    /// Sets the name of a codec, if the codec has a name.
    pub(crate) fn set_codec(&mut self, field: &str, name: Option<Cow<'static, str>>) {
        match name {
            Some(name) => self.set(field, name),
            None => drop(self.fields.remove(field)),
        }
    }

    /// Sets a field unless it is set already.
    pub(crate) fn set_missing(&mut self, field: &str, value: impl ToString) {
        if !self.fields.contains_key(field) {
            self.set(field, value);
        }
    }

    /// Encodes the format: one line for each field.
    pub(crate) fn encode(&self) -> String {
        let lines: Vec<_> = self.fields().map(|(field, value)| format!("{field}={value}")).collect();
        lines.join("\n")
    }

    /// Reads the output of [`encode`](Self::encode). Lines without a field name are skipped.
    pub(crate) fn decode(text: &str) -> Self {
        let fields = text.lines().filter_map(|line| line.split_once('='));
        Self { fields: fields.map(|(field, value)| (field.to_owned(), value.to_owned())).collect() }
    }

    /// Describes for users how this format differs from the noted format; `None` if they do not contradict each other.
    pub(crate) fn difference(&self, noted: &Self) -> Option<String> {
        let differ = self.fields.keys().chain(noted.fields.keys()).filter_map(|field| {
            let (now, was) = (self.said(field)?, noted.said(field)?);
            (now != was).then(|| format!("its {field} was {was} and is {now} now"))
        });
        let mut differ: Vec<_> = differ.collect();
        differ.sort();
        differ.dedup();
        (!differ.is_empty()).then(|| differ.join(", "))
    }

    /// The note with the fields of both formats, if it has more fields than the noted format.
    pub(crate) fn added_to(&self, noted: &Self) -> Option<Self> {
        let mut both = noted.clone();
        both.fields.extend(self.fields.clone());
        (both != *noted).then_some(both)
    }

    fn said(&self, field: &str) -> Option<&str> {
        let unsaid = || UNSAID.iter().find(|(name, _)| *name == field).map(|(_, value)| *value);
        self.fields.get(field).map(String::as_str).or_else(unsaid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(fields: &[(&str, &str)]) -> StoreFormat {
        let mut format = StoreFormat::default();
        for (field, value) in fields {
            format.set(field, value);
        }
        format
    }

    #[test]
    fn what_is_said_on_both_sides_must_agree() {
        let now = format(&[("operator", "windowed-count"), ("window-size-ms", "10000"), ("key", "utf8")]);
        let was = format(&[("operator", "count"), ("window-size-ms", "60000"), ("value", "i64")]);
        assert_eq!(
            now.difference(&was).as_deref(),
            Some("its operator was count and is windowed-count now, its window-size-ms was 60000 and is 10000 now")
        );
        assert_eq!(now.difference(&StoreFormat::default()), None, "nothing was noted");
        assert_eq!(now.difference(&format(&[("value", "json")])), None, "a codec without a name");
        assert_eq!(now.difference(&now), None);
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_keeps_what_is_not_said_any_more() {
        let was = format(&[("operator", "count"), ("value", "mine=1\n2")]);
        assert_eq!(StoreFormat::decode(&was.encode()), was);
        let now = format(&[("operator", "count"), ("key", "utf8")]);
        let both = now.added_to(&was).expect("tells more");
        assert_eq!(both.fields().collect::<Vec<_>>(), [("key", "utf8"), ("operator", "count"), ("value", "mine=1 2")]);
        assert_eq!(now.added_to(&both), None);
    }
}
