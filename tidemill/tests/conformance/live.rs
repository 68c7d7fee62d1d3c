//! Asks Kafka Streams itself, and shrinks what is answered in another way.
#![allow(clippy::print_stdout, reason = "the run prints what it found")]

use std::{collections::VecDeque, env};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::{
    case::{Answer, Case},
    compare::compare,
    generate::cases,
    oracle::Oracle,
    report::{Report, describe},
    run::{Pace, run},
    shrink::simplest,
};

/// So many cases are given to the JVM ahead.
const AHEAD: usize = 16;
/// Differences of one kind that are shrunk and printed.
const PRINTED: usize = 2;
/// Draws that are tried to find a simpler case.
const SHRINKING: usize = 1_500;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

pub(crate) fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[test]
#[ignore = "needs a JVM: `make conformance`"]
fn kafka_streams_answers_generated_cases_in_the_same_way() {
    let (cases_wanted, seed) = (number("TIDEMILL_CASES", 1_000), number("TIDEMILL_SEED", 1));
    let (mut runner, strategy, mut oracle) = (runner(seed), cases(), Oracle::start());
    let (mut report, mut asked) = (Report::default(), VecDeque::new());
    for number in 0..cases_wanted as usize + AHEAD {
        if number < cases_wanted as usize {
            let tree = strategy.new_tree(&mut runner).expect("draws without refusing");
            oracle.ask(&tree.current());
            asked.push_back(tree);
        }
        if number < AHEAD {
            continue;
        }
        let Some(mut tree) = asked.pop_front() else { break };
        if number % 1_000 == 0 {
            println!("{number} cases");
        }
        let (case, theirs) = (tree.current(), oracle.answer());
        let ours = run(&case, Pace::Steady);
        match compare(&case, &theirs, &ours, false) {
            Ok(rules) => report.add(&case, &theirs, &rules),
            Err(difference) => {
                let kind = kind(&difference);
                let seen = report.differences.entry(kind.clone()).or_default();
                *seen += 1;
                if *seen <= PRINTED {
                    let found = describe(&case, &theirs, &ours, &difference);
                    // The JVM works on cases ahead; a shrunk one needs its own.
                    println!("{}", shrunk(&mut tree, &kind, &mut Oracle::start()).unwrap_or(found));
                }
            }
        }
    }
    println!("seed {seed}: {report}");
    assert!(report.differences.is_empty(), "{} kinds of differences are left", report.differences.len());
}

/// What kind of difference it is, without its topic and numbers.
fn kind(difference: &str) -> String {
    let first = difference.split(": ").next().unwrap_or_default();
    first.trim_start_matches(|c: char| c != ' ').split(',').next().unwrap_or_default().to_owned()
}

/// The simplest case that still differs in this way, in words. The draws shrink first, and then the case that they make.
fn shrunk(tree: &mut impl ValueTree<Value = Case>, of: &str, oracle: &mut Oracle) -> Option<String> {
    let mut differs = |case: &Case| -> Option<(Answer, Answer, String)> {
        oracle.ask(case);
        let theirs = oracle.answer();
        // A simpler case may be none that Kafka Streams takes.
        if theirs.error.is_some() {
            return None;
        }
        let ours = run(case, Pace::Steady);
        let difference = compare(case, &theirs, &ours, false).err().filter(|difference| kind(difference) == of)?;
        Some((theirs, ours, difference))
    };
    let mut still = |case: &Case| differs(case).is_some();
    let mut drawn = tree.current();
    for _ in 0..SHRINKING {
        let case = tree.current();
        let goes_on = if still(&case) {
            drawn = case;
            tree.simplify()
        } else {
            tree.complicate()
        };
        if !goes_on {
            break;
        }
    }
    let simplest = simplest(drawn, &mut still);
    let (theirs, ours, difference) = differs(&simplest)?;
    Some(describe(&simplest, &theirs, &ours, &difference))
}
