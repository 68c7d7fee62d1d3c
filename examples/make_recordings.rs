//! Writes the recordings that the applications replay: `cargo run --example make_recordings`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/apps");
    tidemill_apps::apps::recordings::write_all(&apps)
}
