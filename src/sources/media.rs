//! Where the media of a source is, and how it may be read.

use std::path::Path;

use tidemill_chat::Url;
use tidemill_media::{Reach, Resolver, ResolverOptions};

use super::{Guard, LiveSource, guard::is_public};

/// How media is read: what listens and what cuts clips must reach the same addresses.
#[derive(Debug, Clone)]
pub struct Media {
    /// Finds the media of an address.
    pub resolver: Resolver,
    /// The addresses that it may be read from.
    pub reach: Reach,
}

impl Media {
    /// Reads media within the guard, with a browser's cookies if there are some.
    pub fn new(cookies: Option<&Path>, guard: Guard) -> Self {
        let resolver = Resolver::new(ResolverOptions {
            cookies: cookies.map(Path::to_owned),
            files: guard.allows_private,
            any_page: guard.allows_private,
            ..ResolverOptions::default()
        });
        let reach = if guard.allows_private { Reach::default() } else { Reach::only(is_public) };
        Self { resolver, reach }
    }

    /// The address of a source's media: its option `media`, or its own address.
    ///
    /// # Errors
    /// Why the address cannot be used, and what to do.
    pub fn address_of(source: &LiveSource) -> Result<Url, (&'static str, &'static str)> {
        match source.options.get("media") {
            None => Ok(source.url.clone()),
            Some(media) => {
                let url = media.as_str().and_then(|text| Url::parse(text).ok());
                url.ok_or(("the option media is no address", "send it with https://"))
            }
        }
    }
}
