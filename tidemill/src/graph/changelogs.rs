//! The settings of changelog topics that users may choose.

use std::collections::BTreeMap;

use super::Graph;

/// Settings of a topic by their names on the broker.
pub(crate) type TopicConfig = BTreeMap<String, String>;

/// What decides which records of a changelog stay. The engine sets these, or never uses them: another value would lose
/// state.
const RESERVED: &[&str] =
    &["cleanup.policy", "message.timestamp.type", "min.compaction.lag.ms", "retention.bytes", "retention.ms"];

impl Graph {
    pub(super) fn check_changelogs(&self, problems: &mut Vec<String>) {
        for spec in self.stores.values().filter(|spec| !spec.changelog_config.is_empty()) {
            let name = &spec.name;
            if !spec.logged {
                problems.push(format!("store '{name}' has settings for its changelog, but it has no changelog"));
            }
            for setting in spec.changelog_config.keys() {
                if RESERVED.contains(&setting.as_str()) {
                    problems.push(format!(
                        "the changelog of store '{name}' cannot have another '{setting}': it decides which state stays"
                    ));
                } else if !is_setting(setting) {
                    problems.push(format!(
                        "the changelog of store '{name}' has the setting '{setting}', which is no name of a topic's \
                         setting, such as min.insync.replicas"
                    ));
                }
            }
        }
    }
}

/// Whether a text may be the name of a topic's setting. Only the broker knows which names there are.
fn is_setting(name: &str) -> bool {
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    (name.contains('.') || name == "preallocate") && name.split('.').all(is_word)
}
