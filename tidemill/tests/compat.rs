//! `COMPAT.md` is complete and true: it names all of Kafka Streams' public names, and names of ours that exist.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

const STATES: [&str; 5] = ["same", "better", "other name", "partly", "not there"];

/// One row of a table: Kafka Streams' name, ours, and how they compare.
struct Row {
    theirs: Vec<String>,
    ours: Vec<String>,
    state: String,
    note: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rows() -> io::Result<Vec<Row>> {
    let page = fs::read_to_string(root().join("COMPAT.md"))?;
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let tables = page.lines().filter(|line| line.starts_with("| `") || line.starts_with("| – "));
    let row = |line: &str| match <[String; 4]>::try_from(cells(line)) {
        Ok([theirs, ours, state, note]) => Row { theirs: names(&theirs), ours: names(&ours), state, note },
        Err(cells) => panic!("a row has {} cells, not 4: {line}", cells.len()),
    };
    Ok(tables.map(row).collect())
}

/// The names in backticks.
fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// All source text of the library, without comments.
fn sources(folder: &Path, found: &mut String) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path)?;
            found
                .extend(text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]));
        }
    }
    Ok(())
}

/// Whether the library has this name: a type, or a type's method, field or variant.
fn exists(source: &str, name: &str) -> bool {
    let has = |text: String| source.match_indices(&text).any(|(at, _)| ends_there(source, at + text.len()));
    let Some((of, member)) = name.split_once("::") else {
        return ["struct ", "enum ", "trait "].iter().any(|kind| has(format!("pub {kind}{name}")));
    };
    exists(source, of) && (has(format!("fn {member}")) || has(format!("pub {member}")) || has(format!("    {member}")))
}

fn ends_there(source: &str, at: usize) -> bool {
    !source[at..].starts_with(|letter: char| letter.is_alphanumeric() || letter == '_')
}

#[test]
fn every_name_of_kafka_streams_has_a_row() -> io::Result<()> {
    let listed: BTreeSet<_> = rows()?.into_iter().flat_map(|row| row.theirs).collect();
    let public = include_str!("compat/kafka-streams-4.4.txt").lines().filter(|line| !line.starts_with('#'));
    let missing: Vec<_> = public.filter(|name| !listed.contains(*name)).collect();
    assert!(missing.is_empty(), "COMPAT.md does not tell about {missing:#?}");
    Ok(())
}

#[test]
fn every_name_of_ours_exists() -> io::Result<()> {
    let mut source = String::new();
    sources(&root().join("tidemill/src"), &mut source)?;
    sources(&root().join("state/src"), &mut source)?;
    let rows = rows()?;
    let ours = rows.iter().flat_map(|row| &row.ours);
    let wrong: BTreeSet<_> = ours.filter(|name| !exists(&source, name)).collect();
    assert!(wrong.is_empty(), "COMPAT.md names what does not exist: {wrong:#?}");
    Ok(())
}

#[test]
fn every_row_has_a_state_and_says_what_differs() -> io::Result<()> {
    for Row { theirs, ours, state, note } in rows()? {
        assert!(STATES.contains(&state.as_str()), "{theirs:?}: '{state}' is not one of {STATES:?}");
        assert_eq!(state == "not there", ours.is_empty(), "{theirs:?}: a name of ours, or 'not there'");
        assert!(state == "same" || state == "other name" || !note.is_empty(), "{theirs:?} needs a note");
    }
    Ok(())
}
