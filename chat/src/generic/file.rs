//! Chat files: lines of JSON, or one document.

use std::{
    io::SeekFrom,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, BufReader},
};

use super::reader::Reader;
use crate::{Batch, ChatError, Connection, Outlet, Position, Pump, Source};

/// Messages of a batch.
const BATCH: usize = 200;
/// The largest document that is read as a whole. Lines have no such bound.
const DOCUMENT_BYTES: u64 = 512 * 1024 * 1024;
/// How often a file that grows is looked at.
const FOLLOW: Duration = Duration::from_millis(500);

pub(super) async fn open(
    folder: Option<&Path>,
    path: &Path,
    source: &Source,
    reader: Reader,
    from: Option<&Position>,
) -> Result<Box<dyn Connection>, ChatError> {
    let path = allowed(folder, path)?;
    let mut file = BufReader::new(File::open(&path).await.map_err(unreadable)?);
    let at = |name: &str| from.and_then(|Position(at)| at.get(name)?.as_u64());
    if is_document(&mut file).await? {
        let length = file.get_ref().metadata().await.map_err(unreadable)?.len();
        if length > DOCUMENT_BYTES {
            return Err(ChatError::refused(
                "the chat file is too large for one document",
                "write a message on each line",
            ));
        }
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).await.map_err(unreadable)?;
        file.read_to_string(&mut text).await.map_err(unreadable)?;
        let document: Value = serde_json::from_str(&text).map_err(|error| {
            ChatError::refused(format!("the chat file is not JSON: {error}"), "give an export of a chat in JSON")
        })?;
        let skipped = at("message").unwrap_or(0) as usize;
        return Ok(Box::new(Pump::run(|outlet| read_document(document, skipped, reader, outlet))));
    }
    let byte = at("byte").unwrap_or(0);
    file.seek(SeekFrom::Start(byte)).await.map_err(unreadable)?;
    let follow = source.options.get("follow") == Some(&Value::Bool(true));
    Ok(Box::new(Pump::run(|outlet| read_lines(file, byte, follow, reader, outlet))))
}

/// A source may only name files in the folder of chat files: a streamer must not read the machine's files.
fn allowed(folder: Option<&Path>, path: &Path) -> Result<PathBuf, ChatError> {
    let Some(folder) = folder else {
        let remedy = "give the chat's address; the server reads files only of the folder that its operator names";
        return Err(ChatError::refused("chat files are switched off", remedy));
    };
    let folder = folder.canonicalize().map_err(unreadable)?;
    let path = folder.join(path).canonicalize().map_err(unreadable)?;
    if path.starts_with(&folder) {
        return Ok(path);
    }
    Err(ChatError::refused("the chat file lies outside of the folder of chat files", "move it into that folder"))
}

fn unreadable(error: std::io::Error) -> ChatError {
    ChatError::refused(format!("the chat file cannot be read: {error}"), "check its name and its rights")
}

/// Whether a file is one document: its first line is no JSON of its own, or an array.
async fn is_document(file: &mut BufReader<File>) -> Result<bool, ChatError> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line).await.map_err(unreadable)? == 0 {
            return Ok(false);
        }
        if !line.trim_ascii().is_empty() {
            break;
        }
    }
    match serde_json::from_slice::<Value>(&line) {
        Ok(Value::Object(object)) => Ok(object.get("comments").is_some_and(Value::is_array)),
        Ok(Value::Array(_)) => Ok(true),
        // A file that grows may end in the middle of its only line.
        _ => Ok(line.ends_with(b"\n") && matches!(line.trim_ascii().first(), Some(b'[' | b'{'))),
    }
}

async fn read_document(document: Value, skipped: usize, mut reader: Reader, outlet: Outlet) -> Result<(), ChatError> {
    let items: Vec<Value> = reader.items(&document).into_iter().cloned().collect();
    drop(document);
    let mut at = skipped.min(items.len());
    while at < items.len() {
        let end = (at + BATCH).min(items.len());
        let mut batch = Batch::default();
        items[at..end].iter().for_each(|item| reader.read(item, &mut batch));
        at = end;
        batch.position = Some(Position(json!({ "message": at })));
        batch.ended = false;
        outlet.put(batch).await?;
    }
    Ok(())
}

async fn read_lines(
    mut file: BufReader<File>,
    mut byte: u64,
    follow: bool,
    mut reader: Reader,
    outlet: Outlet,
) -> Result<(), ChatError> {
    let mut line = Vec::new();
    loop {
        let mut batch = Batch::default();
        let mut at_end = false;
        while batch.events.len() < BATCH && !batch.ended {
            // A line that is still being written stays in the buffer until its rest is there.
            let read = file.read_until(b'\n', &mut line).await.map_err(unreadable)?;
            let whole = line.ends_with(b"\n") || (read == 0 && !follow && !line.is_empty());
            if whole {
                byte += line.len() as u64;
                reader.read_lines(&String::from_utf8_lossy(&line), &mut batch);
                line.clear();
            } else if read == 0 {
                at_end = true;
                break;
            }
        }
        let ended = batch.ended;
        if !batch.events.is_empty() || ended {
            batch.position = Some(Position(json!({ "byte": byte })));
            outlet.put(batch).await?;
        }
        if ended || (at_end && !follow) {
            return Ok(());
        }
        if at_end {
            reader.clock().sleep(FOLLOW).await;
        }
    }
}
