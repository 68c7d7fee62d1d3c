//! The rules for settings. All problems are told together, each with what to write.

use std::{collections::HashMap, time::Duration};

use tidemill::transport::kafka::KafkaConfig;

use super::settings::{Settings, Tenant};
use crate::apps::{App, Format, WindowEnds, WindowPlace, Windows};

impl Settings {
    /// All problems of the settings, one sentence each; empty if the settings are valid.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.listen.ip().is_loopback() && self.tenants.is_empty() {
            problems.push(format!(
                "listening on {} lets everybody on the network use the server: add a [[tenant]] with a token, \
                 or listen on 127.0.0.1",
                self.listen
            ));
        }
        problems.extend(self.cors_origins.iter().filter_map(|origin| wrong_origin(origin)));
        for (at, tenant) in self.tenants.iter().enumerate() {
            let plurals: Vec<_> = self.known().iter().map(|app| app.owner.plural).collect();
            let wrong = of_tenant(tenant, &plurals).into_iter();
            problems.extend(wrong.map(|problem| format!("tenant '{}': {problem}", tenant.name)));
            if self.tenants[..at].iter().any(|other| other.token == tenant.token) {
                problems.push(format!("tenant '{}': another tenant has the same token", tenant.name));
            }
        }
        let mut taken = HashMap::new();
        for app in self.known() {
            for name in app.names() {
                match taken.get(&name) {
                    Some(other) => problems.push(format!("the applications {other} and {} both use '{name}'", app.id)),
                    None => drop(taken.insert(name, app.id)),
                }
            }
        }
        problems.extend(self.window_problems());
        problems.extend(self.kafka.iter().flat_map(KafkaConfig::problems));
        let names = [("run.instance_id", &self.instance_id), ("run.client_id", &self.client_id)];
        for (setting, name) in names.into_iter().filter_map(|(setting, name)| Some((setting, name.as_ref()?))) {
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            if name.len() > 200 || !name.chars().all(legal) {
                problems.push(format!("{setting} may hold at most 200 ASCII letters, digits, '.', '_' and '-'"));
            }
        }
        if let Some(folder) = self.mediapipe_dir.as_ref().filter(|folder| !folder.is_dir()) {
            problems.push(format!(
                "pages.mediapipe_dir: there is no folder {}: write the folder of the pose model, which \
                 `make pose-model` fetches into target/mediapipe/pose, or leave it out",
                folder.display()
            ));
        }
        problems.extend(self.clips.problems());
        problems.extend(self.out_of_range());
        problems
    }

    /// The problems of the applications' windows.
    pub fn window_problems(&self) -> Vec<String> {
        let problems = self.apps.iter().flat_map(|app| {
            let windows = self.windows(app);
            let (name, default) = window_setting(app, |windows| windows.window);
            if windows.window.is_zero() {
                return vec![format!("'{name}' must be longer than nothing, such as {default}")];
            }
            if windows.ends == WindowEnds::WithContent && windows.grace > windows.window {
                let (grace, default) = window_setting(app, |windows| windows.grace);
                return vec![format!(
                    "'{grace}' is longer than '{name}', and each result waits for it: write less, such as {default}"
                )];
            }
            // Building the topology needs no log. It finds windows that its steps cannot work with.
            let built = (app.topology)(&windows, &Format::Json);
            built.err().map(|error| format!("the windows of {}: {error}", app.id)).into_iter().collect()
        });
        problems.collect()
    }

    fn out_of_range(&self) -> impl Iterator<Item = String> {
        let limits = &self.limits;
        let never = |setting: &str, so: &str| format!("'{setting}' is nothing, so {so}: write more, such as");
        let wrong = [
            (!(1..=1000).contains(&self.partitions), "run.partitions must be between 1 and 1000".to_owned()),
            (!(1..=256).contains(&self.threads), "run.threads must be between 1 and 256".to_owned()),
            (self.memory_bytes < 32 << 20, "data.memory must be at least 32MiB".to_owned()),
            (limits.body_bytes < 1024, "limits.body must be at least 1 KiB".to_owned()),
            (
                limits.bytes_in_flight < limits.body_bytes,
                "limits.in_flight must hold one body (limits.body) at least".to_owned(),
            ),
            (limits.connections < 1, "limits.connections must be at least 1".to_owned()),
            (limits.idle_timeout.is_zero(), "limits.idle_timeout must be longer than nothing".to_owned()),
            (
                limits.body_timeout.is_zero(),
                format!("{} 30s", never("limits.body_timeout", "no request could send its body")),
            ),
            (limits.lag_records < 1, format!("{} 200000", never("limits.lag_records", "every event would be refused"))),
            (
                limits.event_streams < 1,
                format!("{} 2000", never("limits.event_streams", "no page could follow results")),
            ),
            (
                self.raw_retention.is_zero(),
                format!("{} 1h", never("data.raw_retention", "every event would be older than what is kept")),
            ),
            (
                self.result_retention.of_topic().is_some_and(|kept| kept.is_zero()),
                format!("{} 7d", never("data.result_retention", "no page could read a result")),
            ),
            (self.calls.max_attempts < 1, "analyst.attempts must be at least 1".to_owned()),
            (self.calls.max_in_flight < 1, "analyst.in_flight must be at least 1".to_owned()),
            (self.calls.timeout.is_zero(), format!("{} 30s", never("analyst.timeout", "no answer could be in time"))),
        ];
        wrong.into_iter().filter(|(wrong, _)| *wrong).map(|(_, problem)| problem)
    }
}

