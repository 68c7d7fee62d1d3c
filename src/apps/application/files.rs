//! Files that the program brings: pages and recordings.

/// A file of an application's folder.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Its path in the folder, such as `page/index.html`.
    pub path: &'static str,
    /// What it is, for browsers.
    pub kind: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

/// The files of a folder of `src/apps`, as the build found them.
macro_rules! files {
    ($folder:literal) => {{
        use $crate::apps::application::File;
        include!(concat!(env!("OUT_DIR"), "/files/", $folder, ".rs"))
    }};
}

pub(crate) use files;
