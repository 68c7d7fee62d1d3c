//! What yt-dlp writes when it fails, what it means, and what to do.

use crate::error::MediaError;
use crate::process::Exit;
use crate::resolve::info::not_live;

enum Act {
    Wait,
    Somebody,
    NotLive,
}

const COOKIES: &str = "Log in with a browser, export its cookies in Netscape's format into a file, and name the file to this \
     server. Use an account made for this.";
const UPDATE: &str = "Update yt-dlp: 'pip install --upgrade \"yt-dlp[default]\"'.";
const RUNTIME: &str = "Install Deno, or Node 20 or newer and tell its name, and install 'yt-dlp[default]', which brings the \
     scripts for it.";

/// In this order: what tells most comes first.
const MEANINGS: &[(&str, Act, &str, &str)] = &[
    ("cookies are no longer valid", Act::Somebody, "The cookies have expired.", COOKIES),
    (
        "does not look like a Netscape format",
        Act::Somebody,
        "The file of cookies is not in Netscape's format.",
        COOKIES,
    ),
    ("not a bot", Act::Somebody, "The platform takes this server for a bot.", COOKIES),
    ("Sign in to confirm your age", Act::Somebody, "The stream is for adults.", COOKIES),
    ("inappropriate for some users", Act::Somebody, "The stream is for adults.", COOKIES),
    ("members-only", Act::Somebody, "Only members of the channel see this stream.", COOKIES),
    ("Join this channel", Act::Somebody, "Only members of the channel see this stream.", COOKIES),
    ("only available to subscribers", Act::Somebody, "Only subscribers of the channel see this stream.", COOKIES),
    ("Private video", Act::Somebody, "The stream is private.", COOKIES),
    ("This video is private", Act::Somebody, "The stream is private.", COOKIES),
    ("LOGIN_REQUIRED", Act::Somebody, "The platform wants a login.", COOKIES),
    ("Use --cookies", Act::Somebody, "The platform wants a login.", COOKIES),
    ("This live event will begin", Act::NotLive, "", ""),
    ("Premieres in", Act::NotLive, "", ""),
    ("is not currently live", Act::NotLive, "", ""),
    ("is offline", Act::NotLive, "", ""),
    ("live stream recording is not available", Act::NotLive, "", ""),
    ("This live event has ended", Act::NotLive, "", ""),
    (
        "in your country",
        Act::Somebody,
        "The platform does not show the stream in the country of this server.",
        "Run the server in a country where the stream is shown, or use another platform.",
    ),
    (
        "not available from your location",
        Act::Somebody,
        "The platform does not show the stream in the country of this server.",
        "Run the server in a country where the stream is shown, or use another platform.",
    ),
    (
        "DRM protected",
        Act::Somebody,
        "The stream is encrypted by DRM.",
        "It cannot be read: use another platform or a file.",
    ),
    ("No supported JavaScript runtime", Act::Somebody, "YouTube needs a runtime of JavaScript.", RUNTIME),
    ("challenge solving failed", Act::Somebody, "YouTube needs a runtime of JavaScript.", RUNTIME),
    ("no such option", Act::Somebody, "This yt-dlp is too old.", UPDATE),
    (
        "Unsupported URL",
        Act::Somebody,
        "yt-dlp does not know this page.",
        "Give the address of the stream itself, or of its playlist (.m3u8).",
    ),
    (
        "No suitable extractor",
        Act::Somebody,
        "The page belongs to no platform that yt-dlp knows.",
        "Give the address of the stream's playlist (.m3u8), or of a page of a platform.",
    ),
    ("Video unavailable", Act::Somebody, "The platform has no such stream.", "Check the address."),
    ("HTTP Error 404", Act::Somebody, "The platform has no such page.", "Check the address."),
    ("HTTP Error 429", Act::Wait, "The platform gets too many requests from this server.", ""),
    (
        "content isn't available, try again later",
        Act::Wait,
        "The platform gets too many requests from this server.",
        "",
    ),
    ("HTTP Error 403", Act::Somebody, "The platform refuses this server.", UPDATE),
    ("HTTP Error 5", Act::Wait, "The platform has trouble.", ""),
    ("timed out", Act::Wait, "The platform does not answer.", ""),
    ("Connection refused", Act::Wait, "The platform accepts no connection.", ""),
    ("Connection reset", Act::Wait, "The platform closed the connection.", ""),
    ("name resolution", Act::Wait, "The name of the platform's server is not known.", ""),
    ("Name or service not known", Act::Wait, "The name of the platform's server is not known.", ""),
    ("Network is unreachable", Act::Wait, "There is no network.", ""),
    ("Requested format is not available", Act::Somebody, "The platform offers no format with sound.", UPDATE),
    ("Unable to extract", Act::Somebody, "The platform has changed its page.", UPDATE),
    ("please report this issue", Act::Somebody, "yt-dlp does not understand the page.", UPDATE),
];

