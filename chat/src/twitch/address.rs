//! What an address of Twitch names.

use url::Url;

/// Pages that are no channels.
const PAGES: [&str; 8] = ["directory", "videos", "downloads", "jobs", "p", "settings", "search", "turbo"];

/// Whether an address is one of Twitch's.
pub(super) fn recognises(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "twitch.tv" || host.ends_with(".twitch.tv")
}

/// The login of the channel that an address names.
pub(super) fn channel(url: &Url) -> Option<String> {
    let parts: Vec<&str> = url.path_segments()?.filter(|part| !part.is_empty()).collect();
    let name = match parts[..] {
        ["popout" | "embed" | "moderator", name, ..] => name,
        // A streamer's own page.
        ["u", name, ..] => name,
        [name, ..] => name,
        [] => return None,
    };
    let name = name.to_ascii_lowercase();
    let is_login =
        (1..=25).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_login && !PAGES.contains(&name.as_str())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_leads_to_the_channel() {
        for (url, expected) in [
            ("https://www.twitch.tv/Ada_Plays", Some("ada_plays")),
            ("https://m.twitch.tv/ada/videos?x=1", Some("ada")),
            ("https://www.twitch.tv/popout/ada/chat", Some("ada")),
            ("https://dashboard.twitch.tv/u/ada/stream-manager", Some("ada")),
            ("https://www.twitch.tv/directory/all", None),
            ("https://www.twitch.tv/", None),
            ("https://www.twitch.tv/a%20b", None),
        ] {
            let url = Url::parse(url).expect("an address");
            assert!(recognises(&url));
            assert_eq!(channel(&url).as_deref(), expected, "{url}");
        }
        assert!(!recognises(&Url::parse("https://nottwitch.tv/ada").expect("an address")));
    }
}