/// The setting of a duration of an application's windows, and its default.
fn window_setting(app: App, of: fn(&Windows) -> Duration) -> (&'static str, &'static str) {
    let sets = |place: WindowPlace| {
        let WindowPlace::Length(place) = place else { return false };
        let (none, ends) = (Duration::ZERO, WindowEnds::default());
        let mut windows = Windows { ends, window: none, grace: none, idle_after: none, answer_within: none };
        *place(&mut windows) = Duration::MAX;
        of(&windows) == Duration::MAX
    };
    let found = app.window_settings.iter().find(|setting| sets(setting.place));
    found.map_or((app.section, "60s"), |setting| (setting.name, setting.default))
}

/// Why an origin is never that of a page. Browsers send `scheme://host` with the port if it is not the scheme's own.
fn wrong_origin(origin: &str) -> Option<String> {
    if origin == "*" {
        return Some(
            "server.cors does not take '*', with which every page on the web could use the server: name the origins \
             of your pages, such as https://ada.example"
                .to_owned(),
        );
    }
    let host = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
    let legal =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    let is_origin = host.is_some_and(|host| !host.is_empty() && host.chars().all(legal));
    (!is_origin).then(|| {
        format!(
            "server.cors: no page has the origin '{origin}': write it as the browser sends it, scheme and host in small \
             letters without a path, such as https://ada.example or http://localhost:3000"
        )
    })
}

