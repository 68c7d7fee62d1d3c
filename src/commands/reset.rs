//! Deletes the applications' data.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use tidemill::{
    Plan,
    state::StateDirectory,
    transport::{Topic, Transport as _, embedded::EmbeddedLog},
};
use tidemill_apps::{
    apps::Format,
    server::{DataFolder, Log, Settings},
};

use crate::{cli::ResetOptions, usage::usage};

/// Deletes log and state, unless a server uses them.
pub(crate) fn reset(settings: &Settings, options: &ResetOptions) -> Result<()> {
    if settings.kafka.is_some() {
        return reset_on_kafka(settings, options);
    }
    let Some(path) = &settings.data_dir else {
        return Err(usage("no folder and no brokers are given: add --data-dir FOLDER or --brokers HOST:PORT"));
    };
    let (folder, shown) = (DataFolder::new(path), path.display());
    folder.check()?;
    if !folder.holds_data() {
        tracing::info!("there is nothing to delete: {shown} holds neither log nor state");
        return Ok(());
    }
    if !options.yes {
        return Err(usage(format!("this deletes log, state and results in {shown}: add --yes to confirm")));
    }
    let log = folder.log();
    // A running server holds the log's lock. The log itself is not opened, because it may be damaged.
    let lock = log.exists().then(|| EmbeddedLog::lock(&log)).transpose();
    let _held = lock.context("nothing was deleted: a server may be running on the log")?;
    check_unused(settings, &folder.state())?;
    folder.discard()?;
    tracing::info!("deleted log and state in {shown}");
    Ok(())
}

/// Checks that no instance runs on the state. A running instance holds the state's lock.
fn check_unused(settings: &Settings, root: &Path) -> Result<()> {
    for app in settings.apps.iter().filter(|app| root.join(app.id).exists()) {
        drop(StateDirectory::open(root, app.id).context("an instance may be running on the state")?);
    }
    Ok(())
}

/// The applications' data on Kafka and in the data folder.
struct Remembered {
    groups: Vec<String>,
    /// An internal topic can also be an application's own: a call's dead letters are both.
    topics: BTreeSet<Topic>,
    state: Vec<PathBuf>,
}

/// Deletes the applications' own data. Topics of events and results stay, because other programs may use them.
fn reset_on_kafka(settings: &Settings, options: &ResetOptions) -> Result<()> {
    let log = Log::open(settings)?;
    let mut admin = log.transport().admin()?;
    let existing: BTreeSet<Topic> = admin.list_topics()?.into_iter().collect();
    let remembered = Remembered::find(settings, &log, &existing)?;
    if !options.yes {
        return Err(usage(format!("{}add --yes to confirm", remembered.told())));
    }
    if let Some(folder) = &settings.data_dir {
        check_unused(settings, &DataFolder::new(folder).state())?;
    }
    // Groups are deleted first, because Kafka refuses this while an instance runs.
    for group in &remembered.groups {
        admin.delete_group(group).context("committed offsets cannot be deleted")?;
    }
    for topic in &remembered.topics {
        admin.delete_topic(topic).with_context(|| format!("topic '{topic}' cannot be deleted"))?;
    }
    remembered.state.iter().try_for_each(|folder| delete(folder))?;
    tracing::info!("deleted {} topics, {} groups and state", remembered.topics.len(), remembered.groups.len());
    Ok(())
}

impl Remembered {
    fn find(settings: &Settings, log: &Log, existing: &BTreeSet<Topic>) -> Result<Self> {
        let (mut groups, mut topics, mut state) = (Vec::new(), BTreeSet::new(), Vec::new());
        for app in &settings.apps {
            let partitions = |topic: &str| log.partitions(topic).ok().or(Some(settings.partitions));
            // Windows that end otherwise have other stores, which an earlier start may have left.
            for windows in app.windows_with_each_end(settings.windows(app)) {
                let plan = Plan::new(app.id, &(app.topology)(&windows, &Format::Json)?).resolve(partitions)?;
                topics.extend(plan.internal_topics().into_iter().map(|topic| topic.spec.name));
            }
            topics.extend(app.own_call_topics().into_iter().map(Topic::from));
            groups.extend(app.groups());
            state.extend(settings.data_dir.as_ref().map(|folder| folder.join("state").join(app.id)));
        }
        topics.retain(|topic| existing.contains(topic));
        state.retain(|folder| folder.exists());
        Ok(Self { groups, topics, state })
    }

    fn told(&self) -> String {
        let topics = self.topics.iter().map(|topic| format!("  topic {topic}\n"));
        let groups = self.groups.iter().map(|group| format!("  committed offsets of group {group}\n"));
        let state = self.state.iter().map(|folder| format!("  state in {}\n", folder.display()));
        let all: String = topics.chain(groups).chain(state).collect();
        format!(
            "this deletes:\n{all}Topics of events and results stay. The next start reads the remaining events \
             again and writes\ntheir results again. State on other machines is not deleted.\n"
        )
    }
}

fn delete(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be deleted", folder.display()))
        }
        _ => Ok(()),
    }
}
