//! Refuses addresses inside this network: a connector must not become a way to servers that its user cannot reach.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use serde_json::{Map, Value};
use tidemill_chat::{BoxFuture, ChatError, Connection, Platform, Position, Source, Url};

/// How long a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(5);
/// Schemes of addresses that a connector may open.
const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// Decides which addresses connectors may open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guard {
    /// Whether addresses of this machine and its networks, and files, are allowed. Default false.
    pub allows_private: bool,
}

/// A platform whose addresses are checked again whenever a connection opens: names may have moved since.
pub(super) struct Guarded {
    pub(super) platform: Arc<dyn Platform>,
    pub(super) guard: Guard,
}

impl Platform for Guarded {
    fn name(&self) -> &'static str {
        self.platform.name()
    }

    fn recognises(&self, url: &Url) -> bool {
        self.platform.recognises(url)
    }

    fn open<'a>(
        &'a self,
        source: &'a Source,
        from: Option<&'a Position>,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, ChatError>> {
        Box::pin(async move {
            match self.guard.check(&source.url, &source.options).await {
                Ok(()) => self.platform.open(source, from).await,
                // A name that cannot be resolved now may be there later.
                Err((reason, _)) if Guard::is_unknown(&reason) => Err(ChatError::transient(reason)),
                Err((reason, remedy)) => Err(ChatError::refused(reason, remedy)),
            }
        })
    }
}

/// Begins the reason if a name cannot be resolved.
const UNKNOWN: &str = "this server does not find the host ";

/// Why an address is refused, and what to do.
type Refusal = (String, &'static str);

impl Guard {
    /// Whether a refusal says that a name cannot be resolved now: it may be there later.
    pub(super) fn is_unknown(reason: &str) -> bool {
        reason.starts_with(UNKNOWN)
    }

    /// Checks an address and all addresses in the options. Names are resolved.
    ///
    /// # Errors
    /// The reason and what to do.
    pub async fn check(self, url: &Url, options: &Map<String, Value>) -> Result<(), Refusal> {
        self.check_url(url).await?;
        for (name, value) in options {
            for text in texts(value) {
                self.check_option(name, text).await?;
            }
        }
        Ok(())
    }

    async fn check_option(self, name: &str, text: &str) -> Result<(), Refusal> {
        let is_path = name.ends_with("file") || name.ends_with("path") || text.starts_with('/');
        if is_path && !self.allows_private {
            let fix = "the operator allows files with sources.allow_private";
            return Err((format!("the option {name} names a file of the server"), fix));
        }
        match Url::parse(text) {
            Ok(url) if url.has_host() || url.scheme() == "file" => self.check_url(&url).await,
            _ => Ok(()),
        }
    }

    /// Checks one address. Its name is resolved.
    ///
    /// # Errors
    /// The reason and what to do.
    pub async fn check_url(self, url: &Url) -> Result<(), Refusal> {
        if !url.username().is_empty() || url.password().is_some() {
            let fix = "leave user and password out of the address: addresses are shown on pages";
            return Err(("the address holds a user or a password".to_owned(), fix));
        }
        if self.allows_private {
            return Ok(());
        }
        if !SCHEMES.contains(&url.scheme()) {
            let fix = "send the address that the browser shows, with https://";
            return Err((format!("addresses with {}: are not read", url.scheme()), fix));
        }
        let private = || {
            let fix = "send a public address; the operator allows others with sources.allow_private";
            (format!("the address {} is inside this network", url.host_str().unwrap_or_default()), fix)
        };
        let Some(host) = url.host_str() else {
            return Err(("the address has no host".to_owned(), "send the address that the browser shows"));
        };
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return if is_private(address) { Err(private()) } else { Ok(()) };
        }
        let port = url.port_or_known_default().unwrap_or(443);
        let unknown = || {
            let fix = "check the address, and this server's network and name service";
            (format!("{UNKNOWN}{host}"), fix)
        };
        let found = tokio::time::timeout(RESOLVE, tokio::net::lookup_host((host, port))).await;
        let found: Vec<_> = found.map_err(|_| unknown())?.map_err(|_| unknown())?.collect();
        match found.iter().any(|address| is_private(address.ip())) {
            _ if found.is_empty() => Err(unknown()),
            true => Err(private()),
            false => Ok(()),
        }
    }
}

/// All texts inside a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Whether an address is one of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    !is_private(address)
}

/// Whether an address is not one of the public internet.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => match (address.to_ipv4_mapped(), address.segments()) {
            (Some(inside), _) => is_private_v4(inside),
            // NAT64 and 6to4 carry an IPv4 address.
            (None, [0x64, 0xff9b, 0, 0, 0, 0, high, low]) => is_private_v4(joined(high, low)),
            (None, [0x2002, high, low, ..]) => is_private_v4(joined(high, low)),
            (None, segments) => is_private_v6(address, segments),
        },
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
        || (a, b, c) == (192, 0, 0)
}

fn is_private_v6(address: Ipv6Addr, segments: [u16; 8]) -> bool {
    // All of ::/16 is local, compatible or reserved.
    segments[0] == 0
        || address.is_multicast()
        || segments[0] & 0xfe00 == 0xfc00
        || segments[0] & 0xffc0 == 0xfe80
        || segments[0] & 0xffc0 == 0xfec0
        || (segments[0], segments[1]) == (0x2001, 0x0db8)
        // Teredo carries an IPv4 address.
        || (segments[0], segments[1]) == (0x2001, 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn refused(guard: Guard, url: &str, options: Value) -> Option<String> {
        let options = options.as_object().cloned().unwrap_or_default();
        guard.check(&Url::parse(url).expect("an address"), &options).await.err().map(|(reason, _)| reason)
    }

    #[tokio::test]
    async fn addresses_inside_the_network_are_refused_however_they_are_written() {
        for url in [
            "http://127.0.0.1/chat",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://localhost:8080/metrics",
            "http://10.1.2.3/",
            "http://169.254.169.254/latest/meta-data/",
            "http://192.168.0.1/",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2001:0:7f00:1::1]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
        ] {
            let reason = refused(Guard::default(), url, json!({})).await.unwrap_or_default();
            assert!(reason.contains("inside this network"), "{url}: {reason}");
        }
        assert_eq!(refused(Guard::default(), "https://93.184.216.34/live", json!({})).await, None);
        assert_eq!(refused(Guard { allows_private: true }, "http://127.0.0.1/chat", json!({})).await, None);
    }

    #[tokio::test]
    async fn options_are_no_way_around() {
        let public = "https://93.184.216.34/live";
        for options in [
            json!({ "chat": "ws://127.0.0.1:9/" }),
            json!({ "deep": { "list": ["http://[::1]/"] } }),
            json!({ "chat_file": "chat.ndjson" }),
            json!({ "chat": "/etc/passwd" }),
            json!({ "chat": "file:///etc/passwd" }),
        ] {
            assert!(refused(Guard::default(), public, options.clone()).await.is_some(), "{options}");
        }
        assert_eq!(refused(Guard::default(), public, json!({ "channel": "ada" })).await, None);
    }

    #[tokio::test]
    async fn secrets_in_addresses_and_strange_schemes_are_refused() {
        for url in ["https://ada:secret@93.184.216.34/", "file:///etc/passwd", "gopher://93.184.216.34/"] {
            assert!(refused(Guard::default(), url, json!({})).await.is_some(), "{url}");
        }
    }
}
