//! Settings of the accounts at platforms of live streams. They are checked together.

use std::path::PathBuf;

use tidemill_apps::{
    setting::{Row, path, text},
    sources::{Keys, YoutubeAccess},
};
use tidemill_chat::Secret;

use super::secrets::Origins;

/// The settings of accounts, as given.
#[derive(Default)]
pub(super) struct Accounts {
    youtube_key: Origins,
    youtube_token: Origins,
    twitch_token: Origins,
    chat_folder: Option<PathBuf>,
}

type Setting = Row<Accounts>;

pub(super) fn rows() -> Vec<Setting> {
    vec![
        Setting::new("sources.youtube_key", "", text, |a| &mut a.youtube_key.value)
            .secret()
            .help("Key of YouTube's API"),
        Setting::new("sources.youtube_key_file", "", path, |a| &mut a.youtube_key.file)
            .help("File that holds the key of YouTube's API"),
        Setting::new("sources.youtube_key_command", "", text, |a| &mut a.youtube_key.command)
            .help("Command that prints the key of YouTube's API"),
        Setting::new("sources.youtube_token_file", "", path, |a| &mut a.youtube_token.file)
            .help("File that holds an OAuth token for YouTube's API, instead of a key; another program may renew it"),
        Setting::new("sources.youtube_token_command", "", text, |a| &mut a.youtube_token.command)
            .help("Command that prints an OAuth token for YouTube's API"),
        Setting::new("sources.twitch_token", "", text, |a| &mut a.twitch_token.value)
            .secret()
            .help("Token of a Twitch account; without one, chats are read without an account"),
        Setting::new("sources.twitch_token_file", "", path, |a| &mut a.twitch_token.file)
            .help("File that holds the token of a Twitch account; another program may renew it"),
        Setting::new("sources.twitch_token_command", "", text, |a| &mut a.twitch_token.command)
            .help("Command that prints the token of a Twitch account"),
        Setting::new("sources.chat_folder", "", path, |a| &mut a.chat_folder)
            .help("Folder of chat files that streams may name"),
    ]
}

impl Accounts {
    /// What the platforms need.
    pub(super) fn choose(self) -> Result<Keys, Vec<String>> {
        let mut problems = Vec::new();
        let mut only = |origins: &Origins, name: &str, names: &[&str]| -> Option<Secret> {
            origins.only().unwrap_or_else(|_| {
                let names: Vec<_> = names.iter().map(|end| format!("'sources.{name}{end}'")).collect();
                problems.push(format!("there are several of these: set only one of {}", names.join(", ")));
                None
            })
        };
        let all = ["", "_file", "_command"];
        let key = only(&self.youtube_key, "youtube_key", &all);
        let token = only(&self.youtube_token, "youtube_token", &all[1..]);
        let twitch_token = only(&self.twitch_token, "twitch_token", &all);
        let youtube = match (key, token) {
            (Some(_), Some(_)) => {
                let problem = "YouTube is asked with a key or with a token: leave out 'sources.youtube_key…' or \
                               'sources.youtube_token…'";
                problems.push(problem.to_owned());
                None
            }
            (key, token) => key.map(YoutubeAccess::Key).or_else(|| token.map(YoutubeAccess::Token)),
        };
        let keys = Keys { youtube, twitch_token, chat_folder: self.chat_folder };
        if problems.is_empty() { Ok(keys) } else { Err(problems) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &str) -> Origins {
        Origins { command: Some(words.to_owned()), ..Origins::default() }
    }

    #[test]
    fn a_secret_comes_from_one_place() {
        let accounts = Accounts { youtube_key: command("print key"), ..Accounts::default() };
        assert!(matches!(accounts.choose().expect("valid").youtube, Some(YoutubeAccess::Key(_))));
        let accounts = Accounts { youtube_token: command("print token"), ..Accounts::default() };
        assert!(matches!(accounts.choose().expect("valid").youtube, Some(YoutubeAccess::Token(_))));
        let none = Accounts::default().choose().expect("valid");
        assert!(none.youtube.is_none() && none.twitch_token.is_none());
    }

    #[test]
    fn several_places_of_one_secret_are_told_together() {
        let twice = Origins { file: Some("token".into()), ..command("print token") };
        let accounts = Accounts {
            youtube_key: command("print key"),
            youtube_token: command("print token"),
            twitch_token: twice,
            chat_folder: None,
        };
        let problems = accounts.choose().expect_err("two problems");
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("set only one of 'sources.twitch_token', 'sources.twitch_token_file'"));
        assert!(problems[1].contains("with a key or with a token"), "{problems:?}");
    }
}
