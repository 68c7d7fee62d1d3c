//! IRC over a WebSocket.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{
        ConnectInfo, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{Studio, TwitchServer, podium::Turn};
use crate::{Fault, Kind, Line, fuse::Fuse, hall::Hall};

/// Connections of IRC have numbers beyond those of EventSub.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1 << 32);

pub(super) async fn open(
    State(studio): State<Arc<Studio>>,
    ConnectInfo(fuse): ConnectInfo<Fuse>,
    upgrade: WebSocketUpgrade,
) -> Response {
    // Nobody shows a token yet.
    if studio.hall.schedule.token.is_none() && studio.hall.admit(None).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    upgrade.on_upgrade(move |socket| async move {
        // A reader that is gone needs no more.
        let _ = serve(&studio, &fuse, socket).await;
    })
}

async fn serve(studio: &Studio, fuse: &Fuse, mut socket: WebSocket) -> Result<(), axum::Error> {
    let (hall, podium) = (&studio.hall, &studio.podium);
    let mut pass = None;
    loop {
        let Some(Ok(said)) = socket.recv().await else { return Ok(()) };
        let Message::Text(said) = said else { continue };
        let said = said.trim();
        if let Some(token) = said.strip_prefix("PASS oauth:") {
            pass = Some(token.to_owned());
        } else if said.starts_with("NICK ") {
            if hall.schedule.token.is_some() && hall.admit(pass.as_deref()).is_err() {
                let refused = ":tmi.twitch.tv NOTICE * :Login authentication failed\r\n";
                return socket.send(Message::text(refused)).await;
            }
            socket.send(Message::text(":tmi.twitch.tv 001 reader :Welcome, GLHF!\r\n")).await?;
        } else if said == format!("JOIN #{}", TwitchServer::CHANNEL) {
            break;
        }
    }
    let room = TwitchServer::BROADCASTER;
    let channel = TwitchServer::CHANNEL;
    let joined = format!(
        ":reader!reader@reader.tmi.twitch.tv JOIN #{channel}\r\n@room-id={room} :tmi.twitch.tv ROOMSTATE #{channel}\r\n"
    );
    socket.send(Message::text(joined)).await?;
    let number = CONNECTIONS.fetch_add(1, Ordering::SeqCst);
    podium.take(hall, number);
    let mut changes = hall.changes();
    let mut asked_to_move = false;
    loop {
        match podium.turn(hall, number) {
            // Another connection is sent to.
            Turn::Over => return socket.send(Message::Close(None)).await,
            // IRC does not tell that a stream has ended.
            Turn::Ended | Turn::Quiet => {
                tokio::select! {
                    changed = changes.changed() => drop(changed),
                    said = socket.recv() => if said.is_none() { return Ok(()) },
                    () = tokio::time::sleep(Duration::from_millis(100)) => {
                        socket.send(Message::text("PING :tmi.twitch.tv\r\n")).await?;
                    }
                }
            }
            Turn::Line { line, whole, twice } => {
                let mut text = written(hall, &line);
                if let Kind::Gifts(_) = line.kind {
                    text.push_str(&single_gift(hall, &line));
                }
                if !whole {
                    fuse.burn_after(text.len() / 2);
                }
                if twice {
                    text = text.repeat(2);
                }
                socket.send(Message::text(text)).await?;
                if !asked_to_move && hall.strikes(Fault::Moved) {
                    asked_to_move = true;
                    socket.send(Message::text(":tmi.twitch.tv RECONNECT\r\n")).await?;
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\:").replace(' ', "\\s")
}

/// A line as IRC writes it.
fn written(hall: &Hall, line: &Line) -> String {
    let at_ms = hall.said_ms(line.at_ms);
    let (room, channel) = (TwitchServer::BROADCASTER, TwitchServer::CHANNEL);
    let (mut command, mut tags) = ("USERNOTICE", String::new());
    match &line.kind {
        Kind::Text => command = "PRIVMSG",
        Kind::Reply { to } => {
            command = "PRIVMSG";
            tags = format!(";reply-parent-msg-id={to}");
        }
        Kind::Paid { micros, .. } => {
            command = "PRIVMSG";
            tags = format!(";bits={}", micros / 10_000);
        }
        Kind::Joined => tags.push_str(";msg-id=sub;msg-param-cumulative-months=1"),
        Kind::Months(months) => tags = format!(";msg-id=resub;msg-param-cumulative-months={months}"),
        Kind::Gifts(count) => tags = format!(";msg-id=submysterygift;msg-param-mass-gift-count={count}"),
        Kind::Deleted { target } => {
            return format!(
                "@login=x;room-id={room};target-msg-id={target};tmi-sent-ts={at_ms} :tmi.twitch.tv CLEARMSG #{channel} :x\r\n"
            );
        }
        Kind::Banned { user_id, seconds } => {
            let duration = seconds.map_or_else(String::new, |seconds| format!("ban-duration={seconds};"));
            return format!(
                "@{duration}room-id={room};target-user-id={user_id};tmi-sent-ts={at_ms} :tmi.twitch.tv CLEARCHAT #{channel} :x\r\n"
            );
        }
    }
    let name = escaped(&line.user_name);
    let (id, user, text) = (&line.id, &line.user_id, &line.text);
    format!(
        "@badge-info=;display-name={name};emotes=;id={id};room-id={room};user-id={user};tmi-sent-ts={at_ms}{tags} \
         :x!x@x.tmi.twitch.tv {command} #{channel} :{text}\r\n"
    )
}

/// One of the gifts of a larger one, which Twitch tells, too.
fn single_gift(hall: &Hall, line: &Line) -> String {
    let at_ms = hall.said_ms(line.at_ms);
    let (id, user, channel) = (&line.id, &line.user_id, TwitchServer::CHANNEL);
    format!(
        "@display-name=x;id={id}-single;user-id={user};tmi-sent-ts={at_ms};msg-id=subgift;\
         msg-param-community-gift-id={id} :tmi.twitch.tv USERNOTICE #{channel}\r\n"
    )
}
