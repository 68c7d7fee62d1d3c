//! Requests over HTTP. No error holds an address, because addresses may hold what nobody should read.

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use reqwest::{Response, StatusCode, header, redirect::Policy};
use url::Url;

use super::reach::{self, Reach};
use crate::ChatError;

/// The longest answer that is read, in bytes.
pub(super) const LONGEST: usize = 16 << 20;

/// The most redirects of a request.
const REDIRECTS: usize = 5;

/// A client that verifies certificates as the operating system does.
#[derive(Debug, Clone)]
pub(crate) struct Http(reqwest::Client);

impl Http {
    /// A client that stays in reach. Addresses that are no names must be checked before.
    pub(crate) fn new(reach: Reach) -> Self {
        install_cryptography();
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(30))
            .user_agent("tidemill")
            // A host that was checked must not lead to another one, such as one inside the network.
            .redirect(Policy::custom(|attempt| {
                let stays =
                    attempt.previous().first().is_some_and(|first| first.host_str() == attempt.url().host_str());
                if stays && attempt.previous().len() < REDIRECTS { attempt.follow() } else { attempt.stop() }
            }))
            .dns_resolver(Arc::new(reach))
            .build();
        Self(client.unwrap_or_default())
    }

    pub(crate) fn get(&self, url: Url) -> reqwest::RequestBuilder {
        self.0.get(url)
    }

    pub(crate) fn post(&self, url: Url) -> reqwest::RequestBuilder {
        self.0.post(url)
    }
}

/// All of TLS uses ring.
pub(crate) fn install_cryptography() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A request that got no answer.
pub(crate) fn unreadable(what: &str, error: reqwest::Error) -> ChatError {
    let error = error.without_url();
    if let Some(refusal) = reach::refusal(what, &error) {
        return refusal;
    }
    // The innermost cause says most: a refused connection, an unknown host.
    let cause = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source()).last();
    let cause = cause.map_or_else(String::new, ToString::to_string);
    ChatError::transient(format!("{what} does not answer: {cause}"))
}

/// The text of an answer. One that is too long is refused before it is all read.
pub(crate) async fn body(what: &str, mut response: Response) -> Result<String, ChatError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreadable(what, error))? {
        if bytes.len() + chunk.len() > LONGEST {
            let reason = format!("{what} answered with more than {} MiB", LONGEST >> 20);
            return Err(ChatError::refused(reason, "give an address with shorter answers"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// A refused token. One that renews itself is waited for; any other needs a person.
pub(crate) fn unauthorised(what: &str, credential: &str, renews: bool) -> ChatError {
    if renews {
        return ChatError::transient(format!("{what} refuses {credential}; a new one is waited for"));
    }
    ChatError::refused(format!("{what} refuses {credential}"), format!("check {credential}"))
}

/// How long a server asks to wait.
pub(crate) fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// A redirect that is not followed. Of where it points, only the server is told: the rest may hold what nobody should
/// read.
pub(super) fn redirected(what: &str, status: u16, from: &Url, headers: &header::HeaderMap) -> ChatError {
    let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    let to = match location.and_then(|location| from.join(location).ok()) {
        Some(to) => format!(" and points to {}://{}", to.scheme(), to.host_str().unwrap_or_default()),
        None => String::new(),
    };
    let reason = format!("{what} answered {status}{to}, which is not followed");
    ChatError::refused(reason, "give the address at which the chat itself is")
}

/// What a refused request means if the platform says nothing more about it. `credential` names what the server wants to
/// see of those that ask, and `renews` says whether a later one may be another.
pub(crate) fn failed(what: &str, response: &Response, credential: &str, renews: bool) -> ChatError {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let reason = format!("{what} answered {status}");
    match status {
        StatusCode::UNAUTHORIZED => unauthorised(what, credential, renews),
        StatusCode::FORBIDDEN => ChatError::refused(reason, format!("check {credential}")),
        StatusCode::NOT_FOUND | StatusCode::GONE => ChatError::refused(reason, "check the address"),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::TOO_EARLY => {
            ChatError::Transient { reason, retry_after }
        }
        status if status.is_redirection() => redirected(what, status.as_u16(), response.url(), response.headers()),
        status if status.is_client_error() => ChatError::refused(reason, "check the address and the options"),
        _ => ChatError::Transient { reason, retry_after },
    }
}
