//! Puts the applications' files into the binary: for each folder of `src/apps` a table of its page and its recordings.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Where the applications are. What lies in its own `page` is shared by all of them.
const APPS: &str = "src/apps";
/// Folders of an application that hold files for the binary, and which files: those of these types.
const PARTS: [(&str, &[&str]); 2] =
    [("page", &["html", "js", "css", "svg", "json", "png"]), ("recordings", &["ndjson"])];

const TYPES: [(&str, &str); 7] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("json", "application/json"),
    ("ndjson", "application/x-ndjson"),
    ("png", "image/png"),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let apps = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join(APPS);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("files");
    fs::create_dir_all(&out).expect("cargo's folder can be written");
    println!("cargo::rerun-if-changed={}", apps.display());
    let folders = entries(&apps).into_iter().filter(|path| path.join("page").is_dir());
    for (folder, name) in folders.filter_map(|folder| Some((folder.clone(), name(&folder)?))) {
        fs::write(out.join(format!("{name}.rs")), table(&folder)).expect("cargo's folder can be written");
    }
    fs::write(out.join("shared.rs"), table(&apps)).expect("cargo's folder can be written");
}

/// The files of a folder's parts, as Rust.
fn table(folder: &Path) -> String {
    let mut table = String::from("&[\n");
    for (part, ends) in PARTS {
        let part_folder = folder.join(part);
        println!("cargo::rerun-if-changed={}", part_folder.display());
        for file in entries(&part_folder).into_iter().filter(|path| path.is_file()) {
            let end = file.extension().and_then(|end| end.to_str()).unwrap_or_default();
            let kind = TYPES.iter().find(|(known, _)| *known == end && ends.contains(&end));
            let (Some((_, kind)), Some(name)) = (kind, name(&file)) else { continue };
            println!("cargo::rerun-if-changed={}", file.display());
            let (path, file) = (format!("{part}/{name}"), file.display());
            writeln!(table, "    File {{ path: {path:?}, kind: {kind:?}, bytes: include_bytes!(r\"{file}\") }},")
                .expect("strings take everything");
        }
    }
    table.push_str("]\n");
    table
}

fn name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

/// What is in a folder, by name; nothing if it is not there.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
