//! Tables on standard error.

use crate::report::percentiles;

/// Prints columns beside each other. All columns have the same rows.
pub(super) fn columns(title: &str, columns: &[(String, Vec<(&'static str, String)>)]) {
    eprintln!("\n{title}");
    let head = columns.iter().map(|(name, _)| format!("{name:>22}")).collect::<Vec<_>>().concat();
    eprintln!("{:<44}{head}", "");
    let rows = columns.first().map_or(0, |(_, rows)| rows.len());
    for row in 0..rows {
        let name = columns[0].1[row].0;
        let values = columns.iter().map(|(_, rows)| format!("{:>22}", rows[row].1)).collect::<Vec<_>>().concat();
        eprintln!("{name:<44}{values}");
    }
}

/// The median, the 99th percentile and the largest of some times.
pub(super) fn spread(times_ms: impl Iterator<Item = i64>) -> String {
    percentiles(&mut times_ms.collect::<Vec<_>>())
}

/// One percentile, from 0 to 1.
pub(super) fn percentile(mut times_ms: Vec<i64>, part: f64) -> Option<i64> {
    times_ms.sort_unstable();
    let at = ((times_ms.len() as f64 * part) as usize).min(times_ms.len().saturating_sub(1));
    times_ms.get(at).copied()
}
