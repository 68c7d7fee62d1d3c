//! Addresses as messages may show them: by their host, because paths and queries of media carry signatures.

use url::Url;

/// The host of an address, or its kind where it has none.
pub(crate) fn host(url: &Url) -> String {
    url.host_str().map_or_else(|| format!("a {} address", url.scheme()), str::to_owned)
}

/// A text in which each address is cut down to its scheme and host.
///
/// ```
/// let line = "Error opening https://cdn.example/live?sig=abc: 403";
/// assert_eq!(tidemill_media::without_addresses(line), "Error opening https://cdn.example/… 403");
/// ```
pub fn without_addresses(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let scheme_from = rest[..at]
            .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '+')
            .map_or(0, |index| index + rest[index..].chars().next().map_or(1, char::len_utf8));
        let after = &rest[at + 3..];
        let ends = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '<' | '>' | '`');
        let address = &after[..after.find(ends).unwrap_or(after.len())];
        let authority = &address[..address.find(['/', '?', '#']).unwrap_or(address.len())];
        // A user and password before the host are secrets, too.
        let host = authority.rsplit('@').next().unwrap_or(authority);
        shown.push_str(&rest[..scheme_from]);
        shown.push_str(&rest[scheme_from..at + 3]);
        shown.push_str(host);
        if address.len() > authority.len() {
            shown.push_str("/…");
        }
        rest = &after[address.len()..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::without_addresses;

    #[test]
    fn signatures_and_passwords_do_not_stay_in_a_message() {
        let check = |text, expect: &str| assert_eq!(without_addresses(text), expect);
        check("no address", "no address");
        check(
            "[https @ 0x5] GET 'https://a.example/x/sig/1?k=2' failed",
            "[https @ 0x5] GET 'https://a.example/…' failed",
        );
        check("rtmp://user:pass@host/live/key", "rtmp://host/…");
        check("ü://x.example/y and http://z.example", "ü://x.example/… and http://z.example");
        check("http://u:p@h", "http://h");
    }
}
