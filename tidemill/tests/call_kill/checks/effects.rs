//! Each window has one effect, and those of a lane come in order.

use std::collections::BTreeMap;

use super::{Figures, none_of};
use crate::{
    Tested,
    run::Evidence,
    work::{self, Effect},
};

/// The effects by the window's name.
pub(super) fn check(evidence: &Evidence, figures: &mut Figures) -> Tested<BTreeMap<String, Effect>> {
    let mut problems = Vec::new();
    let mut effects: BTreeMap<String, Effect> = BTreeMap::new();
    // The number of the last window of each lane.
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for (_, record) in &evidence.effects {
        let effect: Effect = serde_json::from_slice(record.value.as_deref().unwrap_or_default())?;
        let (lane, number) = effect.name.rsplit_once("-w").ok_or("a name without its window")?;
        let number: i64 = number.parse()?;
        if last.insert(lane.to_owned(), number).is_some_and(|last| last >= number) {
            problems.push(format!("{} comes after a later one of its lane", effect.name));
        }
        figures.failures += usize::from(effect.outcome.is_err());
        figures.fallbacks += usize::from(effect.report.fallback > 0);
        if effects.insert(effect.name.clone(), effect.clone()).is_some() {
            problems.push(format!("{} has two effects", effect.name));
        }
    }
    let expected = work::windows(evidence.run.portions);
    problems.extend(expected.iter().filter(|name| !effects.contains_key(*name)).map(|name| format!("{name} is lost")));
    let strange = effects.keys().filter(|name| !expected.contains(*name));
    problems.extend(strange.map(|name| format!("nobody asked for {name}")));
    none_of("effects are wrong", &problems)?;
    figures.effects = effects.len();
    Ok(effects)
}
