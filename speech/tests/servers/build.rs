//! Generates the server of Google Speech-to-Text from the crate's own description of the service.

use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = format!("{}/../../proto", env::var("CARGO_MANIFEST_DIR")?);
    let file = format!("{folder}/speech.proto");
    println!("cargo::rerun-if-changed={file}");
    let files = protox::compile([&file], [&folder])?;
    tonic_prost_build::configure().build_client(false).build_transport(false).compile_fds(files)?;
    Ok(())
}
