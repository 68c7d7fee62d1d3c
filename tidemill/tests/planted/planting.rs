//! A planted bug: which text of which file becomes which other text, and why that is wrong.

use std::{fs, io, path::Path};

/// One of them, as its file says.
#[derive(Debug, Clone)]
pub(crate) struct Planting {
    pub(crate) name: String,
    /// What goes wrong, in words.
    pub(crate) why: String,
    pub(crate) file: String,
    /// It is no expression or block, and is built by itself.
    pub(crate) alone: bool,
    old: String,
    new: String,
}

impl Planting {
    /// All plantings of a folder, by name.
    pub(crate) fn all(folder: &Path) -> io::Result<Vec<Self>> {
        let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let wrong = || io::Error::other(format!("{} has no '--- old' and '--- new'", path.display()));
        let (head, texts) = text.split_once("--- old\n").ok_or_else(wrong)?;
        let (old, new) = texts.split_once("\n--- new\n").ok_or_else(wrong)?;
        let mut head = head.lines();
        let why = head.next().unwrap_or_default().to_owned();
        let file = head.next().and_then(|line| line.strip_prefix("file: ")).ok_or_else(wrong)?.to_owned();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (old, new) = (old.to_owned(), new.trim_end_matches('\n').to_owned());
        Ok(Self { name, why, file, alone: head.next() == Some("alone"), old, new })
    }

    /// Whether its text is in the sources, exactly once.
    pub(crate) fn check(&self, sources: &Path) -> Result<(), String> {
        let text = fs::read_to_string(sources.join(&self.file)).map_err(|error| format!("{}: {error}", self.file))?;
        match text.matches(&self.old).count() {
            1 => Ok(()),
            0 => Err(format!("{}: the code has moved on: {} has no such text", self.name, self.file)),
            times => Err(format!("{}: {} has its text {times} times", self.name, self.file)),
        }
    }

    /// Puts it into a copy of the sources: for good, or to be chosen by its number when a test runs.
    pub(crate) fn plant(&self, sources: &Path, number: Option<usize>) -> io::Result<()> {
        let (old, new) = (&self.old, &self.new);
        let planted = match number {
            Some(number) => format!("{{ if crate::planted::is({number}) {{ {new} }} else {{ {old} }} }}"),
            None => new.clone(),
        };
        let path = sources.join(&self.file);
        let text = fs::read_to_string(&path)?;
        fs::write(path, text.replacen(old, &planted, 1))
    }
}
