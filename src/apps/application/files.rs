//! Files that are built into the program: pages and recordings.

/// A built-in file of an application's folder.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// The path in the folder, such as `page/index.html`.
    pub path: &'static str,
    /// The media type, for browsers.
    pub kind: &'static str,
    /// The content.
    pub bytes: &'static [u8],
}

/// The files of a folder below `src/apps`, as the build script found them.
macro_rules! files {
    ($folder:literal) => {{
        use $crate::apps::application::File;
        include!(concat!(env!("OUT_DIR"), "/files/", $folder, ".rs"))
    }};
}

pub(crate) use files;
