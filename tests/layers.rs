//! The modules of the server are layers: each uses only those that `server/mod.rs` lists before it. No files of a folder
//! use each other in a circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

type Uses = BTreeMap<String, BTreeSet<String>>;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)
}

/// The modules that a file declares, in its order.
fn declared(file: &Path) -> io::Result<Vec<String>> {
    let text = fs::read_to_string(file)?;
    let modules = text.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';').map(ToOwned::to_owned));
    Ok(modules.filter(|module| module != "tests").collect())
}

/// A file without its comments and its unit tests.
fn code(file: &Path) -> io::Result<String> {
    let text = fs::read_to_string(file)?;
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    Ok(text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect())
}

/// The names behind a path such as `super::`: one, or those of a list.
fn names_behind(path: &str, code: &str) -> BTreeSet<String> {
    let first = |text: &str| -> String {
        text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
    };
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(path) {
        let rest = &code[at + path.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(first(rest));
            continue;
        };
        let (mut depth, mut begins) = (1, true);
        for (at, letter) in list.char_indices() {
            if begins && depth == 1 {
                found.insert(first(&list[at..]));
            }
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            begins = letter == ',';
            if depth == 0 {
                break;
            }
        }
    }
    found
}

/// All files of a module, which is a file or a folder.
fn files(folder: &Path, module: &str) -> io::Result<Vec<PathBuf>> {
    let file = folder.join(format!("{module}.rs"));
    if file.is_file() {
        return Ok(vec![file]);
    }
    let (mut found, mut folders) = (Vec::new(), vec![folder.join(module)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()? {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// The modules beside it that each module of a folder uses, by `super::` in its own file, or by `path`.
fn uses(folder: &Path, modules: &[String], path: &str) -> io::Result<Uses> {
    let mut all = Uses::new();
    for module in modules {
        for file in files(folder, module)? {
            let code = code(&file)?;
            let is_beside = file.parent() == Some(folder) || file == folder.join(module).join("mod.rs");
            let mut names = names_behind(path, &code);
            // A brace behind `server::` in a longer list, as in `use crate::{apps::App, server::…}`.
            names.extend(path.strip_prefix("crate::").map(|path| names_behind(path, &code)).unwrap_or_default());
            if is_beside {
                names.extend(names_behind("super::", &code));
            }
            all.entry(module.clone())
                .or_default()
                .extend(names.into_iter().filter(|name| modules.contains(name) && name != module));
        }
    }
    Ok(all)
}

/// Modules that use each other in a circle: what is left when those that use nothing are taken away again and again.
fn circle(mut uses: Uses) -> Vec<String> {
    loop {
        let done: Vec<String> = uses.iter().filter(|(_, used)| used.is_empty()).map(|(name, _)| name.clone()).collect();
        if done.is_empty() {
            return uses.into_keys().collect();
        }
        uses.retain(|name, _| !done.contains(name));
        for used in uses.values_mut() {
            used.retain(|name| !done.contains(name));
        }
    }
}

#[test]
fn each_module_of_the_server_uses_only_those_listed_before_it() -> io::Result<()> {
    let folder = root("server");
    let modules = declared(&folder.join("mod.rs"))?;
    let place = |name: &String| modules.iter().position(|module| module == name);
    let uses = uses(&folder, &modules, "crate::server::")?;
    assert!(modules.len() > 10 && uses["http"].len() > 5, "the imports are found: {uses:?}");
    for (module, used) in uses {
        let wrong: Vec<_> = used.iter().filter(|used| place(used) > place(&module)).collect();
        assert!(wrong.is_empty(), "{module} uses {wrong:?}, which come after it");
    }
    Ok(())
}

#[test]
fn no_files_of_a_folder_use_each_other_in_a_circle() -> io::Result<()> {
    let mut folders = vec![(root("config"), declared(&root("config.rs"))?)];
    for module in declared(&root("server/mod.rs"))? {
        let contents = root("server").join(&module).join("mod.rs");
        if contents.is_file() {
            folders.push((root("server").join(&module), declared(&contents)?));
        }
    }
    assert!(folders.len() > 7);
    for (folder, modules) in folders {
        let circle = circle(uses(&folder, &modules, "super::")?);
        assert!(circle.is_empty(), "{}: {circle:?}", folder.display());
    }
    Ok(())
}
