//! Takes in the address of a stream that should be read.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidemill_chat::Url;
use tidemill_schemas::{FieldError, validate_id};

use super::{Sources, next_run, shown};
use crate::{
    apps::App,
    server::{
        access::Visitor,
        intake::{Request, check_json, json, unmarked},
        problem::Problem,
    },
    sources::{LiveSource, Platforms, Running, Wished, names},
};

/// The longest address, and the longest title, in bytes.
const URL_BYTES: usize = 2_000;
const TITLE_BYTES: usize = 500;
/// The most bytes of options.
const OPTIONS_BYTES: usize = 16 << 10;
/// The most sources that should run at the same time.
const RUNNING: usize = 1_000;

/// What a streamer sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    url: String,
    platform: Option<String>,
    title: Option<String>,
    #[serde(default)]
    options: Map<String, Value>,
    stream_id: Option<String>,
}

/// `POST /v1/streams`: reads a stream. An address that is read already gets its stream's id again.
pub(in crate::server) async fn start(
    sources: Arc<Sources>,
    Request { visitor, headers, body }: Request,
) -> Result<Response, Problem> {
    let running = sources.running()?;
    let asked = sources.asked(&visitor, &headers, body).await?;
    let not_valid = |error: FieldError| Problem::not_valid("stream", vec![error]);
    let url = address(&asked.url).map_err(not_valid)?;
    let platform = platform(running.platforms(), asked.platform.as_deref(), &url).map_err(not_valid)?;
    check_sizes(&asked).map_err(not_valid)?;
    let checked = running.guard().check(&url, &asked.options).await;
    checked.map_err(|(reason, fix)| not_valid(FieldError::new("url", reason, fix)))?;
    visitor.take(1)?;

    let _changing = sources.changing.lock().await;
    let (id, is_new) = place(sources.app, running, &visitor, &asked, &platform, &url)?;
    let seen = running.view().get(&id);
    let source = LiveSource {
        url,
        platform,
        title: asked.title.filter(|title| !title.trim().is_empty()),
        options: asked.options,
        wished: Wished::Running,
        run: next_run(seen.as_ref()),
    };
    // The same wish again, such as a second click, disturbs nothing.
    let runs = seen.as_ref().is_some_and(|seen| {
        let same = LiveSource { run: seen.source.run, ..source.clone() };
        same == seen.source && !shown::is_over(seen)
    });
    if !runs {
        sources.put(running, &id, Some(&source)).await?;
    }
    let seen = running.view().get(&id);
    let answer = json!({ "stream_id": id, "source": seen.as_ref().map(|seen| shown::source(running, seen)) });
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, Json(answer)).into_response();
    if let Some(place) = location(sources.app, &id) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

impl Sources {
    /// Reads what is asked for.
    async fn asked(&self, visitor: &Visitor, headers: &HeaderMap, body: Body) -> Result<Asked, Problem> {
        check_json(headers)?;
        let body = self.intake.read_body(visitor, headers, body).await?;
        let value: Value = json(unmarked(&body.0))?;
        serde_json::from_value(value).map_err(|error| {
            let fix = "send url, and if you like platform, title, options and stream_id";
            Problem::not_valid("stream", vec![FieldError::new("", error.to_string(), fix)])
        })
    }
}

