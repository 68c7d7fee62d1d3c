//! The names that a server without tokens answers to.

use axum::http::{HeaderMap, StatusCode, header};

use crate::server::problem::Problem;

/// Without tokens, the server answers only to names of this machine. This stops DNS rebinding: a page elsewhere whose
/// name is made to point to this machine gets no access.
pub(super) fn check_host(headers: &HeaderMap) -> Result<(), Problem> {
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
