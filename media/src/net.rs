//! Which addresses of the network may be read. A server that strangers give addresses to must not become a way into its
//! own network.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use reqwest::ClientBuilder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Attempt, Policy};
use url::{Host, Url};

use crate::error::MediaError;
use crate::shown::host;

/// How many redirects are followed.
const REDIRECTS: usize = 10;
/// How long a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(10);

/// Which addresses of the network may be read. By default, all.
///
/// A name is checked by the addresses that it leads to, at each connection, and each redirect is checked, too.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach(Option<fn(IpAddr) -> bool>);

impl Reach {
    /// Only these addresses. What FFmpeg reads by itself is refused, because FFmpeg asks nobody where a redirect or a
    /// playlist may lead it: only HLS without encryption is left.
    pub const fn only(may: fn(IpAddr) -> bool) -> Self {
        Self(Some(may))
    }

    /// A client of HTTP that stays in reach. Addresses that are no names must be checked before.
    pub(crate) fn client(self) -> ClientBuilder {
        let builder = ClientBuilder::new();
        if self.0.is_none() {
            return builder;
        }
        let follow = move |attempt: Attempt<'_>| {
            if attempt.previous().len() > REDIRECTS {
                attempt.error(io::Error::other("too many redirects"))
            } else if self.allows(attempt.url()) {
                attempt.follow()
            } else {
                attempt.error(OutOfReach)
            }
        };
        builder.redirect(Policy::custom(follow)).dns_resolver(Arc::new(Names(self)))
    }

    /// Whether an address may be asked, as far as it can be said without looking up its name.
    fn allows(self, url: &Url) -> bool {
        let Some(may) = self.0 else { return true };
        let may_host = match url.host() {
            Some(Host::Ipv4(address)) => may(address.into()),
            Some(Host::Ipv6(address)) => may(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        };
        may_host && matches!(url.scheme(), "http" | "https")
    }

    /// Refuses an address out of reach.
    pub(crate) fn check(self, url: &Url) -> Result<(), MediaError> {
        if self.allows(url) { Ok(()) } else { Err(refused(url)) }
    }

    /// Refuses what a program would read by itself, unless everything may be read.
    pub(crate) fn check_program(self, url: &Url) -> Result<(), MediaError> {
        if self.0.is_none() {
            return Ok(());
        }
        Err(MediaError::refused(
            format!("The stream on {} is no HLS, or it is encrypted.", host(url)),
            "Give the address of a playlist of HLS (.m3u8) without encryption.",
        ))
    }

    /// The refusal behind an error of the client, if it is one.
    pub(crate) fn refusal(url: &Url, error: &reqwest::Error) -> Option<MediaError> {
        let mut cause: Option<&(dyn Error + 'static)> = error.source();
        while let Some(error) = cause {
            if error.is::<OutOfReach>() {
                return Some(refused(url));
            }
            // An error of input and output hides what it was made of.
            let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if inside.is_some_and(<dyn Error + Send + Sync>::is::<OutOfReach>) {
                return Some(refused(url));
            }
            cause = error.source();
        }
        None
    }
}

fn refused(url: &Url) -> MediaError {
    let reason = format!("{} leads to an address that this server does not read.", host(url));
    MediaError::refused(reason, "Give the address of a stream on a public server.")
}

/// An address is out of reach.
#[derive(Debug)]
struct OutOfReach;

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is not read")
    }
}

impl Error for OutOfReach {}

/// Looks names up, and gives only addresses in reach.
struct Names(Reach);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let Reach(may) = self.0;
        Box::pin(async move {
            let lookup = tokio::net::lookup_host((name.as_str().to_owned(), 0));
            let found: Vec<SocketAddr> = tokio::time::timeout(RESOLVE, lookup).await??.collect();
            // A name that leads inside and outside is a trick.
            if may.is_some_and(|may| found.iter().any(|address| !may(address.ip()))) {
                return Err(OutOfReach.into());
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not this machine.
    const AWAY: Reach = Reach::only(|address| !address.is_loopback());

    #[test]
    fn addresses_are_checked_however_they_are_written() {
        let check = |text: &str| AWAY.check(&text.parse().expect("an address"));
        for inside in ["http://127.0.0.1/a.m3u8", "http://2130706433/", "http://[::1]:80/", "file:///etc/passwd"] {
            let error = check(inside).expect_err(inside).to_string();
            assert!(error.contains("does not read"), "{error}");
        }
        check("https://93.184.216.34/live.m3u8").expect("public");
        check("https://cdn.example/live.m3u8").expect("names are looked up later");
        Reach::default().check(&"http://127.0.0.1/".parse().expect("an address")).expect("all may be read");
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_when_it_is_asked() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url: Url = "http://localhost:9/live.m3u8".parse().expect("an address");
        let error = AWAY.client().build().expect("a client").get(url.clone()).send().await.expect_err("it is inside");
        let refusal = Reach::refusal(&url, &error).expect("a refusal, not trouble that may pass");
        assert!(!refusal.is_transient(), "{refusal}");
    }

    #[test]
    fn what_a_program_reads_by_itself_is_refused() {
        let url = "https://studio.example/live.mpd".parse().expect("an address");
        AWAY.check_program(&url).expect_err("FFmpeg asks nobody");
        Reach::default().check_program(&url).expect("all may be read");
    }
}