/// The id of a new stream, or of the stream that has this address already, and whether it is new.
fn place(
    app: App,
    running: &Running,
    visitor: &Visitor,
    asked: &Asked,
    platform: &str,
    url: &Url,
) -> Result<(String, bool), Problem> {
    let all = running.view().all();
    if let Some(id) = &asked.stream_id {
        validate_id("stream_id", id).map_err(|errors| Problem::not_valid("stream", errors))?;
        visitor.may(app, id)?;
        match all.get(id) {
            Some(seen) if seen.source.url == *url => return Ok((id.clone(), false)),
            Some(seen) if seen.source.wished != Wished::Stopped && !shown::is_over(seen) => {
                let fix = "stop it first, or leave stream_id out";
                return Err(Problem::new(StatusCode::CONFLICT, "this stream reads another address", fix));
            }
            _ => {}
        }
    } else {
        let mine = |id: &str| visitor.sees(app, id);
        if let Some((id, _)) = all.iter().find(|(id, seen)| seen.source.url == *url && mine(id)) {
            return Ok((id.clone(), false));
        }
    }
    if all.values().filter(|seen| seen.source.wished == Wished::Running && !shown::is_over(seen)).count() >= RUNNING {
        return Err(Problem::busy(format!("{RUNNING} streams are read already"), 60));
    }
    if let Some(id) = &asked.stream_id {
        return Ok((id.clone(), !all.contains_key(id)));
    }
    let free = names(platform, url).filter_map(|name| visitor.own(app, &name));
    let free = free.take(RUNNING).find(|id| !all.contains_key(id));
    free.map(|id| (id, true)).ok_or_else(|| {
        let fix = "send stream_id with an id that your token opens, or erase a stream that is over";
        Problem::new(StatusCode::CONFLICT, "every id that the token opens has a stream", fix)
    })
}

/// Reads an address as people write it. Without a scheme, it is one of the web.
fn address(text: &str) -> Result<Url, FieldError> {
    let text = text.trim();
    let fix = "send the address that the browser shows, such as https://www.twitch.tv/ada";
    if text.len() > URL_BYTES {
        return Err(FieldError::new("url", format!("has {} bytes", text.len()), format!("send at most {URL_BYTES}")));
    }
    let has_scheme =
        text.split_once("://").is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric()));
    let whole = if has_scheme { text.to_owned() } else { format!("https://{text}") };
    match Url::parse(&whole) {
        Ok(url) if has_scheme || url.host_str().is_some_and(|host| host.contains('.')) => Ok(url),
        Ok(_) => Err(FieldError::new("url", "is no address", fix)),
        Err(error) => Err(FieldError::new("url", format!("is no address: {error}"), fix)),
    }
}

fn platform(platforms: &Platforms, named: Option<&str>, url: &Url) -> Result<String, FieldError> {
    let names = platforms.names().collect::<Vec<_>>().join(", ");
    if let Some(name) = named {
        let known = platforms.named(name).map(|platform| platform.name().to_owned());
        return known.ok_or_else(|| {
            FieldError::new(
                "platform",
                format!("is '{name}', which this server does not know"),
                format!("send one of: {names}"),
            )
        });
    }
    platforms.of(url).map(|platform| platform.name().to_owned()).ok_or_else(|| {
        FieldError::new("url", "belongs to no platform that this server knows", format!("send an address of: {names}"))
    })
}

fn check_sizes(Asked { title, options, .. }: &Asked) -> Result<(), FieldError> {
    if let Some(title) = title.as_ref().filter(|title| title.len() > TITLE_BYTES) {
        let fix = format!("send at most {TITLE_BYTES}");
        return Err(FieldError::new("title", format!("has {} bytes", title.len()), fix));
    }
    let bytes = serde_json::to_vec(options).map_or(usize::MAX, |text| text.len());
    if bytes > OPTIONS_BYTES {
        return Err(FieldError::new("options", format!("have {bytes} bytes"), format!("send at most {OPTIONS_BYTES}")));
    }
    Ok(())
}

/// The address of a stream.
fn location(app: App, id: &str) -> Option<HeaderValue> {
    let mut url = Url::parse("http://localhost/v1/").ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend([app.owner.plural, id]);
    HeaderValue::from_str(url.path()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::APPLICATIONS;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let read = |text| address(text).map(|url| url.to_string()).map_err(|error| error.to_string());
        assert_eq!(read(" twitch.tv/ada "), Ok("https://twitch.tv/ada".to_owned()));
        assert_eq!(read("https://youtu.be/abc"), Ok("https://youtu.be/abc".to_owned()));
        for wrong in ["", "ada", "http://", "how do I stream?", &"a".repeat(3_000)] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_address_of_a_stream_is_one() {
        let app = APPLICATIONS.into_iter().find(|app| app.reads_streams).expect("one does");
        assert_eq!(location(app, "a/b ü").expect("an address"), "/v1/streams/a%2Fb%20%C3%BC");
    }
}
