//! Which captions of a stream hold what is said.

use crate::error::MediaError;
use crate::hls::{Master, Rendition};

/// Whether captions that a stream carries are read in the place of its audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaptionsWanted {
    /// The audio is always read.
    #[default]
    Off,
    /// They are, and the audio of a stream without captions is read.
    Prefer,
    /// They are, and the audio is never read.
    Only,
}

/// The captions in the language that is spoken, as BCP 47; those without a language count, too. The captions of another
/// language are a translation.
///
/// # Errors
/// [`MediaError::NoCaptions`] where there are none.
pub(crate) fn captions_in<'a>(master: &'a Master, language: Option<&str>) -> Result<&'a Rendition, MediaError> {
    let whole: Vec<_> = master.subtitles.iter().filter(|rendition| !rendition.forced).collect();
    let told = |rendition: &Rendition| rendition.language.as_deref().map(main).filter(|main| main != "und");
    let wanted = language.map(main);
    let fitting = whole.iter().filter(|rendition| match (told(rendition), &wanted) {
        (Some(told), Some(wanted)) => told == *wanted,
        _ => true,
    });
    // Of equal ones, the first.
    let best = fitting.min_by_key(|rendition| (wanted.is_some() && told(rendition).is_none(), !rendition.default));
    best.copied().ok_or_else(|| {
        let others: Vec<_> = whole.iter().filter_map(|rendition| rendition.language.as_deref()).collect();
        let reason = if others.is_empty() {
            "The stream carries no captions.".to_owned()
        } else {
            format!("The stream carries captions in {}, not in the language that is spoken.", others.join(", "))
        };
        MediaError::NoCaptions { reason }
    })
}

/// The language without its region: 'en' of 'en-US', also where three letters name it.
fn main(language: &str) -> String {
    const LONG: &[(&str, &str)] = &[
        ("eng", "en"),
        ("deu", "de"),
        ("ger", "de"),
        ("fra", "fr"),
        ("fre", "fr"),
        ("spa", "es"),
        ("ita", "it"),
        ("por", "pt"),
        ("nld", "nl"),
        ("dut", "nl"),
        ("pol", "pl"),
        ("rus", "ru"),
        ("jpn", "ja"),
        ("kor", "ko"),
        ("zho", "zh"),
        ("chi", "zh"),
    ];
    let main = language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let short = LONG.iter().find(|(long, _)| *long == main).map(|(_, short)| (*short).to_owned());
    short.unwrap_or(main)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::captions_in;
    use crate::hls::{Master, Rendition};

    fn chosen(languages: &[(Option<&str>, bool)], wanted: Option<&str>) -> Result<String, String> {
        let rendition = |(index, &(language, default)): (usize, &(Option<&str>, bool))| Rendition {
            address: Url::parse(&format!("http://h/{index}")).expect("an address"),
            group: "text".into(),
            language: language.map(str::to_owned),
            default,
            forced: language == Some("forced"),
        };
        let master = Master { subtitles: languages.iter().enumerate().map(rendition).collect(), ..Master::default() };
        let chosen = captions_in(&master, wanted).map(|rendition| rendition.address.path()[1..].to_owned());
        chosen.map_err(|error| error.to_string())
    }

    #[test]
    fn captions_of_the_spoken_language_are_taken() {
        let all = [(Some("es"), true), (None, false), (Some("en-GB"), false), (Some("eng"), true)];
        assert_eq!(chosen(&all, Some("en-US")), Ok("3".into()));
        assert_eq!(chosen(&all[..3], Some("en-US")), Ok("2".into()));
        assert_eq!(chosen(&all[..2], Some("en-US")), Ok("1".into()));
        assert_eq!(chosen(&all, None), Ok("0".into()));
    }

    #[test]
    fn translations_are_not_what_is_said() {
        let error = chosen(&[(Some("es"), true), (Some("fr"), false)], Some("en-US")).expect_err("others only");
        assert!(error.contains("es, fr"), "{error}");
        assert!(chosen(&[], Some("en")).expect_err("none").contains("no captions"));
        assert!(chosen(&[(Some("forced"), true)], None).is_err());
    }
}
