//! Settings of the speech of live streams. They are checked together.

use std::{path::PathBuf, time::Duration};

use tidemill_apps::{
    server::Settings,
    setting::{Row, path, text},
    sources::{CaptionsWanted, RecogniserChoice, SpeechSettings},
};
use tidemill_chat::Url;
use tidemill_speech::{GoogleSettings, OpenAi, OpenAiSettings, Secret};

use super::{
    analyst::endpoint,
    secrets::{Origins, Several},
};

/// Words arrive so long after they were spoken, or sooner: a stream's delay, and a recogniser's.
const DELAY: Duration = Duration::from_secs(30);

/// The settings of speech, as given.
#[derive(Default)]
pub(super) struct Speech {
    kind: Kind,
    endpoint: Option<String>,
    model: Option<String>,
    key: Origins,
    project: Option<String>,
    location: Option<String>,
    language: String,
    captions: CaptionsWanted,
    cookies_file: Option<PathBuf>,
}

/// The kinds of recognisers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Off,
    Pocketsphinx,
    OpenAi,
    Google,
}

type Setting = Row<Speech>;

const KINDS: &[(&str, Kind)] =
    &[("off", Kind::Off), ("pocketsphinx", Kind::Pocketsphinx), ("openai", Kind::OpenAi), ("google", Kind::Google)];

const CAPTIONS: &[(&str, CaptionsWanted)] =
    &[("off", CaptionsWanted::Off), ("prefer", CaptionsWanted::Prefer), ("only", CaptionsWanted::Only)];

pub(super) fn rows() -> Vec<Setting> {
    vec![
        Setting::choice("sources.speech", "off", KINDS, |s| &mut s.kind).help(
            "What turns the speech of live streams into words; openai is any server that speaks its transcriptions",
        ),
        Setting::new("sources.speech_endpoint", "", endpoint, |s| &mut s.endpoint)
            .help("The recogniser's address; for openai up to /v1, such as http://127.0.0.1:8000/v1"),
        Setting::new("sources.speech_model", "", text, |s| &mut s.model)
            .help("The recogniser's model; without it, whisper-1 of openai and long of google"),
        Setting::new("sources.speech_key", "", text, |s| &mut s.key.value)
            .secret()
            .help("Key of openai, or access token of google"),
        Setting::new("sources.speech_key_file", "", path, |s| &mut s.key.file)
            .help("File that holds the key or token; another program may renew it"),
        Setting::new("sources.speech_token_command", "", text, |s| &mut s.key.command)
            .help("Command that prints the key or token, such as 'gcloud auth print-access-token'"),
        Setting::new("sources.speech_project", "", text, |s| &mut s.project).help("Project of google that pays"),
        Setting::new("sources.speech_location", "", text, |s| &mut s.location)
            .help("Location of google, such as europe-west4; without it, global"),
        Setting::new("sources.speech_language", "en-US", language, |s| &mut s.language)
            .help("Language that is spoken, such as en-US or de-DE"),
        Setting::choice("sources.captions", "off", CAPTIONS, |s| &mut s.captions).help(
            "Whether words come from captions that a stream carries; prefer: from its speech where there are none",
        ),
        Setting::new("sources.cookies_file", "", path, |s| &mut s.cookies_file)
            .help("File of a browser's cookies, for platforms that ask yt-dlp for a login"),
    ]
}

impl Speech {
    /// How the server listens to streams.
    pub(super) fn choose(self) -> Result<SpeechSettings, Vec<String>> {
        let mut problems = Vec::new();
        let recogniser = match self.kind {
            Kind::Off => Some(RecogniserChoice::Off),
            Kind::Pocketsphinx => self.pocketsphinx(&mut problems),
            Kind::OpenAi => self.open_ai(&mut problems),
            Kind::Google => self.google(&mut problems),
        };
        let Self { language, captions, cookies_file, .. } = self;
        match recogniser {
            Some(recogniser) if problems.is_empty() => {
                Ok(SpeechSettings { recogniser, language, captions, cookies_file })
            }
            _ => Err(problems),
        }
    }

    fn pocketsphinx(&self, problems: &mut Vec<String>) -> Option<RecogniserChoice> {
        if self.language.split('-').next().is_some_and(|language| !language.eq_ignore_ascii_case("en")) {
            problems.push(format!(
                "pocketsphinx knows English only, not '{}': set 'sources.speech_language' to en-US, or 'sources.speech' \
                 to openai or google",
                self.language
            ));
            return None;
        }
        Some(RecogniserChoice::Pocketsphinx)
    }

