//! The chat as answers that are asked for again and again.

use std::time::Duration;

use serde_json::Value;

use super::{At, Trouble, item::Item, rest::Rest};
use crate::{Batch, ChatError, Connection, Outlet, Pump, field::Tidy};

/// How long to wait at least. The server allows a poll each second, with which a day's quota lasts for half an hour.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Asks for the first time, and goes on in a task.
pub(super) async fn open(rest: &Rest, mut at: At, mut tidy: Tidy) -> Result<Box<dyn Connection>, Trouble> {
    let first = ask(rest, &mut at, &mut tidy).await?;
    let rest = rest.clone();
    Ok(Box::new(Pump::run(|outlet| read(rest, at, tidy, first, outlet))))
}

async fn read(
    rest: Rest,
    mut at: At,
    mut tidy: Tidy,
    first: (Batch, Duration),
    outlet: Outlet,
) -> Result<(), ChatError> {
    let (mut batch, mut pause) = first;
    loop {
        let ended = batch.ended;
        outlet.put(batch).await?;
        if ended {
            return Ok(());
        }
        tidy.clock().sleep(pause).await;
        (batch, pause) = match ask(&rest, &mut at, &mut tidy).await {
            Ok(answer) => answer,
            Err(Trouble::Over) => return Ok(()),
            Err(trouble) => return Err(trouble.told(false)),
        };
    }
}

async fn ask(rest: &Rest, at: &mut At, tidy: &mut Tidy) -> Result<(Batch, Duration), Trouble> {
    let answer = loop {
        let chat = at.chat.clone();
        let mut parameters =
            vec![("liveChatId", chat.as_str()), ("part", "id,snippet,authorDetails"), ("maxResults", "2000")];
        parameters.extend(at.page.as_deref().map(|page| ("pageToken", page)));
        match rest.get("liveChat/messages", &parameters).await {
            Err(Trouble::Forgotten) if at.page.is_some() => at.begin_anew(),
            answer => break answer?,
        }
    };
    let mut batch = Batch::default();
    let items = answer.get("items").and_then(Value::as_array).into_iter().flatten();
    let items = items.map(Item::of_json).filter(|item| at.admits(item.written_ms()));
    items.for_each(|item| item.tell(tidy, &mut batch));
    // The last answers of a stream that is offline may still bring messages.
    let is_empty = answer.get("items").and_then(Value::as_array).is_none_or(Vec::is_empty);
    batch.ended |= is_empty && answer.get("offlineAt").is_some_and(Value::is_string);
    if let Some(page) = answer.get("nextPageToken").and_then(Value::as_str).filter(|page| !page.is_empty()) {
        at.page = Some(page.to_owned());
    }
    batch.position = Some(at.position());
    let pause = answer.get("pollingIntervalMillis").and_then(Value::as_u64).map_or(PAUSE, Duration::from_millis);
    Ok((batch, pause.clamp(PAUSE, LONGEST_PAUSE)))
}
