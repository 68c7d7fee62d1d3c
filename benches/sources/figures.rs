//! Figures of a run, as a table.

use std::time::Duration;

/// A table of figures, and whether everything holds that must.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    rows: Vec<(String, String, Option<bool>)>,
}

impl Figures {
    /// Adds a figure.
    pub(crate) fn add(&mut self, what: impl Into<String>, figure: impl ToString) {
        self.rows.push((what.into(), figure.to_string(), None));
    }

    /// Adds a figure that must be right.
    pub(crate) fn check(&mut self, what: impl Into<String>, figure: impl ToString, holds: bool) {
        self.rows.push((what.into(), figure.to_string(), Some(holds)));
    }

    /// Prints the table. Returns what does not hold.
    pub(crate) fn print(&self, title: &str) -> Vec<&str> {
        println!("\n{title}\n");
        let width = self.rows.iter().map(|(what, _, _)| what.chars().count()).max().unwrap_or(0);
        for (what, figure, holds) in &self.rows {
            let mark = match holds {
                None => "  ",
                Some(true) => "ok",
                Some(false) => "NO",
            };
            println!("{mark} {what:width$}  {figure}");
        }
        self.rows.iter().filter(|(_, _, holds)| *holds == Some(false)).map(|(what, _, _)| what.as_str()).collect()
    }
}

/// The median and the 99th percentile of times, as text.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or_default();
    format!("p50 {} ms, p99 {} ms, of {}", at(0.5).as_millis(), at(0.99).as_millis(), times.len())
}

/// Bytes as text.
pub(crate) fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / 1024.0 / 1024.0)
}
