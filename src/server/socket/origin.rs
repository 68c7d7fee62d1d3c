//! The origins whose pages may open a WebSocket. Browsers let every page try: CORS does not hold for WebSockets.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use tidemill_chat::Url;

use crate::server::problem::Problem;

/// Refuses pages of other origins than the server's own and those of `allowed`. Programs that are no browser send no
/// origin; for them, only the token counts.
pub(super) fn check(headers: &HeaderMap, allowed: &[String]) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = text(header::HOST).unwrap_or_default();
    if is_same(origin, host) || allowed.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    tracing::info!(?origin, ?host, "a page of another origin wanted a WebSocket");
    let fix = "open the page from this server. Behind a proxy, let it pass the header Host on, or name the page's origin \
        in the setting server.cors";
    Err(Problem::new(StatusCode::FORBIDDEN, "pages of this origin may not open a WebSocket here", fix))
}

/// Whether a page comes from the host that it asks. A proxy that ends TLS changes the scheme, but not the host.
fn is_same(origin: &str, host: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    let Ok(asked) = Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
    let place = |url: &Url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?));
    place(&origin).is_some_and(|origin| place(&asked) == Some(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_same_host_are_let_in_and_others_are_not() {
        for (origin, host, same) in [
            ("http://localhost:8080", "localhost:8080", true),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", true),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("https://tide.example", "tide.example", true),
            ("https://tide.example", "tide.example:443", true),
            ("https://Tide.example", "tide.EXAMPLE", true),
            ("http://localhost:3000", "localhost:8080", false),
            ("https://tide.example:8443", "tide.example", false),
            ("https://evil.example", "tide.example", false),
            ("https://tide.example.evil.example", "tide.example", false),
            ("https://evil.example", "", false),
            ("null", "localhost", false),
            ("", "localhost", false),
            ("https://tide.example", "tide.example/@evil.example", true),
        ] {
            assert_eq!(is_same(origin, host), same, "{origin} at {host}");
        }
    }

    #[test]
    fn allowed_origins_and_programs_are_let_in() {
        let check = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert("host", "tide.example".parse().expect("a header"));
            if let Some(origin) = origin {
                headers.insert("origin", origin.parse().expect("a header"));
            }
            super::check(&headers, &["https://ada.example".to_owned()]).is_ok()
        };
        assert!(check(None) && check(Some("https://ada.example")) && check(Some("https://tide.example")));
        assert!(!check(Some("https://ada.example:8443")) && !check(Some("null")));
    }
}
