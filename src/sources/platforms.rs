//! The platforms that this program knows.

use std::{fmt, path::PathBuf, sync::Arc};

use tidemill_chat::{Generic, Platform, Reach, Secret, Twitch, Url, Youtube};

use super::{Guard, guard::is_public};

/// The variable of the setting `sources.youtube_key`.
const YOUTUBE_KEY: &str = "TIDEMILL_SOURCES_YOUTUBE_KEY";

/// What the platforms of this program need.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// How `YouTube`'s API is asked; without it, no chat of `YouTube` can be read.
    pub youtube: Option<YoutubeAccess>,
    /// The token of a Twitch account; without it, chats are read without an account.
    pub twitch_token: Option<Secret>,
    /// The folder of chat files; without it, no source can name a file.
    pub chat_folder: Option<PathBuf>,
}

/// How `YouTube`'s API is asked.
#[derive(Debug, Clone)]
pub enum YoutubeAccess {
    /// With a key of the API.
    Key(Secret),
    /// With an OAuth token, in place of a person.
    Token(Secret),
}

/// Platforms in the order in which they are asked whether they recognise an address.
#[derive(Clone, Default)]
pub struct Platforms(Vec<Arc<dyn Platform>>);

impl Platforms {
    /// All platforms of this program. The generic one comes last: it recognises every address, and asks only those that
    /// the guard allows.
    pub fn known(keys: &Keys, guard: Guard) -> Self {
        let youtube = match keys.youtube.clone() {
            Some(YoutubeAccess::Key(key)) => Youtube::with_api_key(key),
            Some(YoutubeAccess::Token(token)) => Youtube::with_oauth(token),
            // The refusal of a stream names this variable.
            None => Youtube::with_api_key(Secret::environment(YOUTUBE_KEY)),
        };
        let twitch = keys.twitch_token.clone().map_or_else(Twitch::anonymous, Twitch::with_token);
        let reach = if guard.allows_private { Reach::default() } else { Reach::only(is_public) };
        let generic = keys.chat_folder.iter().fold(Generic::new().reach(reach), Generic::files);
        Self::none().with(youtube).with(twitch).with(generic)
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
