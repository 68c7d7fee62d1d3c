//! Writes the windows of a stream as a file.

use std::{
    io::{self, Write},
    str::FromStr,
};

use tidemill_schemas::Insight;

use super::{
    columns::{COLUMNS, Cell},
    parquet_file,
};

/// A format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table with a header, by RFC 4180: one row for each window. It is encoded in UTF-8.
    Csv,
    /// JSON lines: each line is a whole insight. Nothing is left out.
    JsonLines,
    /// Apache Parquet: the table of CSV with types, without compression.
    Parquet,
}

impl Format {
    /// The media type of the file.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// The name of a stream's file. Characters that a file system or a header may refuse are replaced.
    pub fn file_name(self, stream_id: &str) -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let name: String = stream_id.chars().take(100).map(|c| if fits(c) { c } else { '_' }).collect();
        let ending = match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        };
        format!("{}.{ending}", if name.is_empty() { "stream" } else { &name })
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            "parquet" => Ok(Self::Parquet),
            other => {
                let shown: String = other.chars().take(40).collect();
                Err(format!("'{shown}' is not a format. Write csv, jsonl or parquet"))
            }
        }
    }
}

/// Writes windows in their order, each as one row or line.
///
/// # Errors
/// If `out` fails.
pub fn export(insights: &[&Insight], format: Format, out: &mut (impl Write + Send)) -> io::Result<()> {
    match format {
        Format::Csv => csv(insights, out),
        Format::JsonLines => {
            for insight in insights {
                serde_json::to_writer(&mut *out, insight)?;
                out.write_all(b"\n")?;
            }
            out.flush()
        }
        Format::Parquet => parquet_file::write(insights, out),
    }
}

fn csv(insights: &[&Insight], out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(COLUMNS.iter().map(|column| column.name))?;
    for insight in insights {
        let cell = |cell: Cell| match cell {
            Cell::Time(of) => of(insight).to_string(),
            Cell::Whole(of) => of(insight).to_string(),
            Cell::Real(of) => of(insight).to_string(),
            Cell::Text(of) => no_formula(of(insight)),
        };
        writer.write_record(COLUMNS.iter().map(|column| cell(column.cell)))?;
    }
    writer.flush()
}

/// Spreadsheets calculate a cell that begins like a formula, and viewers choose the text of chat. An apostrophe before it
/// makes it text.
fn no_formula(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text
    }
}
