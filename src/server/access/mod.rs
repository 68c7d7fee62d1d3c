//! Access rights: tokens of tenants, the ids that they open, rates, and origins of pages.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{
    extract::{FromRef, FromRequestParts, Query},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::{
    problem::Problem,
    settings::{Settings, Tenant},
};
use crate::apps::App;

/// The sender of a request.
#[derive(Debug, Clone)]
pub(in crate::server) struct Visitor {
    /// `None` if no tenants are configured: every client that reaches the address may do everything.
    tenant: Option<Arc<Tenant>>,
}

/// `?token=`, for pages that cannot send headers.
#[derive(Debug, Default, Deserialize)]
struct Token {
    token: Option<String>,
}

/// A handler with a visitor argument runs only for a visitor that the server knows.
impl<S: Sync> FromRequestParts<S> for Visitor
where
    Access: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(Token { token }) = Query::try_from_uri(&parts.uri).unwrap_or_default();
        Access::from_ref(state).visitor(&parts.headers, token.as_deref())
    }
}

/// Decides what visitors may do. Clones share their state.
#[derive(Clone)]
pub(in crate::server) struct Access {
    tenants: Arc<[Arc<Tenant>]>,
    origins: Arc<[String]>,
    buckets: Arc<Mutex<HashMap<String, Bucket>>>,
}

struct Bucket {
    records: f64,
    filled: Instant,
}

impl Access {
    pub(in crate::server) fn new(settings: &Settings) -> Self {
        let (tenants, origins) = (settings.tenants.as_slice().into(), settings.cors_origins.as_slice().into());
        Self { tenants, origins, buckets: Arc::default() }
    }

    /// Recognises a visitor by `Authorization: Bearer` or, for pages that cannot send headers, by `?token=`.
    fn visitor(&self, headers: &HeaderMap, token: Option<&str>) -> Result<Visitor, Problem> {
        if self.tenants.is_empty() {
            return check_host(headers).map(|()| Visitor { tenant: None });
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let Some(given) = bearer.or(token) else {
            let fix = "send the header `Authorization: Bearer <token>`, or ?token= from a page";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "there is no token", fix));
        };
        // Every token is compared, each in constant time, so that the duration reveals nothing about the tokens.
        let mut found = None;
        for tenant in self.tenants.iter() {
            if bool::from(tenant.token.as_bytes().ct_eq(given.as_bytes())) {
                found = Some(tenant.clone());
            }
        }
        let fix = "ask the operator of this server for a token";
        let tenant = found.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "the token is not known", fix))?;
        Ok(Visitor { tenant: Some(tenant) })
    }

    /// Takes records off a tenant's rate. Refuses them when the rate is used up.
    pub(in crate::server) fn take(&self, visitor: &Visitor, records: usize) -> Result<(), Problem> {
        let Some(tenant) = &visitor.tenant else { return Ok(()) };
        let Some(rate) = tenant.records_per_second.map(f64::from) else { return Ok(()) };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let bucket = buckets.entry(tenant.name.clone()).or_insert(Bucket { records: rate, filled: now });
        bucket.records = (bucket.records + now.duration_since(bucket.filled).as_secs_f64() * rate).min(rate);
        bucket.filled = now;
        // A batch larger than one second's rate passes when the bucket is full. The bucket then goes below zero.
        if bucket.records < (records as f64).min(rate) {
            let seconds = ((records as f64).min(rate) - bucket.records) / rate;
            return Err(Problem::busy(format!("more than {rate} records a second"), seconds.ceil() as u64));
        }
        bucket.records -= records as f64;
        Ok(())
    }

    /// Whether pages of an origin may use this server.
    pub(in crate::server) fn allows_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin)
    }
}

impl Visitor {
    /// Refuses ids that are not the visitor's.
    pub(in crate::server) fn may(&self, app: App, id: &str) -> Result<(), Problem> {
        if self.sees(app, id) {
            return Ok(());
        }
        let what = app.owner.word;
        let fix = format!("use a token that opens this {what}");
        Err(Problem::new(StatusCode::FORBIDDEN, format!("the token does not open this {what}"), fix))
    }

    pub(in crate::server) fn sees(&self, app: App, id: &str) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| {
            let patterns = tenant.owners.get(app.owner.plural);
            patterns.is_some_and(|patterns| patterns.iter().any(|pattern| matches(pattern, id)))
        })
    }

    /// Refuses visitors that may not see metrics and state.
    pub(in crate::server) fn may_inspect(&self) -> Result<(), Problem> {
        if self.tenant.as_ref().is_none_or(|tenant| tenant.admin) {
            return Ok(());
        }
        let fix = "use a token of a tenant with `admin = true`";
        Err(Problem::new(StatusCode::FORBIDDEN, "the token does not open metrics and state", fix))
    }

    pub(in crate::server) fn body_bytes(&self, limit: usize) -> usize {
        self.tenant.as_ref().and_then(|tenant| tenant.body_bytes).map_or(limit, |own| own.min(limit))
    }
}

fn matches(pattern: &str, id: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => id.starts_with(prefix),
        None => pattern == id,
    }
}

/// Without tokens, the server answers only to names of this machine. This stops DNS rebinding: a page elsewhere whose
/// name is made to point to this machine gets no access.
fn check_host(headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_local = name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if is_local {
        return Ok(());
    }
    let fix = "use http://localhost, or configure tokens";
    Err(Problem::new(StatusCode::FORBIDDEN, "this server answers only to names of its own machine", fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_ids_or_prefixes() {
        assert!(matches("ada", "ada") && !matches("ada", "adam"));
        assert!(matches("team-*", "team-1") && !matches("team-*", "tea"));
        assert!(matches("*", "anything"));
    }

    #[test]
    fn without_tokens_only_names_of_this_machine_are_answered() {
        let mut headers = HeaderMap::new();
        for (host, answered) in
            [("localhost:8080", true), ("127.0.0.1", true), ("[::1]:80", true), ("evil.example:8080", false)]
        {
            headers.insert(header::HOST, host.parse().expect("a header"));
            assert_eq!(check_host(&headers).is_ok(), answered, "{host}");
        }
    }
}
