//! The engine measures and waits by its clock alone, so that a simulation owns all time.

use std::{fs, path::Path};

/// What only the machine's own time answers to.
const OTHERS: [&str; 4] = ["thread::sleep", "Instant::now", "SystemTime::now", "SystemClock.monotonic_ms"];

/// Code that no simulation runs: real threads, and whoever asks them something.
const ON_THREADS: [&str; 2] = ["runtime/threads.rs", "runtime/query/target.rs"];

fn check(folder: &Path, source: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("the source is there") {
        let path = entry.expect("the folder can be read").path();
        let name = path.strip_prefix(source).expect("it is inside").to_string_lossy().replace('\\', "/");
        if path.is_dir() {
            check(&path, source, found);
        } else if !ON_THREADS.contains(&name.as_str()) {
            let text = fs::read_to_string(&path).expect("it is text");
            found.extend(OTHERS.iter().filter(|other| text.contains(**other)).map(|other| format!("{name}: {other}")));
        }
    }
}

#[test]
fn what_a_simulation_runs_knows_no_time_but_its_clocks() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for folder in ["dsl", "graph", "members", "operators", "plan", "runtime", "task"] {
        check(&source.join(folder), &source, &mut found);
    }
    assert!(found.is_empty(), "take the clock that the runtime has, and let tasks be told: {found:?}");
}
