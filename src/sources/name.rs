//! Names streams after their addresses.

use tidemill_chat::Url;

/// Longest name, in characters.
const LONGEST: usize = 48;
/// The most names to try.
const MOST: usize = 1_000;

/// Ids for the stream at an address, the nicest first: `twitch-ada`, `twitch-ada-2`, and so on.
pub fn names(platform: &str, url: &Url) -> impl Iterator<Item = String> + use<> {
    let name = name(platform, url);
    (1..=MOST).map(move |count| if count == 1 { name.clone() } else { format!("{name}-{count}") })
}

fn name(platform: &str, url: &Url) -> String {
    // `watch?v=…` names the stream behind the question mark.
    let video = url.query_pairs().find(|(name, _)| name == "v").map(|(_, value)| value.into_owned());
    let mut segments = url.path_segments().into_iter().flatten();
    let last = segments.rfind(|part| !part.is_empty()).map(ToOwned::to_owned);
    let part = video.or(last).or_else(|| url.host_str().map(ToOwned::to_owned)).unwrap_or_default();
    let mut slug = String::new();
    for c in part.chars().take(LONGEST) {
        match c {
            _ if c.is_ascii_alphanumeric() || c == '_' => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { platform.to_owned() } else { format!("{platform}-{slug}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_after_its_channel_or_video() {
        let first = |platform, url| names(platform, &Url::parse(url).expect("an address")).next().unwrap_or_default();
        assert_eq!(first("twitch", "https://www.twitch.tv/ada"), "twitch-ada");
        assert_eq!(first("youtube", "https://www.youtube.com/watch?v=dQw4_-9"), "youtube-dQw4_-9");
        assert_eq!(first("generic", "https://example.org/"), "generic-example-org");
        assert_eq!(first("generic", "https://example.org/..%2f<b>/"), "generic-2f-3Cb-3E");
        let mut more = names("twitch", &Url::parse("https://twitch.tv/ada").expect("an address"));
        assert_eq!(more.nth(1).as_deref(), Some("twitch-ada-2"));
    }
}
