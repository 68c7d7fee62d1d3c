//! Several clips as one file.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A zip archive. Its file has no name: it is gone when it is closed, also after a kill.
#[derive(Debug)]
pub struct Archive {
    /// The archive, from its beginning.
    pub file: File,
    /// Its size.
    pub bytes: u64,
}

/// Writes an archive of files, each with its title; `folder` is where it takes space. Blocks.
pub(super) fn write(folder: &Path, clips: &[(String, PathBuf)]) -> io::Result<Archive> {
    let mut archive = ZipWriter::new(BufWriter::new(tempfile::tempfile_in(folder)?));
    // Video does not get smaller.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    for (index, (title, path)) in clips.iter().enumerate() {
        archive.start_file(name(index, title), options)?;
        io::copy(&mut File::open(path)?, &mut archive)?;
    }
    let mut file = archive.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    let bytes = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    Ok(Archive { file, bytes })
}

/// A name that all systems can unpack, and that no other clip of the archive has.
fn name(index: usize, title: &str) -> String {
    let mut slug = String::new();
    for letter in title.chars().take(60) {
        if letter.is_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { format!("{:02}.mp4", index + 1) } else { format!("{:02}-{slug}.mp4", index + 1) }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn titles_become_names_that_leave_no_folder_and_differ() {
        assert_eq!(name(0, "What a goal!! (2:1)"), "01-What-a-goal-2-1.mp4");
        assert_eq!(name(1, "../../etc/passwd"), "02-etc-passwd.mp4");
        assert_eq!(name(10, "…"), "11.mp4");
    }
}
