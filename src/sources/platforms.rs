//! The platforms that this program knows.

use std::{fmt, sync::Arc};

use tidemill_chat::{Platform, Url};

/// Platforms in the order in which they are asked whether they recognise an address.
#[derive(Clone, Default)]
pub struct Platforms(Vec<Arc<dyn Platform>>);

impl Platforms {
    /// All platforms of this program.
    pub fn known() -> Self {
        Self::none()
    }

    /// No platform.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a platform, which is asked after the others.
    pub fn with(mut self, platform: impl Platform + 'static) -> Self {
        self.0.push(Arc::new(platform));
        self
    }

    /// The names of the platforms.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|platform| platform.name())
    }

    /// A platform by its name.
    pub fn named(&self, name: &str) -> Option<Arc<dyn Platform>> {
        self.0.iter().find(|platform| platform.name() == name).cloned()
    }

    /// The first platform that recognises an address.
    pub fn of(&self, url: &Url) -> Option<Arc<dyn Platform>> {
        self.0.iter().find(|platform| platform.recognises(url)).cloned()
    }
}

impl fmt::Debug for Platforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
