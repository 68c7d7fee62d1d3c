//! Which addresses of the network may be asked. A server that strangers give addresses to must not become a way into its
//! own network.

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use tokio::time::timeout;
use url::{Host, Url};

use crate::ChatError;

/// How long a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(10);

/// Which addresses of the network may be asked. By default, all.
///
/// A name is checked by the addresses that it leads to, at each connection: what it led to before proves nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach(Option<fn(IpAddr) -> bool>);

/// An address is out of reach.
#[derive(Debug, Error)]
#[error("the address is out of reach")]
struct OutOfReach;

impl Reach {
    /// Only these addresses.
    pub const fn only(may: fn(IpAddr) -> bool) -> Self {
        Self(Some(may))
    }

    /// Refuses an address out of reach, as far as it can be said without looking up its name.
    pub(crate) fn check(self, what: &str, url: &Url) -> Result<(), ChatError> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        if self.allows(address) { Ok(()) } else { Err(refused(what)) }
    }

    fn allows(self, address: IpAddr) -> bool {
        self.0.is_none_or(|may| may(address))
    }

    /// The addresses of a host. All of them are in reach: a name that leads inside and outside is a trick.
    pub(super) async fn look_up(self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<_> = timeout(RESOLVE, tokio::net::lookup_host((host, port))).await??.collect();
        if found.iter().all(|address| self.allows(address.ip())) {
            Ok(found)
        } else {
            Err(io::Error::other(OutOfReach))
        }
    }
}

/// The resolver of a client of HTTP.
impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = *self;
        Box::pin(async move {
            let found: Addrs = Box::new(reach.look_up(name.as_str(), 0).await?.into_iter());
            Ok(found)
        })
    }
}

/// The refusal behind an error, if it is one.
pub(super) fn refusal(what: &str, error: &(dyn Error + 'static)) -> Option<ChatError> {
    std::iter::successors(Some(error), |&error| error.source())
        .any(|error| {
            // An error of input and output hides what it was made of.
            let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            error.is::<OutOfReach>() || inside.is_some_and(<dyn Error + Send + Sync>::is::<OutOfReach>)
        })
        .then(|| refused(what))
}

fn refused(what: &str) -> ChatError {
    let reason = format!("the address of {what} leads into a network that is not read");
    ChatError::refused(reason, "give an address of a public server")
}
