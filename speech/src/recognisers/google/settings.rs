//! Which Google is asked, and how.

use crate::{Credential, Limits, SpeechError};

/// Which project's Speech-to-Text is asked, and how.
#[derive(Debug, Clone)]
pub struct GoogleSettings {
    /// The project that pays.
    pub project: String,
    /// Where the audio is recognised: `global`, `eu`, `us`, `europe-west4`. Some models are only in some places.
    pub location: String,
    /// The model: `long`, `chirp_2`.
    pub model: String,
    /// An access token of OAuth, without `Bearer`. It ends after an hour, so let it come from a command
    /// (`gcloud auth print-access-token`) or from a file that is renewed.
    pub token: Credential,
    /// Another address than Google's: `http://127.0.0.1:9000`.
    pub address: Option<String>,
    /// How streams are cut. Google ends a stream after five minutes.
    pub limits: Limits,
    /// How much faster than spoken audio is sent at most, after a break or an outage. Google asks for about the speed of
    /// speech.
    pub fastest: f64,
}

impl GoogleSettings {
    /// Streams that end at a pause after four minutes, and without a pause ten seconds before Google ends them.
    pub const LIMITS: Limits = Limits {
        longest_ms: 295_000,
        pause_after_ms: 240_000,
        pause_ms: 320,
        overlap_ms: 8_000,
        sessions: 4,
        message_ms: 96,
        answer_within_ms: 30_000,
    };

    /// This project's model `long`, anywhere.
    pub fn new(project: impl Into<String>, token: impl Into<Credential>) -> Self {
        Self {
            project: project.into(),
            location: "global".to_owned(),
            model: "long".to_owned(),
            token: token.into(),
            address: None,
            limits: Self::LIMITS,
            fastest: 3.0,
        }
    }

    pub(super) fn check(&self) -> Result<(), SpeechError> {
        let is_name = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
        };
        for (what, value) in [("project", &self.project), ("location", &self.location), ("model", &self.model)] {
            if !is_name(value) {
                return Err(SpeechError::refused(
                    format!("'{value}' is not the name of a {what} of Google Speech-to-Text"),
                    format!("set its {what}"),
                ));
            }
        }
        if self.fastest.is_nan() || self.fastest < 1.0 {
            return Err(SpeechError::refused(
                format!("audio cannot be sent {} times as fast as it is spoken", self.fastest),
                "set 1 or more",
            ));
        }
        Ok(())
    }

    pub(super) fn address(&self) -> String {
        match (&self.address, self.location.as_str()) {
            (Some(address), _) => address.clone(),
            (None, "global") => "https://speech.googleapis.com".to_owned(),
            (None, location) => format!("https://{location}-speech.googleapis.com"),
        }
    }

    /// The name of the recognizer that has no configuration of its own.
    pub(super) fn recognizer(&self) -> String {
        format!("projects/{}/locations/{}/recognizers/_", self.project, self.location)
    }
}

#[cfg(test)]
mod tests {
    use tidemill_remote::Secret;

    use super::*;

    #[test]
    fn a_location_has_its_own_address() {
        let mut settings = GoogleSettings::new("shop-1", Secret::value("token"));
        assert_eq!(settings.address(), "https://speech.googleapis.com");
        settings.location = "eu".to_owned();
        assert_eq!(settings.address(), "https://eu-speech.googleapis.com");
        assert_eq!(settings.recognizer(), "projects/shop-1/locations/eu/recognizers/_");
        settings.check().expect("they can be used");
    }

    #[test]
    fn settings_that_cannot_work_say_so() {
        let error = GoogleSettings::new("", Secret::value("token")).check().expect_err("there is no project");
        assert_eq!(error.to_string(), "'' is not the name of a project of Google Speech-to-Text: set its project");
        let mut settings = GoogleSettings::new("shop-1", Secret::value("token"));
        settings.location = "evil.example/".to_owned();
        settings.check().expect_err("it would lead elsewhere");
    }
}
