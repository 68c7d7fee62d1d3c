//! Generates the server of YouTube's chat from the file that the client is generated from.

use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = format!("{}/../../proto", env::var("CARGO_MANIFEST_DIR")?);
    let file = format!("{folder}/youtube_live_chat.proto");
    println!("cargo::rerun-if-changed={file}");
    let files = protox::compile([&file], [&folder])?;
    tonic_prost_build::configure().build_client(false).build_transport(false).compile_fds(files)?;
    Ok(())
}
