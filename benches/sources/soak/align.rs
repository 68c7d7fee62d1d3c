//! Compares what was heard with a script.

/// A word of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) text: String,
    /// Whether the word must be heard. What is at the edge of lost audio may be heard, or a part of it.
    pub(super) must: bool,
}

/// Words that were lost, and words that were heard too often or wrongly.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) lost: Vec<String>,
    pub(super) extra: Vec<String>,
}

/// The smallest difference between a script and what was heard.
pub(super) fn difference(expected: &[Expected], heard: &[String]) -> Difference {
    let is_same = |expected: &Expected, heard: &str| {
        let is_part = expected.text.starts_with(heard) || expected.text.ends_with(heard);
        expected.text == heard || (!expected.must && is_part)
    };
    // The smallest number of errors for the first words of both.
    let width = heard.len() + 1;
    let mut errors = vec![0_u32; (expected.len() + 1) * width];
    for e in 0..=expected.len() {
        for h in 0..=heard.len() {
            let before = |e: usize, h: usize| errors[e * width + h];
            let lost = e.checked_sub(1).map(|last| before(last, h) + u32::from(expected[last].must));
            let extra = h.checked_sub(1).map(|last| before(e, last) + 1);
            let both = e.checked_sub(1).zip(h.checked_sub(1));
            let same = both.filter(|(e, h)| is_same(&expected[*e], &heard[*h])).map(|(e, h)| before(e, h));
            errors[e * width + h] = [lost, extra, same].into_iter().flatten().min().unwrap_or(0);
        }
    }
    let mut difference = Difference::default();
    let (mut e, mut h) = (expected.len(), heard.len());
    while e > 0 || h > 0 {
        let here = errors[e * width + h];
        if e > 0 && h > 0 && is_same(&expected[e - 1], &heard[h - 1]) && errors[(e - 1) * width + h - 1] == here {
            (e, h) = (e - 1, h - 1);
        } else if e > 0 && errors[(e - 1) * width + h] + u32::from(expected[e - 1].must) == here {
            e -= 1;
            difference.lost.extend(expected[e].must.then(|| expected[e].text.clone()));
        } else {
            h -= 1;
            difference.extra.push(heard[h].clone());
        }
    }
    difference.lost.reverse();
    difference.extra.reverse();
    difference
}
