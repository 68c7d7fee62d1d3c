//! The captions that a live stream carries, with event times: WebVTT beside the media of HLS.
//!
//! ```text
//!  playlist ─▶ segment ─▶ cues ─▶ event times ─▶ words that are new ─▶ captions one after the other
//!  followed as that of    Vtt      Places          Fresh                 Pending
//!  the audio is                      ▲
//!                                    └─ Media: the clock and the dates of the media's playlist
//! ```
//!
//! A segment repeats each cue that overlaps it, and captions that roll up repeat lines: each word is given once.

mod choice;
mod clock;
mod fresh;
mod live;
mod media;
mod pending;
mod places;
mod text;
mod vtt;

use url::Url;

pub use choice::CaptionsWanted;

use crate::audio::{AudioOptions, AudioState};
use crate::clips::Caption;
use crate::error::MediaError;
use crate::feed::Feed;
use crate::hls::{Fetch, Playlist};
use crate::resolve::{Kind, Resolved};
use crate::shown::host;

/// Captions that a stream carries.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Their playlist.
    pub(crate) captions: Url,
    /// The playlist of the media that costs least: the clock of the captions is read from it.
    pub(crate) media: Option<Url>,
}

/// Signatures of addresses stay out.
impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Carried({})", host(&self.captions))
    }
}

/// The captions of a stream. It reads ahead only a little. Dropping it stops all that it started.
#[derive(Debug)]
pub struct Captions {
    captions: Feed<Caption>,
}

impl Captions {
    /// Looks whether a stream carries captions of the language that is spoken ([`AudioOptions::language`]), and begins to
    /// read them; `None` where it does not, or none are wanted ([`AudioOptions::captions`]).
    ///
    /// # Errors
    /// [`MediaError::NoCaptions`] where only they are wanted; other errors where the playlist of the stream cannot be read.
    pub async fn open(resolved: &Resolved, options: &AudioOptions) -> Result<Option<Self>, MediaError> {
        Ok(look(resolved, options).await?.map(|carried| Self::read(carried, options.clone())))
    }

    /// Begins to read. Must be called within a tokio runtime.
    pub(crate) fn read(carried: Carried, options: AudioOptions) -> Self {
        let captions = Feed::spawn(options.blocks_ahead, async move |sender, told| {
            live::read(&carried, &options, &sender, &told).await
        });
        Self { captions }
    }

    /// Waits for the next caption. Cancel safe. Trouble that passes is handled here; [`Captions::state`] tells of it.
    ///
    /// # Errors
    /// As those of [`Audio::next`](crate::Audio::next). The position from which to go on is the end of the last caption.
    pub async fn next(&mut self) -> Result<Caption, MediaError> {
        self.captions.next().await
    }

    /// What it does right now.
    pub fn state(&self) -> AudioState {
        self.captions.state()
    }
}

/// The captions that a stream carries, if they are wanted.
pub(crate) async fn look(resolved: &Resolved, options: &AudioOptions) -> Result<Option<Carried>, MediaError> {
    let found = match options.captions {
        CaptionsWanted::Off => return Ok(None),
        CaptionsWanted::Prefer | CaptionsWanted::Only => find(resolved, options).await,
    };
    match found {
        Ok(carried) => Ok(Some(carried)),
        Err(MediaError::NoCaptions { .. }) if options.captions == CaptionsWanted::Prefer => Ok(None),
        Err(error) => Err(error),
    }
}

async fn find(resolved: &Resolved, options: &AudioOptions) -> Result<Carried, MediaError> {
    let none = || MediaError::NoCaptions { reason: "The stream carries no captions.".to_owned() };
    if resolved.kind != Kind::Hls {
        return Err(none());
    }
    let address = resolved.listed_in.as_ref().unwrap_or(&resolved.media);
    let fetch = Fetch::new(options.attempts, options.backoff(0), options.reach)?;
    let playlist = fetch.playlist(address).await.map_err(|trouble| trouble.of_stream(address))?;
    let Playlist::Master(master) = playlist else { return Err(none()) };
    let captions = choice::captions_in(&master, options.language.as_deref())?.address.clone();
    let smallest = master.variants.iter().min_by_key(|variant| variant.bandwidth);
    Ok(Carried { captions, media: smallest.map(|variant| variant.address.clone()) })
}