/// Why yt-dlp failed, with a remedy.
pub(super) fn explain(exit: &Exit, host: &str, had_cookies: bool) -> MediaError {
    let says = |text: &str| exit.last_lines.iter().any(|line| line.contains(text));
    // Warnings about the runtime stand before errors that it did not cause.
    let is_about_formats = says("Requested format is not available") || says("No video formats") || !says("ERROR");
    let known = MEANINGS.iter().find(|(text, _, _, remedy)| says(text) && (*remedy != RUNTIME || is_about_formats));
    match known {
        None => exit.explain(host),
        Some((_, Act::NotLive, ..)) => not_live(),
        Some((_, Act::Wait, reason, _)) => MediaError::transient(*reason),
        Some((_, Act::Somebody, reason, remedy)) if *remedy == COOKIES && had_cookies => {
            MediaError::refused(*reason, format!("The cookies that this server has did not help. {remedy}"))
        }
        Some((_, Act::Somebody, reason, remedy)) => MediaError::refused(*reason, *remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::explain;
    use crate::error::MediaError;
    use crate::process::Exit;

    fn explained(lines: &[&str], had_cookies: bool) -> MediaError {
        let last_lines = lines.iter().map(|&line| line.to_owned()).collect();
        explain(
            &Exit { program: "yt-dlp".into(), code: Some(1), signal: None, last_lines },
            "tube.example",
            had_cookies,
        )
    }

    #[test]
    fn a_bot_check_names_cookies_as_the_remedy_with_either_apostrophe() {
        for apostrophe in ["'", "’"] {
            let line = format!(
                "ERROR: [youtube] abc: Sign in to confirm you{apostrophe}re not a bot. Use --cookies-from-browser"
            );
            let error = explained(&[&line], false);
            assert!(matches!(error, MediaError::Refused { .. }));
            assert!(
                error.to_string().starts_with("The platform takes this server for a bot. Log in with a browser"),
                "{error}"
            );
            assert!(explained(&[&line], true).to_string().contains("did not help"));
        }
    }

    #[test]
    fn a_missing_runtime_is_blamed_only_for_missing_formats() {
        let warning =
            "WARNING: [youtube] No supported JavaScript runtime could be found. Only deno is enabled by default";
        let formats = explained(&[warning, "ERROR: [youtube] a: Requested format is not available."], false);
        assert!(formats.to_string().contains("Install Deno"), "{formats}");
        let private =
            explained(&[warning, "ERROR: [youtube] a: Private video. Sign in if you've been granted access"], false);
        assert!(private.to_string().contains("private"), "{private}");
        let upcoming = explained(&[warning, "ERROR: [youtube] a: This live event will begin in 3 hours."], false);
        assert!(matches!(upcoming, MediaError::NotLive { .. }));
    }

    #[test]
    fn trouble_of_the_network_may_pass_and_an_offline_channel_is_not_live() {
        assert!(
            explained(&["ERROR: Unable to download webpage: HTTP Error 503: Service Unavailable"], false)
                .is_transient()
        );
        assert!(explained(&["ERROR: <urlopen error [Errno 111] Connection refused>"], false).is_transient());
        assert!(matches!(
            explained(&["ERROR: [twitch:stream] x: The channel is not currently live"], false),
            MediaError::NotLive { .. }
        ));
        assert!(explained(&["odd"], false).to_string().contains("\"odd\""));
    }
}
