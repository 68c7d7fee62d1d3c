//! What an address of YouTube names.

use url::Url;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A video by its id.
    Video(String),
    /// What a channel streams now, by the channel's id.
    Channel(String),
    /// What a channel streams now, by the channel's handle with its `@`.
    Handle(String),
}

/// Whether an address is one of YouTube's.
pub(super) fn recognises(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is = |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
    is("youtube.com") || is("youtu.be") || is("youtube-nocookie.com")
}

/// What an address names, if it names a video or a channel.
pub(super) fn wanted(url: &Url) -> Option<Wanted> {
    let parts: Vec<&str> = url.path_segments()?.filter(|part| !part.is_empty()).collect();
    let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let is_id =
        |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let wanted = match parts[..] {
        [id] if url.host_str().is_some_and(|host| host.ends_with("youtu.be")) => Wanted::Video(id.to_owned()),
        ["watch" | "live_chat", ..] => Wanted::Video(parameter("v")?),
        ["live" | "embed" | "v" | "shorts", id, ..] => Wanted::Video(id.to_owned()),
        // The streamer's own page of a stream.
        ["video", id, "livestreaming"] => Wanted::Video(id.to_owned()),
        ["channel", id, ..] => Wanted::Channel(id.to_owned()),
        [handle, ..] if handle.starts_with('@') => {
            return Some(Wanted::Handle(percent_decoded(handle)));
        }
        _ => return None,
    };
    let (Wanted::Video(id) | Wanted::Channel(id) | Wanted::Handle(id)) = &wanted;
    is_id(id).then_some(wanted)
}

/// Handles may have letters of every alphabet.
fn percent_decoded(text: &str) -> String {
    let query = format!("h={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(query.as_bytes()).next().map_or_else(String::new, |(_, handle)| handle.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_leads_to_the_video_or_the_channel() {
        let video = || Some(Wanted::Video("dQw4w9WgXcQ".into()));
        for (url, expected) in [
            ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3s", video()),
            ("https://m.youtube.com/watch?app=desktop&v=dQw4w9WgXcQ", video()),
            ("https://youtu.be/dQw4w9WgXcQ?si=x", video()),
            ("https://youtube.com/live/dQw4w9WgXcQ?feature=share", video()),
            ("https://www.youtube.com/live_chat?is_popout=1&v=dQw4w9WgXcQ", video()),
            ("https://studio.youtube.com/video/dQw4w9WgXcQ/livestreaming", video()),
            ("https://www.youtube.com/channel/UC123/live", Some(Wanted::Channel("UC123".into()))),
            ("https://www.youtube.com/@ada/live", Some(Wanted::Handle("@ada".into()))),
            ("https://www.youtube.com/@%E8%8D%89", Some(Wanted::Handle("@草".into()))),
            ("https://www.youtube.com/", None),
            ("https://www.youtube.com/watch", None),
            ("https://www.youtube.com/watch?v=a%26key=1", None),
        ] {
            let url = Url::parse(url).expect("an address");
            assert!(recognises(&url), "{url}");
            assert_eq!(wanted(&url), expected, "{url}");
        }
        for url in ["https://notyoutube.com/watch?v=a", "https://youtube.com.example/watch?v=a"] {
            assert!(!recognises(&Url::parse(url).expect("an address")));
        }
    }
}
