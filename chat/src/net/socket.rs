//! WebSockets.

use std::{fmt, time::Duration};

use futures_util::{Stream, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        self, Message, client::IntoClientRequest, handshake::client::Request, http::HeaderValue,
        protocol::WebSocketConfig,
    },
};
use url::Url;

use super::{
    http::{LONGEST, install_cryptography, redirected, retry_after, unauthorised},
    reach::{self, Reach},
};
use crate::{ChatError, Secret};

pub(crate) type Frames = WebSocketStream<MaybeTlsStream<TcpStream>>;

const CONNECT: Duration = Duration::from_secs(15);

/// A token as it was read, and whether a later reading may bring another.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) renews: bool,
}

impl Token {
    pub(crate) async fn read(secret: &Secret) -> Result<Self, ChatError> {
        Ok(Self { text: secret.read().await?, renews: secret.renews() })
    }
}

/// It never shows itself.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Opens a WebSocket in reach, with a token in the header if there is one.
pub(crate) async fn connect(what: &str, url: &Url, token: Option<&Token>, reach: Reach) -> Result<Frames, ChatError> {
    install_cryptography();
    let odd =
        |_| ChatError::refused(format!("{what} has no address of a WebSocket"), "give an address with ws: or wss:");
    let mut request = url.as_str().into_client_request().map_err(odd)?;
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.text));
        let mut value = value.map_err(|_| ChatError::refused("the token holds odd characters", "set another token"))?;
        value.set_sensitive(true);
        request.headers_mut().insert("authorization", value);
    }
    match timeout(CONNECT, shake_hands(url, request, reach)).await {
        Ok(Ok(frames)) => Ok(frames),
        Ok(Err(tungstenite::Error::Http(response))) => {
            let status = response.status();
            let reason = format!("{what} answered {status}");
            match status.as_u16() {
                401 => Err(unauthorised(what, "the token", token.is_some_and(|token| token.renews))),
                403 => Err(ChatError::refused(reason, "check the token")),
                300..=399 => Err(redirected(what, status.as_u16(), url, response.headers())),
                404 | 410 => Err(ChatError::refused(reason, "check the address")),
                _ => Err(ChatError::Transient { reason, retry_after: retry_after(response.headers()) }),
            }
        }
        Ok(Err(tungstenite::Error::Url(_))) => {
            Err(ChatError::refused(format!("{what} has a wrong address"), "check the address"))
        }
        Ok(Err(error)) => {
            let passes = || ChatError::transient(format!("{what} cannot be reached: {error}"));
            Err(reach::refusal(what, &error).unwrap_or_else(passes))
        }
        Err(_) => Err(ChatError::transient(format!("{what} does not answer"))),
    }
}

/// Connects to an address that was checked. The request keeps the name of the host for TLS and for the server.
async fn shake_hands(url: &Url, request: Request, reach: Reach) -> Result<Frames, tungstenite::Error> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let addresses = reach.look_up(host, url.port_or_known_default().unwrap_or(443)).await?;
    let stream = TcpStream::connect(&addresses[..]).await?;
    let config = WebSocketConfig::default().max_message_size(Some(LONGEST));
    let (frames, _) = tokio_tungstenite::client_async_tls_with_config(request, stream, Some(config), None).await?;
    Ok(frames)
}

/// The next text of a WebSocket. Pings are answered by the library, when the next frame is awaited.
pub(crate) async fn text<S>(what: &str, frames: &mut S) -> Result<String, ChatError>
where
    S: Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
{
    loop {
        match frames.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Binary(bytes))) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Some(Ok(Message::Close(frame))) => {
                let code = frame.map_or(1000, |frame| u16::from(frame.code));
                return Err(ChatError::transient(format!("{what} closed the connection ({code})")));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(ChatError::transient(format!("{what} broke off: {error}"))),
            None => return Err(ChatError::transient(format!("{what} closed the connection"))),
        }
    }
}
