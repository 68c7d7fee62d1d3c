//! What turns the speech of streams into words, as the settings choose it.

use std::{fmt, path::PathBuf, sync::Arc};

use tidemill_media::CaptionsWanted;
use tidemill_speech::{
    Google, GoogleSettings, OpenAi, OpenAiSettings, Pocketsphinx, PocketsphinxSettings, Recogniser, SpeechError,
    TranscriberSettings,
};

use super::{Hearing, hearing::Live};
use crate::sources::{Guard, Media};

/// How the server listens to streams.
#[derive(Debug, Clone)]
pub struct SpeechSettings {
    /// What turns speech into words.
    pub recogniser: RecogniserChoice,
    /// The language that is spoken, as BCP 47. Default `en-US`.
    pub language: String,
    /// Whether captions that a stream carries are read in the place of its audio. Default `Off`.
    pub captions: CaptionsWanted,
    /// A browser's cookies in Netscape's format, for platforms that ask yt-dlp for a login.
    pub cookies_file: Option<PathBuf>,
}

impl Default for SpeechSettings {
    fn default() -> Self {
        let language = TranscriberSettings::default().language;
        Self {
            recogniser: RecogniserChoice::default(),
            language,
            captions: CaptionsWanted::default(),
            cookies_file: None,
        }
    }
}

/// The recognisers to choose from.
#[derive(Debug, Clone, Default)]
pub enum RecogniserChoice {
    /// Nothing does.
    #[default]
    Off,
    /// The program on this machine.
    Pocketsphinx,
    /// A server that speaks `OpenAI`'s transcriptions.
    OpenAi(OpenAiSettings),
    /// Google Speech-to-Text.
    Google(GoogleSettings),
}

/// What listens to the streams of an instance.
pub struct Speech {
    /// Opens the audio and the captions of streams.
    pub hearing: Arc<dyn Hearing>,
    /// Turns speech into words; without one, only captions are read.
    pub recogniser: Option<Arc<dyn Recogniser>>,
    /// How it is asked.
    pub transcriber: TranscriberSettings,
    /// Whether captions are read in the place of audio, unless a source says otherwise.
    pub captions: CaptionsWanted,
}

impl Speech {
    /// What listens as the settings choose. Must be called within a tokio runtime. The media that streams lead to is bound by
    /// the guard, as their addresses are.
    ///
    /// # Errors
    /// If the settings of the recogniser cannot be used.
    pub fn open(settings: &SpeechSettings, guard: Guard) -> Result<Self, SpeechError> {
        let transcriber = TranscriberSettings { language: settings.language.clone(), ..TranscriberSettings::default() };
        let recogniser: Option<Arc<dyn Recogniser>> = match &settings.recogniser {
            RecogniserChoice::Off => None,
            RecogniserChoice::Pocketsphinx => Some(Arc::new(Pocketsphinx::new(PocketsphinxSettings::default()))),
            RecogniserChoice::OpenAi(settings) => Some(Arc::new(OpenAi::new(settings.clone())?)),
            RecogniserChoice::Google(settings) => Some(Arc::new(Google::new(settings.clone())?)),
        };
        let media = Media::new(settings.cookies_file.as_deref(), guard);
        let hearing = Arc::new(Live { media, language: settings.language.clone() });
        Ok(Self { hearing, recogniser, transcriber, captions: settings.captions })
    }
}

impl fmt::Debug for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recogniser = self.recogniser.as_ref().map(|recogniser| recogniser.name());
        f.debug_struct("Speech")
            .field("recogniser", &recogniser)
            .field("captions", &self.captions)
            .finish_non_exhaustive()
    }
}
