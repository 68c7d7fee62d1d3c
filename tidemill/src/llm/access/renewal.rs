//! A token is used until shortly before it expires, or until it is refused. Then its source is asked for another one.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use thiserror::Error;

use super::Secret;
use crate::clock::Clock;

/// A token is renewed this long before it expires.
const MARGIN_MS: i64 = 5 * 60_000;
/// After a source failed, an old token that is still valid is used for this long before the source is asked again.
const PAUSE_MS: i64 = 10_000;

/// The future of a token.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<Token, TokenError>> + Send + 'a>>;

/// Gives bearer tokens, for example of a cloud's service account.
///
/// ```
/// use tidemill::llm::{Secret, Token, TokenFuture, TokenSource};
///
/// #[derive(Debug)]
/// struct Vault;
///
/// impl TokenSource for Vault {
///     fn token(&self) -> TokenFuture<'_> {
///         Box::pin(async { Ok(Token { secret: Secret::new("…"), expires_ms: None }) })
///     }
/// }
/// ```
pub trait TokenSource: Send + Sync + fmt::Debug + 'static {
    /// A token that is valid now. It is called before the old token expires, and after the old one was refused.
    fn token(&self) -> TokenFuture<'_>;
}

/// A bearer token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token.
    pub secret: Secret,
    /// When it expires, in milliseconds since the Unix epoch. `None`: it is asked for anew before each request, or does
    /// not expire.
    pub expires_ms: Option<i64>,
}

/// Why there is no token. The text is shown, so it must not contain the token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no token: {0}")]
pub struct TokenError(pub String);

/// The token in use.
#[derive(Debug)]
pub(in crate::llm) struct Renewal {
    source: Arc<dyn TokenSource>,
    clock: Arc<dyn Clock>,
    /// One asks, all others wait for the same token.
    current: tokio::sync::Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    token: Token,
    renew_ms: i64,
}

impl Renewal {
    pub(super) fn new(source: Arc<dyn TokenSource>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, current: tokio::sync::Mutex::default() }
    }

    /// A token, but not the one that was refused.
    pub(super) async fn token(&self, refused: Option<&Secret>) -> Result<Secret, TokenError> {
        let mut current = self.current.lock().await;
        let now = self.clock.now_ms();
        if let Some(Current { token, renew_ms }) = &*current
            && *renew_ms > now
            && refused != Some(&token.secret)
        {
            return Ok(token.secret.clone());
        }
        match self.source.token().await {
            Ok(token) if refused == Some(&token.secret) => {
                *current = None;
                Err(TokenError("the source gives the token that was refused".into()))
            }
            Ok(token) => {
                let secret = token.secret.clone();
                let renew_ms = token.expires_ms.map_or(now, |expires| expires - MARGIN_MS);
                *current = Some(Current { token, renew_ms });
                Ok(secret)
            }
            Err(error) => match &mut *current {
                Some(Current { token, renew_ms })
                    if token.expires_ms.is_some_and(|expires| expires > now) && refused != Some(&token.secret) =>
                {
                    *renew_ms = now + PAUSE_MS;
                    Ok(token.secret.clone())
                }
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicI64, Ordering},
        time::Duration,
    };

    use super::*;
    use crate::clock::ManualClock;

    /// Gives numbered tokens that are good for an hour, and fails after the third.
    #[derive(Debug)]
    struct Numbers(AtomicI64, ManualClock);

    impl TokenSource for Numbers {
        fn token(&self) -> TokenFuture<'_> {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            let expires_ms = Some(self.1.now_ms() + 3_600_000);
            let token = Token { secret: Secret::new(number.to_string()), expires_ms };
            Box::pin(async move { if number < 3 { Ok(token) } else { Err(TokenError("down".into())) } })
        }
    }

    #[tokio::test]
    async fn a_token_is_renewed_before_it_expires_and_after_it_is_refused() -> Result<(), TokenError> {
        let clock = ManualClock::new(1_000_000);
        let renewal = Renewal::new(Arc::new(Numbers(AtomicI64::new(0), clock.clone())), Arc::new(clock.clone()));
        assert_eq!(renewal.token(None).await?.expose(), "0");
        assert_eq!(renewal.token(None).await?.expose(), "0");
        clock.advance(Duration::from_secs(3_600 - 299));
        assert_eq!(renewal.token(None).await?.expose(), "1");
        assert_eq!(renewal.token(Some(&Secret::new("0"))).await?.expose(), "1", "somebody else has renewed it");
        assert_eq!(renewal.token(Some(&Secret::new("1"))).await?.expose(), "2");
        // The source is down. The token in use is good for some minutes more.
        clock.advance(Duration::from_secs(3_600 - 299));
        assert_eq!(renewal.token(None).await?.expose(), "2");
        clock.advance(Duration::from_secs(300));
        assert!(renewal.token(None).await.is_err());
        Ok(())
    }
}
