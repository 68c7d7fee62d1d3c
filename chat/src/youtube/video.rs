//! Finds the chat of a video, or of what a channel streams now.

use serde_json::Value;
use url::Url;

use super::{
    address::{Wanted, wanted},
    rest::Rest,
};
use crate::{ChatError, field::parse_moment};

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// A chat that can be read.
    Chat { video: String, chat: String },
    /// The stream is over.
    Over,
}

/// How long to wait before a channel is looked at again: each look costs units of the day's quota.
const LOOK_AGAIN_MS: i64 = 120_000;

/// Finds the chat. `known` is the video that was read before.
pub(super) async fn find(rest: &Rest, url: &Url, known: Option<&str>, now_ms: i64) -> Result<Found, ChatError> {
    let wanted = wanted(url).ok_or_else(|| {
        let remedy = "give the address of a video (youtube.com/watch?v=…) or of a channel (youtube.com/@name)";
        ChatError::refused("the address names neither a video nor a channel", remedy)
    })?;
    let (ids, is_channel) = match (known, wanted) {
        (Some(known), _) if !known.is_empty() => (known.to_owned(), false),
        (_, Wanted::Video(id)) => (id, false),
        (_, Wanted::Channel(id)) => (latest(rest, &id).await?, true),
        (_, Wanted::Handle(handle)) => {
            let answer = get(rest, "channels", &[("part", "id"), ("forHandle", &handle)]).await?;
            let id = answer.pointer("/items/0/id").and_then(Value::as_str);
            let unknown = || ChatError::refused(format!("YouTube knows no channel {handle}"), "check the address");
            (latest(rest, id.ok_or_else(unknown)?).await?, true)
        }
    };
    let nothing = || {
        let reason = "the channel streams nothing now".to_owned();
        ChatError::NotLive { reason, starts_at_ms: Some(now_ms + LOOK_AGAIN_MS) }
    };
    if ids.is_empty() {
        return Err(nothing());
    }
    let answer = get(rest, "videos", &[("part", "snippet,liveStreamingDetails"), ("id", &ids)]).await?;
    let mut videos: Vec<&Value> = answer.get("items").and_then(Value::as_array).into_iter().flatten().collect();
    if is_channel {
        // Of several streams, the one that runs counts, then the one that begins first.
        videos.retain(|video| matches!(content(video), "live" | "upcoming"));
        videos.sort_by_key(|video| (content(video) != "live", moment(video, "scheduledStartTime")));
    }
    match videos.first() {
        Some(video) => chat_of(video, now_ms),
        None if is_channel => Err(nothing()),
        None => {
            Err(ChatError::refused("YouTube knows no such video", "check the address; a private video needs OAuth"))
        }
    }
}

fn chat_of(video: &Value, now_ms: i64) -> Result<Found, ChatError> {
    let detail = |name: &str| video.pointer("/liveStreamingDetails")?.get(name)?.as_str();
    let id = video.get("id").and_then(Value::as_str).unwrap_or_default();
    match detail("activeLiveChatId") {
        // A chat may be open before the stream begins, and for a moment after its end.
        Some(chat) => Ok(Found::Chat { video: id.to_owned(), chat: chat.to_owned() }),
        None if detail("actualEndTime").is_some() => Ok(Found::Over),
        None if content(video) == "upcoming" => {
            let starts_at_ms = moment(video, "scheduledStartTime").or(Some(now_ms));
            Err(ChatError::NotLive { reason: "the stream has not begun".to_owned(), starts_at_ms })
        }
        None if video.get("liveStreamingDetails").is_none() => {
            Err(ChatError::refused("the video is no live stream", "give the address of a live stream"))
        }
        None => Err(ChatError::refused("the stream has no chat", "switch the chat on in YouTube Studio")),
    }
}

/// The latest videos of a channel, streams among them, separated by commas. The list of uploads has the channel's id
/// with another beginning; a search would cost thirty times as much.
async fn latest(rest: &Rest, channel: &str) -> Result<String, ChatError> {
    let Some(id) = channel.strip_prefix("UC") else {
        return Err(ChatError::refused("the address names no channel", "give an address with /channel/UC…"));
    };
    let list = format!("UU{id}");
    let parameters = [("part", "contentDetails"), ("maxResults", "10"), ("playlistId", list.as_str())];
    let answer = get(rest, "playlistItems", &parameters).await?;
    let items = answer.get("items").and_then(Value::as_array).into_iter().flatten();
    let ids: Vec<&str> = items.filter_map(|item| item.pointer("/contentDetails/videoId")?.as_str()).collect();
    Ok(ids.join(","))
}

async fn get(rest: &Rest, resource: &str, parameters: &[(&str, &str)]) -> Result<Value, ChatError> {
    rest.get(resource, parameters).await.map_err(|trouble| trouble.told(false))
}

/// `live`, `upcoming` or `none`.
fn content(video: &Value) -> &str {
    video.pointer("/snippet/liveBroadcastContent").and_then(Value::as_str).unwrap_or_default()
}

fn moment(video: &Value, name: &str) -> Option<i64> {
    parse_moment(video.pointer("/liveStreamingDetails")?.get(name)?)
}
