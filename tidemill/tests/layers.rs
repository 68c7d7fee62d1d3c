//! The engine's modules are layers: each uses only those that `lib.rs` lists before it.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// The modules in the order of `lib.rs`.
fn layers(source: &str) -> Vec<String> {
    let modules = source.lines().filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    modules.map(ToOwned::to_owned).collect()
}

/// The modules of the crate that a text names: in paths such as `crate::graph::Node`, and in lists behind `crate::`.
fn used(source: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in source.match_indices("crate::") {
        let rest = &source[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => drop(used.insert(first_name(rest))),
            Some(list) => used.extend(first_names(list)),
        }
    }
    used
}

/// The first name of each item of a list, which ends with its bracket.
fn first_names(list: &str) -> Vec<String> {
    let (mut names, mut item, mut depth) = (Vec::new(), String::new(), 1);
    for letter in list.chars() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if depth == 0 || depth == 1 && letter == ',' {
            // A comma may stand behind the last one.
            names.extend(Some(first_name(item.trim())).filter(|name| !name.is_empty()));
            item.clear();
        } else {
            item.push(letter);
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// What is built into the library: no comments, no unit tests.
fn without_tests(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    source.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_test = path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("tests"));
        match path.is_dir() {
            true if !is_test => files(&path, found)?,
            false if !is_test && path.extension().is_some_and(|kind| kind == "rs") => found.push(path),
            _ => {}
        }
    }
    Ok(())
}

#[test]
fn each_module_uses_only_those_listed_before_it() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = layers(&fs::read_to_string(root.join("lib.rs"))?);
    let place = |module: &str| layers.iter().position(|layer| layer == module);
    let mut paths = Vec::new();
    files(&root, &mut paths)?;
    let mut wrong = Vec::new();
    for path in paths {
        let inside = path.strip_prefix(&root).unwrap_or(&path);
        let module = inside.components().next().map(|first| first_name(&first.as_os_str().to_string_lossy()));
        let Some(own) = module.as_deref().and_then(place) else { continue };
        for name in used(&without_tests(&fs::read_to_string(&path)?)) {
            if place(&name).is_none_or(|other| other > own) {
                wrong.push(format!("{} uses crate::{name}", inside.display()));
            }
        }
    }
    assert!(layers.len() > 10, "lib.rs lists the modules: {layers:?}");
    assert!(wrong.is_empty(), "these use a module that lib.rs lists later, or a name of lib.rs:\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn names_are_found_in_paths_and_in_lists() {
    let source = "use crate::{\n    a::{B, c::D},\n    e::F,\n};\nlet x = crate::g::h();\n";
    assert_eq!(used(source).into_iter().collect::<Vec<_>>(), ["a", "e", "g"]);
}
