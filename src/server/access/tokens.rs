//! Recognises the sender of a request by its token.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::Deserialize;

use super::{guesses::Guesses, host::check_host, rate::Rate, share::Share, visitor::Visitor};
use crate::server::{address::Query, problem::Problem, settings::Settings};

/// Knows the visitors. Clones share their state.
#[derive(Clone)]
pub(in crate::server) struct Access {
    /// One for each tenant; none if every client may use the server.
    visitors: Arc<[Visitor]>,
    guesses: Arc<Guesses>,
}

/// The address of a connection's other end.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Peer(pub(in crate::server) IpAddr);

impl Access {
    pub(in crate::server) fn new(settings: &Settings) -> Self {
        // Entries with the same name are one tenant.
        let (mut rates, mut shares) = (HashMap::new(), HashMap::new());
        let names: BTreeSet<_> = settings.tenants.iter().map(|tenant| &tenant.name).collect();
        let limits = &settings.limits;
        let visitors = settings.tenants.iter().map(|tenant| {
            let own = |per_second| rates.entry(&tenant.name).or_insert_with(|| Arc::new(Rate::new(per_second))).clone();
            let rate = tenant.records_per_second.map(own);
            let share = shares.entry(&tenant.name).or_insert_with(|| Arc::new(Share::half_of(limits)));
            Visitor::of(tenant.clone(), rate, (names.len() > 1).then(|| share.clone()))
        });
        let guesses = Arc::new(Guesses::new(settings.limits.wrong_tokens));
        Self { visitors: visitors.collect(), guesses }
    }

    /// Recognises a visitor by `Authorization: Bearer` or, for pages that cannot send headers, by `?token=`.
    fn visitor(&self, headers: &HeaderMap, token: Option<&str>, peer: IpAddr) -> Result<Visitor, Problem> {
        if self.visitors.is_empty() {
            return check_host(headers).map(|()| Visitor::anyone());
        }
        let Some(given) = bearer(headers).or(token) else {
            let fix = "send the header `Authorization: Bearer <token>`, or ?token= from a page";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "there is no token", fix));
        };
        // Before any token is compared: an address that guesses learns nothing more.
        let now = Instant::now();
        if let Some(wait_s) = self.guesses.wait_s(peer, now) {
            return Err(Problem::busy("too many wrong tokens came from this address", wait_s));
        }
        // Every token is compared, each in constant time, so that the duration reveals nothing about the tokens.
        let mut found = None;
        for visitor in self.visitors.iter() {
            if visitor.has_token(given) {
                found = Some(visitor.clone());
            }
        }
        found.ok_or_else(|| {
            self.guesses.note(peer, now);
            let fix = "ask the operator of this server for a token";
            Problem::new(StatusCode::UNAUTHORIZED, "the token is not known", fix)
        })
    }
}

/// The token of `Authorization: Bearer`. The scheme may be written in any case.
pub(in crate::server) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The protocol that a page offers for its WebSocket.
pub(in crate::server) const PROTOCOL: &str = "tidemill.v1";
/// What begins the protocol that carries a token.
const TOKEN: &str = "tidemill.token.";

/// The token among the protocols that a page offers for its WebSocket, in hexadecimal digits: the only header that a page
/// can set there. An address would put the token into the logs of proxies.
fn offered(headers: &HeaderMap) -> Option<String> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    let digits = offered.flat_map(|all| all.split(',')).find_map(|one| one.trim().strip_prefix(TOKEN))?;
    let byte = |pair: &[u8]| {
        let [high, low] = <[u8; 2]>::try_from(pair).ok()?.map(|digit| char::from(digit).to_digit(16));
        Some((high? * 16 + low?) as u8)
    };
    String::from_utf8(digits.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?).ok()
}

/// `?token=`, for pages that cannot send headers.
#[derive(Debug, Default, Deserialize)]
struct Token {
    token: Option<String>,
}

/// A handler with a visitor argument runs only for a visitor that the server knows.
impl<S: Send + Sync> FromRequestParts<S> for Visitor
where
    Access: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(Token { token }) = Query::from_request_parts(parts, state).await?;
        let token = token.or_else(|| offered(&parts.headers));
        let peer = parts.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| *address);
        Access::from_ref(state).visitor(&parts.headers, token.as_deref(), peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_offers_its_token_as_a_protocol() {
        let token = |protocols: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocols.parse().expect("a header"));
            offered(&headers)
        };
        assert_eq!(token("tidemill.v1, tidemill.token.612f623d"), Some("a/b=".to_owned()));
        for none in ["tidemill.v1", "tidemill.token.6", "tidemill.token.zz", "tidemill.token.ff", "x.tidemill.token.61"]
        {
            assert_eq!(token(none), None, "{none}");
        }
    }
}
