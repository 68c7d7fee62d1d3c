//! The result of an evaluation, for people.

use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use super::{agreement::FieldAgreement, field::Kind, side::Side, summary::Summary};

/// An amount in millionths, such as `0.0123 USD`.
pub fn money(micros: u64, currency: &str) -> String {
    let (units, rest) = (micros / 1_000_000, format!("{:06}", micros % 1_000_000));
    let places = rest.trim_end_matches('0').len().max(2);
    format!("{units}.{} {currency}", &rest[..places]).trim_end().to_owned()
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { application, requests, asked, candidate, against, .. } = self;
        let of = if asked == requests { String::new() } else { format!(" of {requests}") };
        writeln!(f, "{application}: {asked}{of} recorded requests\n")?;
        writeln!(f, "  candidate  {}\n  against    {}\n", candidate.name, against.name)?;
        self.table(f)?;
        if !self.failed.is_empty() {
            writeln!(f, "\nwithout a good answer of the candidate")?;
        }
        for of in &self.failed {
            writeln!(f, "  {:<10} {}: {}", of.id, of.kind, of.message)?;
        }
        self.agreements(f)?;
        self.largest(f)
    }
}

impl Summary {
    fn table(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let row = |f: &mut Formatter<'_>, name: &str, cell: &dyn Fn(&Side) -> String| {
            writeln!(f, "{name:<20}{:>24}{:>24}", cell(&self.candidate), cell(&self.against))
        };
        writeln!(f, "{:<20}{:>24}{:>24}", "answers", "candidate", "against")?;
        row(f, "  fit at once", &|side| side.at_once.to_string())?;
        row(f, "  fit after repair", &|side| side.repaired.to_string())?;
        row(f, "  never fit", &|side| side.never.to_string())?;
        row(f, "  no answer", &|side| side.unanswered.to_string())?;
        if self.candidate.offline + self.against.offline > 0 {
            row(f, "  offline", &|side| side.offline.to_string())?;
        }
        let kinds: std::collections::BTreeSet<_> =
            self.candidate.failures.keys().chain(self.against.failures.keys()).collect();
        for kind in kinds {
            row(f, &format!("  failed: {kind}"), &|side| side.failures.get(kind).copied().unwrap_or(0).to_string())?;
        }
        let requests = self.asked.max(1) as u64;
        let each = |total: u64| format!("{total} ({} each)", total.div_ceil(requests));
        row(f, "tokens of input", &|side| each(side.usage.input_tokens))?;
        row(f, "tokens of output", &|side| each(side.usage.output_tokens))?;
        row(f, "cost", &|side| money(side.usage.cost_micros, &self.currency))?;
        row(f, "  each", &|side| money(side.usage.cost_micros.div_ceil(requests), &self.currency))?;
        let time = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        row(f, "latency, median", &|side| time(side.latency_p50_ms))?;
        row(f, "latency, p95", &|side| time(side.latency_p95_ms))
    }

    fn agreements(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(agreement) = self.agreement else {
            return writeln!(f, "\nno request has two answers, so there is nothing to compare");
        };
        let share = percent(agreement);
        writeln!(f, "\nagreement {share} of {} requests with two answers (free texts do not count)", self.compared)?;
        for of in &self.fields {
            let what = match of.kind {
                Kind::Label => "equal".to_owned(),
                Kind::Number => format!("within {}", number(of.tolerance)),
                Kind::List => "of the items in common".to_owned(),
                Kind::Text => "of the words in common".to_owned(),
            };
            writeln!(f, "  {:<18}{:>9} {what}{}", of.field, percent(of.agreement), differences(of))?;
        }
        Ok(())
    }

    fn largest(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.differences.is_empty() {
            writeln!(f, "\nthe largest differences")?;
        }
        for of in &self.differences {
            writeln!(f, "  {}", of.id)?;
            writeln!(f, "    candidate  {}\n    against    {}", shown(&of.candidate), shown(&of.against))?;
        }
        Ok(())
    }
}

fn differences(of: &FieldAgreement) -> String {
    let (mean, largest) = (of.mean_difference, of.largest_difference);
    if mean.is_none() {
        String::new()
    } else {
        format!("; mean difference {}, largest {}", number(mean), number(largest))
    }
}

fn number(number: Option<f64>) -> String {
    let text = format!("{:.2}", number.unwrap_or_default());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// An answer for a terminal. Models and strangers wrote its texts, so letters that a terminal obeys are left out.
fn shown(answer: &Value) -> String {
    let one = |(name, value): (&String, &Value)| format!("{name}: {value}");
    let text = match answer {
        Value::Object(fields) => fields.iter().map(one).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    text.chars().filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_the_places_that_it_needs() {
        assert_eq!(money(1_500_000, "USD"), "1.50 USD");
        assert_eq!(money(37, "EUR"), "0.000037 EUR");
        assert_eq!(money(0, "USD"), "0.00 USD");
    }
}
