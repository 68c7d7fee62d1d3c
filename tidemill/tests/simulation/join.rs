//! Two co-partitioned topics joined within a time difference: pairs, and what found no partner.

use tidemill::{JoinWindows, ProcessingGuarantee, StreamsBuilder, testing::Simulator};

use super::scenario::{Ids, Input, Problem, Scenario, compare, read};

const APART_MS: i64 = 30;

pub(crate) struct Join;

impl Scenario for Join {
    const TOPICS: &'static [&'static str] = &["left", "right"];

    fn build(builder: &StreamsBuilder) {
        let (left, right) = (builder.stream::<String, i64>("left"), builder.stream::<String, i64>("right"));
        let ms = |ms: i64| std::time::Duration::from_millis(ms.unsigned_abs());
        // Longer open than timestamps are out of order.
        let windows = JoinWindows::of_time_difference_and_grace(ms(APART_MS), ms(100));
        left.outer_join_stream(&right, windows, "joined", |_, left, right| text(left, right)).to("out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let (mut found, expected) = (Ids::new(), expected(inputs));
        for (key, pair) in read::<String, String>(simulator, "out")? {
            if !pair.contains('-') {
                found.entry((key, pair)).or_default().push(1);
            }
        }
        if guarantee == ProcessingGuarantee::AtLeastOnce {
            // A record that is processed again may find that its partner's window has closed since.
            found.retain(|pair, _| expected.contains_key(pair) || !(pair.1.starts_with('+') || pair.1.ends_with('+')));
        }
        compare("pairs", guarantee, found, &expected)
    }
}

fn text(left: Option<&i64>, right: Option<&i64>) -> String {
    let id = |id: Option<&i64>| id.map(ToString::to_string).unwrap_or_default();
    format!("{}+{}", id(left), id(right))
}

fn expected(inputs: &[Input]) -> Ids<(String, String)> {
    let mut pairs = Ids::new();
    let is_pair = |one: &Input, other: &Input| {
        one.topic != other.topic && one.key == other.key && (one.timestamp - other.timestamp).abs() <= APART_MS
    };
    for input in inputs {
        let partners: Vec<_> = inputs.iter().filter(|other| is_pair(input, other)).collect();
        let is_left = input.topic == "left";
        let alone = if is_left { text(Some(&input.id), None) } else { text(None, Some(&input.id)) };
        let together = partners.iter().filter(|_| is_left).map(|right| text(Some(&input.id), Some(&right.id)));
        let texts: Vec<_> = if partners.is_empty() { vec![alone] } else { together.collect() };
        for text in texts {
            pairs.entry((input.key.clone(), text)).or_default().push(1);
        }
    }
    pairs
}
