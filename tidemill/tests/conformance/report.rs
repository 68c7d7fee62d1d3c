//! What a run has seen: cases by operator, and how often each rule was needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use crate::{
    case::{Answer, Case, label},
    rules::Rule,
};

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) cases: usize,
    records: usize,
    operators: BTreeMap<String, usize>,
    rules: BTreeMap<Rule, usize>,
    /// Cases that differ and that no rule explains, by kind.
    pub(crate) differences: BTreeMap<String, usize>,
}

impl Report {
    pub(crate) fn add(&mut self, case: &Case, answer: &Answer, rules: &BTreeSet<Rule>) {
        self.cases += 1;
        self.records += answer.outputs.values().map(Vec::len).sum::<usize>();
        let labels: BTreeSet<_> = (0..case.nodes.len()).map(|place| label(&case.nodes, place)).collect();
        for label in labels {
            *self.operators.entry(label).or_default() += 1;
        }
        for rule in rules {
            *self.rules.entry(*rule).or_default() += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left: usize = self.differences.values().sum();
        writeln!(f, "{} cases agree, {} records; {left} differences are left", self.cases, self.records)?;
        for (operator, cases) in &self.operators {
            writeln!(f, "{cases:>8} with {operator}")?;
        }
        for (rule, cases) in &self.rules {
            writeln!(f, "{cases:>8} by the rule: {rule}")?;
        }
        for (kind, cases) in &self.differences {
            writeln!(f, "{cases:>8} differ in another way:{kind}")?;
        }
        Ok(())
    }
}

/// A difference with its case, to read and to put into a test.
pub(crate) fn describe(case: &Case, theirs: &Answer, ours: &Answer, difference: &str) -> String {
    let json = |value: &dyn Fn() -> serde_json::Result<String>| value().expect("plain data");
    let mut text = format!("{difference}\n");
    let mut line = |parts: fmt::Arguments<'_>| text.write_fmt(parts).expect("a text takes all");
    for (place, node) in case.nodes.iter().enumerate() {
        line(format_args!("  {place:>2} {}\n", json(&|| serde_json::to_string(node))));
    }
    for (step, number) in case.script.iter().zip(1..) {
        line(format_args!("  {number:>2}. {}\n", json(&|| serde_json::to_string(step))));
    }
    line(format_args!("case           {}\n", json(&|| serde_json::to_string(case))));
    line(format_args!("Kafka Streams  {}\n", json(&|| serde_json::to_string(theirs))));
    line(format_args!("Tidemill       {}\n", json(&|| serde_json::to_string(ours))));
    text
}
