//! Requests to Twitch's API.

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::TwitchServers;
use crate::{
    ChatError,
    net::{Http, Token, body, failed, retry_after, unauthorised, unreadable},
};

const WHAT: &str = "Twitch";
const TOKEN: &str = "the token";

/// Twitch's API, as the account of a token.
#[derive(Debug, Clone)]
pub(super) struct Helix {
    http: Http,
    api: String,
    token: Token,
    client_id: String,
    user_id: String,
    login: String,
}

/// Who reads by IRC.
pub(super) struct Account {
    pub(super) login: String,
    pub(super) token: Token,
}

/// What came of a subscription.
pub(super) enum Subscribed {
    Yes,
    /// The account may not.
    Forbidden,
}

impl Helix {
    /// Asks whose token it is: Twitch wants the ids of the account and of the token's client in each request.
    pub(super) async fn log_in(http: &Http, servers: &TwitchServers, token: Token) -> Result<Self, ChatError> {
        let url = address(&servers.id, "oauth2/validate")?;
        let request = http.get(url).header("authorization", format!("OAuth {}", token.text));
        let answer = read(send(request).await?, &token).await?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (client_id, user_id, login) = (text("client_id"), text("user_id"), text("login"));
        if user_id.is_empty() {
            let remedy = "give a user access token, not the token of an application";
            return Err(ChatError::refused("the token belongs to no account", remedy));
        }
        Ok(Self { http: http.clone(), api: servers.api.clone(), token, client_id, user_id, login })
    }

    pub(super) fn account(self) -> Account {
        Account { login: self.login, token: self.token }
    }

    /// The id of a channel.
    pub(super) async fn broadcaster(&self, login: &str) -> Result<String, ChatError> {
        let answer = self.get("users", ("login", login)).await?;
        let id = answer.pointer("/data/0/id").and_then(Value::as_str);
        id.map(str::to_owned)
            .ok_or_else(|| ChatError::refused(format!("Twitch knows no channel {login}"), "check the address"))
    }

    /// Whether a channel streams now.
    pub(super) async fn is_live(&self, broadcaster: &str) -> Result<bool, ChatError> {
        let answer = self.get("streams", ("user_id", broadcaster)).await?;
        Ok(answer.pointer("/data/0").is_some())
    }

    /// Subscribes a session of EventSub to events of a channel.
    pub(super) async fn subscribe(
        &self,
        kind: &str,
        broadcaster: &str,
        session: &str,
    ) -> Result<Subscribed, ChatError> {
        let mut condition = json!({ "broadcaster_user_id": broadcaster });
        if kind.starts_with("channel.chat.") {
            condition["user_id"] = json!(self.user_id);
        }
        let transport = json!({ "method": "websocket", "session_id": session });
        let body = json!({ "type": kind, "version": "1", "condition": condition, "transport": transport });
        let request = self.http.post(address(&self.api, "helix/eventsub/subscriptions")?).json(&body);
        let response = send(self.signed(request)).await?;
        match response.status() {
            StatusCode::FORBIDDEN => Ok(Subscribed::Forbidden),
            // An earlier connection still has the subscription. Twitch forgets it when it misses the connection.
            StatusCode::CONFLICT => {
                let reason = "Twitch still sends the chat to an earlier connection".to_owned();
                Err(ChatError::Transient { reason, retry_after: Some(std::time::Duration::from_secs(10)) })
            }
            // The session has gone meanwhile.
            StatusCode::BAD_REQUEST => Err(ChatError::transient("Twitch does not know the session any more")),
            _ => read(response, &self.token).await.map(|_| Subscribed::Yes),
        }
    }

    /// What a token means that was revoked while the chat was open.
    pub(super) fn revoked(&self) -> ChatError {
        unauthorised(WHAT, TOKEN, self.token.renews)
    }

    async fn get(&self, resource: &str, (name, value): (&str, &str)) -> Result<Value, ChatError> {
        let mut url = address(&self.api, &format!("helix/{resource}"))?;
        url.query_pairs_mut().append_pair(name, value);
        read(send(self.signed(self.http.get(url))).await?, &self.token).await
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(&self.token.text).header("client-id", &self.client_id)
    }
}

fn address(server: &str, path: &str) -> Result<Url, ChatError> {
    Url::parse(&format!("{}/{path}", server.trim_end_matches('/')))
        .map_err(|_| ChatError::refused("an address of Twitch's servers is wrong", "give addresses with https:"))
}

async fn send(request: RequestBuilder) -> Result<Response, ChatError> {
    request.send().await.map_err(|error| unreadable(WHAT, error))
}

async fn read(response: Response, token: &Token) -> Result<Value, ChatError> {
    // Twitch names the moment at which the next request is allowed, in epoch seconds.
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        let reason = format!("{WHAT} answered {}", response.status());
        let wait = retry_after(response.headers()).or(Some(std::time::Duration::from_secs(30)));
        return Err(ChatError::Transient { reason, retry_after: wait });
    }
    if !response.status().is_success() {
        return Err(failed(WHAT, &response, TOKEN, token.renews));
    }
    let text = body(WHAT, response).await?;
    serde_json::from_str(&text).map_err(|_| ChatError::transient("Twitch sent JSON that breaks off"))
}