    fn open_ai(&self, problems: &mut Vec<String>) -> Option<RecogniserChoice> {
        let key = self.secret().map_err(|problem| problems.push(problem)).ok();
        let Some(base) = self.endpoint.as_deref().and_then(|text| Url::parse(text).ok()) else {
            let example = "such as https://api.openai.com/v1 or http://127.0.0.1:8000/v1";
            problems.push(format!("speech by openai needs an address: set 'sources.speech_endpoint', {example}"));
            return None;
        };
        let model = self.model.as_deref().unwrap_or("whisper-1");
        let settings = OpenAiSettings { key: key?.map(Into::into), ..OpenAiSettings::new(base, model) };
        if let Err(error) = OpenAi::new(settings.clone()) {
            problems.push(format!("speech by openai: {error}"));
        }
        Some(RecogniserChoice::OpenAi(settings))
    }

    fn google(&self, problems: &mut Vec<String>) -> Option<RecogniserChoice> {
        let token = match self.secret() {
            Ok(Some(token)) => Some(token),
            Ok(None) => {
                problems.push(
                    "speech by google needs access tokens: set one of 'sources.speech_token_command' and \
                     'sources.speech_key_file'"
                        .to_owned(),
                );
                None
            }
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        let Some(project) = self.project.clone() else {
            problems.push("speech by google needs a project: set 'sources.speech_project' to its id".to_owned());
            return None;
        };
        let mut settings = GoogleSettings::new(project, token?);
        if let Some(model) = &self.model {
            settings.model.clone_from(model);
        }
        if let Some(location) = &self.location {
            settings.location.clone_from(location);
        }
        settings.address.clone_from(&self.endpoint);
        Some(RecogniserChoice::Google(settings))
    }

    /// The key or token, if there is one.
    fn secret(&self) -> Result<Option<Secret>, String> {
        self.key.only().map_err(|Several| {
            "the recogniser has several keys: set one of 'sources.speech_key', 'sources.speech_key_file' and \
             'sources.speech_token_command'"
                .to_owned()
        })
    }
}

/// A warning, if words arrive after their windows have closed.
pub(super) fn too_late(settings: &Settings) -> Option<String> {
    let app = settings.apps.iter().find(|app| app.reads_streams)?;
    let grace = settings.windows(app).grace;
    let speech = &settings.sources.speech;
    let has_words = speech.captions != CaptionsWanted::Off || !matches!(speech.recogniser, RecogniserChoice::Off);
    (settings.sources.enabled && has_words && grace < DELAY).then(|| {
        format!(
            "words arrive up to {} seconds after they were spoken, and '{}.grace' is {} seconds: set it to 1m, or late \
             words are in no insight",
            DELAY.as_secs(),
            app.section,
            grace.as_secs()
        )
    })
}

fn language(text: &str) -> Result<String, String> {
    let is_tag = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_tag.then(|| text.to_owned()).ok_or_else(|| format!("must be a language such as en-US, not '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(speech: Speech) -> Vec<String> {
        speech.choose().err().unwrap_or_default()
    }

    fn speech(kind: Kind) -> Speech {
        Speech { kind, language: "en-US".to_owned(), ..Speech::default() }
    }

    #[test]
    fn without_settings_nothing_is_heard() {
        let chosen = speech(Kind::Off).choose().expect("valid");
        assert!(matches!(chosen.recogniser, RecogniserChoice::Off));
        assert!(matches!(
            speech(Kind::Pocketsphinx).choose().expect("valid").recogniser,
            RecogniserChoice::Pocketsphinx
        ));
    }

    #[test]
    fn each_recogniser_says_which_setting_it_misses() {
        let found = problems(speech(Kind::OpenAi));
        assert!(found[0].contains("'sources.speech_endpoint'"), "{found:?}");
        let found = problems(speech(Kind::Google));
        assert!(found[0].contains("'sources.speech_token_command'"), "{found:?}");
        assert!(found[1].contains("'sources.speech_project'"), "{found:?}");
        let german = Speech { language: "de-DE".to_owned(), ..speech(Kind::Pocketsphinx) };
        assert!(problems(german)[0].contains("English only"));
    }

    #[test]
    fn a_key_comes_from_one_place_and_never_shows_itself() {
        let endpoint = Some("http://127.0.0.1:8000/v1".to_owned());
        let with = |file| Speech {
            endpoint: endpoint.clone(),
            key: Origins { value: Some("sesame".to_owned()), file, command: None },
            ..speech(Kind::OpenAi)
        };
        let chosen = with(None).choose().expect("valid");
        assert!(!format!("{chosen:?}").contains("sesame"), "{chosen:?}");
        let found = problems(with(Some(PathBuf::from("key"))));
        assert!(found[0].contains("several keys"), "{found:?}");
    }
}
