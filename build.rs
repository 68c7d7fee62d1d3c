//! Puts the pages' files into the binary: one table of addresses, types and bytes.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Folders with files of pages, and the addresses that they get.
const FOLDERS: [(&str, &str); 5] = [
    ("src/apps/page", "/assets/shared"),
    ("src/apps/live_insight/page", "/assets/live"),
    ("src/apps/form_coach/page", "/assets/coach"),
    ("src/apps/live_insight/recordings", "/recordings/live"),
    ("src/apps/form_coach/recordings", "/recordings/coach"),
];

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
    if env::var_os("CARGO_FEATURE_APPS").is_none() {
        return;
    }
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut table = String::from("&[\n");
    for (folder, address) in FOLDERS {
        let folder = root.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        for file in files(&folder) {
            let kind = file.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
            // Beside the recordings lies what is true of them, for tests.
            if address.starts_with("/recordings") && kind != "ndjson" {
                continue;
            }
            let (Some((_, kind)), Some(name)) =
                (TYPES.iter().find(|(end, _)| *end == kind), file.file_name().and_then(|name| name.to_str()))
            else {
                continue;
            };
            println!("cargo::rerun-if-changed={}", file.display());
            let path = file.display();
            writeln!(table, "    ({:?}, {kind:?}, include_bytes!(r\"{path}\")),", format!("{address}/{name}"))
                .expect("strings take everything");
        }
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table).expect("cargo's folder can be written");
}

/// A folder's own files, by name; none if it is not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}
