//! Processors that read headers, rows, windows and versions.

use tidemill::{
    processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord},
    state::{BoxError, VersionPut, VersionedRecord},
    transport::{Header, Headers},
};

use crate::{
    build::{Nodes, Stream, ms},
    case::{Fetch, HeaderKind, Scan, Text},
    functions,
};

type Input = FixedKeyRecord<Text, Text>;
type Context<'a> = FixedKeyProcessorContext<'a, Text, Text>;

struct OfHeaders(HeaderKind);

impl FixedKeyProcessor<Text, Text, Text> for OfHeaders {
    fn process(&mut self, ctx: &mut Context<'_>, mut record: Input) -> Result<(), BoxError> {
        match self.0 {
            HeaderKind::Add => record.headers.push("h", functions::hash(&record.value).to_string()),
            HeaderKind::Drop => record.headers = Headers::new(),
            HeaderKind::Read => {
                let last = record.headers.iter().filter(|header| header.key == "h").last();
                let text = |Header { value, .. }: &Header| {
                    value.as_deref().map_or("null".into(), |value| String::from_utf8_lossy(value).into_owned())
                };
                let text = last.map_or("none".to_owned(), text);
                record.value = functions::add(record.value.take(), &format!("@{text}"));
            }
        }
        ctx.forward(record);
        Ok(())
    }
}

/// Keeps the last value of each key, or the first. A null value deletes.
struct Rows {
    store: String,
    kind: Scan,
}

impl FixedKeyProcessor<Text, Text, Text> for Rows {
    fn process(&mut self, ctx: &mut Context<'_>, record: Input) -> Result<(), BoxError> {
        let (key, at) = (record.key().clone().unwrap_or_default(), record.timestamp);
        let rows = ctx.key_value_store::<String, String>(&self.store)?;
        let mut before = None;
        match (&record.value, self.kind) {
            (Some(value), Scan::Absent) => before = rows.put_if_absent(&key, value, at)?,
            (Some(value), _) => rows.put(&key, value, at)?,
            (None, _) => rows.delete(&key)?,
        }
        let first = key.chars().next().unwrap_or('a').to_string();
        let found = match self.kind {
            Scan::Range => rows.range("a".to_owned()..=key).read_all()?,
            Scan::Reverse => rows.reverse_range(key..="c".to_owned()).read_all()?,
            Scan::Prefix => rows.prefix_scan(first.as_bytes()).read_all()?,
            Scan::Absent => before.map(|before| (key, before)).into_iter().collect(),
        };
        let text = found.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(" ");
        forward(ctx, record, &text);
        Ok(())
    }
}

/// Keeps the last value of each window of 5 ms. A null value deletes.
struct Windows {
    store: String,
    kind: Fetch,
}

impl FixedKeyProcessor<Text, Text, Text> for Windows {
    fn process(&mut self, ctx: &mut Context<'_>, record: Input) -> Result<(), BoxError> {
        let (key, at) = (record.key().clone().unwrap_or_default(), record.timestamp);
        let rows = ctx.window_store::<String, String>(&self.store)?;
        let start = at / 5 * 5;
        match &record.value {
            Some(value) => rows.put(&key, start, value, at)?,
            None => rows.delete(&key, start)?,
        }
        let (from, to) = ((at - 12).max(0), at + 8);
        let mark = |key: &str, start: i64, value: &str| format!("{key}{start}:{value}");
        let of_key = |found: Vec<(i64, String)>| {
            found.iter().map(|(start, value)| mark("", *start, value)).collect::<Vec<_>>().join(" ")
        };
        let text = match self.kind {
            Fetch::OfKey => of_key(rows.fetch(&key, from, to).read_all()?),
            Fetch::Backward => of_key(rows.backward_fetch(&key, from, to).read_all()?),
            Fetch::All => {
                let all = rows.fetch_all(from, to).read_all()?;
                all.iter().map(|((key, start), value)| mark(key, *start, value)).collect::<Vec<_>>().join(" ")
            }
        };
        forward(ctx, record, &text);
        Ok(())
    }
}

struct Versions {
    store: String,
    ends: bool,
}

impl FixedKeyProcessor<Text, Text, Text> for Versions {
    fn process(&mut self, ctx: &mut Context<'_>, record: Input) -> Result<(), BoxError> {
        let (key, at) = (record.key().clone().unwrap_or_default(), record.timestamp);
        let rows = ctx.versioned_store::<String, String>(&self.store)?;
        let text = |found: Option<VersionedRecord<String>>| match found {
            Some(VersionedRecord { value, timestamp, valid_to: Some(end) }) if self.ends => {
                format!("{value}:{timestamp}-{end}")
            }
            Some(VersionedRecord { value, timestamp, .. }) => format!("{value}:{timestamp}"),
            None => "none".to_owned(),
        };
        let put = match &record.value {
            Some(value) => match rows.put(&key, value, at)? {
                VersionPut::Latest => "latest".to_owned(),
                VersionPut::Until(time) => time.to_string(),
                VersionPut::Expired => "expired".to_owned(),
            },
            None => text(rows.delete(&key, at)?),
        };
        let (now, then) = (text(rows.get(&key)?), text(rows.get_as_of(&key, at - 4)?));
        forward(ctx, record, &format!("{put} {now} {then}"));
        Ok(())
    }
}

/// Null values stay, so that later steps see some.
fn forward(ctx: &mut Context<'_>, record: Input, text: &str) {
    let value = Some(format!("{} {text}", record.value.as_deref().unwrap_or("null")));
    ctx.forward(record.with_value(value));
}

pub(crate) fn headers(nodes: &Nodes<'_>, from: usize, kind: HeaderKind) -> Stream {
    nodes.stream(from).process_values(&format!("p{}", nodes.made.len()), &[], move || OfHeaders(kind))
}

pub(crate) fn process_rows(nodes: &Nodes<'_>, from: usize, kind: Scan) -> Stream {
    let store = nodes.name();
    nodes.builder.add_key_value_store::<String, String>(store.as_str());
    let name = format!("p{}", nodes.made.len());
    let stores = [store.clone()];
    let stores = stores.each_ref().map(String::as_str);
    nodes.stream(from).process_values(&name, &stores, move || Rows { store: store.clone(), kind })
}

pub(crate) fn process_windows(nodes: &Nodes<'_>, from: usize, retention: i64, kind: Fetch) -> Stream {
    let store = nodes.name();
    nodes.builder.add_window_store::<String, String>(store.as_str(), ms(retention));
    let name = format!("p{}", nodes.made.len());
    let stores = [store.clone()];
    let stores = stores.each_ref().map(String::as_str);
    nodes.stream(from).process_values(&name, &stores, move || Windows { store: store.clone(), kind })
}

pub(crate) fn process_versions(nodes: &Nodes<'_>, from: usize, history: i64, ends: bool) -> Stream {
    let store = nodes.name();
    nodes.builder.add_versioned_store::<String, String>(store.as_str(), ms(history));
    let name = format!("p{}", nodes.made.len());
    let stores = [store.clone()];
    let stores = stores.each_ref().map(String::as_str);
    nodes.stream(from).process_values(&name, &stores, move || Versions { store: store.clone(), ends })
}
