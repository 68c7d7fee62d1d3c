//! Bugs that are planted one at a time in a copy of the sources: the tests must find each of them.
//!
//! `make planted` does it, and prints which test found which after how many seeds. Most bugs are built together, into one
//! program, and are chosen when it runs; the others are built one by one. Each is a file in `bugs`: why it is a bug, the
//! file it is in, the text there, which must be there once, and the text in its place.
//!
//! `TIDEMILL_BUGS="purge restore"` tries those whose names contain one of these words; `TIDEMILL_SEEDS=200` runs more seeds of each simulation.

mod copy;
mod planting;
mod trial;

use std::path::{Path, PathBuf};

use copy::Copy;
use planting::Planting;
use trial::{Found, Tests};

/// Seeds that each simulation may take for one bug.
const SEEDS: u64 = 250;

type Problem = Box<dyn std::error::Error>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

fn plantings() -> Result<Vec<Planting>, Problem> {
    let words = std::env::var("TIDEMILL_BUGS").unwrap_or_default();
    let words: Vec<_> = words.split_whitespace().collect();
    let all = Planting::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planted/bugs"))?;
    Ok(all.into_iter().filter(|bug| words.is_empty() || words.iter().any(|word| bug.name.contains(word))).collect())
}

#[test]
#[ignore = "takes many minutes: make planted"]
fn each_planted_bug_is_found() -> Result<(), Problem> {
    let all = plantings()?;
    let moved: Vec<_> = all.iter().filter_map(|planting| planting.check(&root()).err()).collect();
    let plantings: Vec<_> = all.iter().filter(|planting| planting.check(&root()).is_ok()).collect();
    let seeds = std::env::var("TIDEMILL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    // The program lies in <target>/<profile>/deps.
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(3).ok_or("the program lies in no target folder")?.to_owned();
    let copy = Copy::new(&root(), &target)?;
    let folder = copy.sources.join("tidemill");
    let (mut alone, together): (Vec<_>, Vec<_>) =
        plantings.iter().enumerate().partition(|(_, planting)| planting.alone);
    let mut missed = Vec::new();
    tell("| planted bug | what is wrong | found by | seed |\n|---|---|---|---|");
    if !together.is_empty() {
        copy.make_switchable()?;
        // A bug whose text is within another one's place is built by itself.
        let (together, within): (Vec<_>, Vec<_>) = together.into_iter().partition(|(number, planting)| {
            let stands = planting.check(&copy.sources).is_ok();
            stands && planting.plant(&copy.sources, Some(*number)).is_ok()
        });
        alone.extend(within);
        let mut tests = Tests::new(&copy.build()?, &folder, seeds)?;
        for test in tests.leave_out_failing(&folder) {
            tell(&format!("{test} fails without any bug, and is left out"));
        }
        for (number, planting) in &together {
            missed.extend(judge(planting, tests.find(&folder, Some(*number))));
        }
        for (_, planting) in &together {
            copy.restore(&root(), &planting.file)?;
        }
    }
    for (_, planting) in &alone {
        planting.plant(&copy.sources, None)?;
        let found = match copy.build() {
            Ok(programs) => Tests::new(&programs, &folder, seeds)?.find(&folder, None),
            Err(refused) => return Err(format!("{} does not build: {refused}", planting.name).into()),
        };
        missed.extend(judge(planting, found));
        copy.restore(&root(), &planting.file)?;
    }
    assert!(moved.is_empty(), "these are to be written anew:\n{}", moved.join("\n"));
    assert!(missed.is_empty(), "{} of {} planted bugs were missed: {missed:?}", missed.len(), plantings.len());
    Ok(())
}

/// Tells who found a bug; returns its name if nobody did.
fn judge(planting: &Planting, found: Option<Found>) -> Option<String> {
    let Planting { name, why, .. } = planting;
    let (test, seed) = found.clone().unwrap_or_else(|| ("nobody".to_owned(), None));
    tell(&format!("| {name} | {why} | {test} | {} |", seed.map_or_else(String::new, |seed| seed.to_string())));
    found.is_none().then(|| name.clone())
}

#[expect(clippy::print_stdout, reason = "the table is what it is run for")]
fn tell(line: &str) {
    println!("{line}");
}
