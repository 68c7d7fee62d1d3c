//! Generates the client of YouTube's chat from `proto/`, without a program beside cargo.

use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let file = format!("{root}/proto/youtube_live_chat.proto");
    println!("cargo::rerun-if-changed={file}");
    let files = protox::compile([&file], [format!("{root}/proto")])?;
    tonic_prost_build::configure().build_server(false).build_transport(false).compile_fds(files)?;
    Ok(())
}