/// The problems of one tenant. `plurals` are the fields for its ids.
fn of_tenant(tenant: &Tenant, plurals: &[&str]) -> Vec<String> {
    let Tenant { token, owners, admin, .. } = tenant;
    let mut problems = Vec::new();
    if token.len() < 16 {
        problems.push("a token must have at least 16 characters".to_owned());
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let legal = "letters, digits and signs of ASCII, without spaces";
        problems
            .push(format!("a header cannot carry its token: make a token of {legal}, such as `openssl rand -hex 16`"));
    }
    for pattern in owners.values().flatten() {
        let begin = pattern.strip_suffix('*').unwrap_or(pattern);
        if begin.contains('*') {
            problems.push(format!("'{pattern}' opens nothing: a '*' stands at the end only, as in \"team-*\""));
        } else if pattern.trim().is_empty() {
            problems.push("an empty id opens nothing: write an id, such as \"ada\", or \"*\" for all".to_owned());
        }
    }
    if !admin && owners.values().all(Vec::is_empty) {
        let fields = plurals.join(" or ");
        problems.push(format!("its token opens nothing: list ids in {fields}, such as [\"ada\"], or set admin = true"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::apps::Retention;

    fn problems(change: impl FnOnce(&mut Settings)) -> Vec<String> {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.problems()
    }

    fn tenant(token: &str, streams: &[&str]) -> Arc<Tenant> {
        Arc::new(Tenant {
            name: "team".to_owned(),
            token: token.to_owned(),
            owners: [("streams", streams.iter().map(|id| (*id).to_owned()).collect())].into(),
            admin: false,
            records_per_second: None,
            body_bytes: None,
        })
    }

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Settings::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn a_setting_that_would_do_nothing_is_refused_with_the_others() {
        let found = problems(|settings| {
            let app = settings.apps[0];
            settings.windows_mut(app).window = Duration::ZERO;
            settings.limits.lag_records = 0;
            settings.limits.event_streams = 0;
            settings.limits.body_timeout = Duration::ZERO;
            settings.raw_retention = Duration::ZERO;
            settings.result_retention = Retention::For(Duration::ZERO);
            settings.calls.timeout = Duration::ZERO;
            settings.memory_bytes = 1 << 20;
            settings.mediapipe_dir = Some("/nope".into());
            settings.cors_origins = vec!["*".to_owned(), "https://ada.example/".to_owned(), "ada.example".to_owned()];
        });
        for part in [
            "'live.window' must be longer than nothing, such as 60s",
            "'limits.lag_records' is nothing",
            "'limits.event_streams' is nothing",
            "'limits.body_timeout' is nothing",
            "'data.raw_retention' is nothing",
            "'data.result_retention' is nothing",
            "'analyst.timeout' is nothing",
            "data.memory must be at least 32MiB",
            "there is no folder /nope",
            "server.cors does not take '*'",
            "the origin 'https://ada.example/'",
            "the origin 'ada.example'",
        ] {
            assert!(found.iter().any(|problem| problem.contains(part)), "{part} in {found:#?}");
        }
        assert_eq!(found.len(), 12, "{found:#?}");
    }

    #[test]
    fn a_repetition_that_would_wait_long_for_late_frames_is_refused() {
        let found = |ends, grace| {
            problems(|settings| {
                let windows = settings.windows_mut(settings.apps[1]);
                (windows.ends, windows.grace) = (ends, Duration::from_secs(grace));
            })
        };
        let told =
            "'coach.grace' is longer than 'coach.window', and each result waits for it: write less, such as 500ms";
        assert_eq!(found(WindowEnds::WithContent, 4), [told]);
        assert!(found(WindowEnds::WithContent, 3).is_empty() && found(WindowEnds::AfterLength, 4).is_empty());
    }

    #[test]
    fn origins_are_those_that_browsers_send() {
        for origin in ["https://ada.example", "http://localhost:3000", "http://[::1]:8080"] {
            assert_eq!(wrong_origin(origin), None, "{origin}");
        }
        for origin in ["https://Ada.example", "null", "https://", "ftp://ada.example", "https://*.example"] {
            assert!(wrong_origin(origin).is_some(), "{origin}");
        }
    }

    #[test]
    fn a_tenant_whose_token_opens_nothing_is_refused() {
        let found = problems(|settings| settings.tenants = vec![tenant("a-token-with-an-\u{e9}", &[])]);
        for part in ["a header cannot carry its token", "list ids in streams or users"] {
            assert!(found.iter().any(|problem| problem.starts_with("tenant 'team': ") && problem.contains(part)));
        }
        let found =
            problems(|settings| settings.tenants = vec![tenant("a-token-of-the-team", &["a*b", " ", "*", "a-*"])]);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0].contains("'a*b' opens nothing") && found[1].contains("an empty id"), "{found:#?}");
    }
}
