//! Requests to YouTube's API over REST.

use reqwest::header;
use serde_json::Value;
use url::Url;

use super::Trouble;
use crate::{
    ChatError, Secret,
    net::{Http, body, retry_after, unreadable},
};

/// What the server wants to see of those that ask.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    ApiKey(Secret),
    OAuth(Secret),
}

impl Credential {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "the API key",
            Self::OAuth(_) => "the OAuth token",
        }
    }

    pub(super) fn renews(&self) -> bool {
        let (Self::ApiKey(secret) | Self::OAuth(secret)) = self;
        secret.renews()
    }

    /// The header and its value. A key belongs into no address: addresses end up in logs.
    pub(super) async fn header(&self) -> Result<(&'static str, String), ChatError> {
        Ok(match self {
            Self::ApiKey(key) => ("x-goog-api-key", key.read().await?),
            Self::OAuth(token) => ("authorization", format!("Bearer {}", token.read().await?)),
        })
    }
}

/// YouTube's API.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    http: Http,
    address: String,
    pub(super) credential: Credential,
}

impl Rest {
    pub(super) fn new(http: Http, address: &str, credential: Credential) -> Self {
        Self { http, address: address.to_owned(), credential }
    }

    pub(super) fn address(&mut self, address: &str) {
        address.trim_end_matches('/').clone_into(&mut self.address);
    }

    /// Asks for a resource, such as `videos`.
    pub(super) async fn get(&self, resource: &str, parameters: &[(&str, &str)]) -> Result<Value, Trouble> {
        let wrong = |_| ChatError::refused("the address of YouTube's API is wrong", "give an address with https:");
        let mut url = Url::parse(&format!("{}/youtube/v3/{resource}", self.address)).map_err(wrong)?;
        url.query_pairs_mut().extend_pairs(parameters);
        let (name, value) = self.credential.header().await?;
        let odd = |_| ChatError::refused("the credential holds odd characters", "set another credential");
        let mut value = header::HeaderValue::from_str(&value).map_err(odd)?;
        value.set_sensitive(true);
        let response = self.http.get(url).header(name, value).send().await;
        let response = response.map_err(|error| unreadable("YouTube", error))?;
        let (status, wait) = (response.status(), retry_after(response.headers()));
        let text = body("YouTube", response).await?;
        let answer = serde_json::from_str(&text);
        if status.is_success() {
            return Ok(answer.map_err(|_| ChatError::transient("YouTube sent JSON that breaks off"))?);
        }
        let answer = answer.unwrap_or(Value::Null);
        Err(Trouble::of_answer(status.as_u16(), &answer, wait, self.credential.name(), self.credential.renews()))
    }
}
