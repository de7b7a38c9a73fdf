use std::{borrow::Cow, cmp::Ordering};

use sha1::{Digest, Sha1};

use super::MetainfoError;

/// The most bytes of a path component; longer ones are shortened. What ext4, APFS, NTFS and their like take.
pub const MAX_NAME_LENGTH: usize = 255;

/// One file of a torrent. BEP 3, "info dictionary".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Bytes of the file.
    pub length: u64,
    /// Bytes of the torrent that lie before it.
    pub offset: u64,
    /// Whether the file only fills up a piece: all zeros, and not to be written anywhere. BEP 47, "Padding files".
    pub padding: bool,
    path: Box<str>,
}

impl File {
    pub(super) fn new(path: String, length: u64, offset: u64, padding: bool) -> Self {
        Self {
            length,
            offset,
            padding,
            path: path.into(),
        }
    }

    /// The path below the torrent's name, `/` between its components; empty if the torrent is a single file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The directories from the torrent's name down and the file's own name; none if the torrent is a single file.
    ///
    /// Each is 1 to [`MAX_NAME_LENGTH`] bytes, neither `.` nor `..`, and free of `/`, `\` and control characters.
    /// No file stands twice, or where another one needs a directory. (Padding, which is never written, may.)
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.path
            .split('/')
            .filter(|component| !component.is_empty())
    }
}

/// Turns a name of the torrent into one that is safe to create.
///
/// A name that is not UTF-8 or too long is altered and marked with its hash, so that it stays the only one of its kind.
pub(super) fn safe_name(raw: &[u8]) -> Result<Cow<'_, str>, MetainfoError> {
    let name = match str::from_utf8(raw) {
        Ok(name) => Cow::Borrowed(name),
        // In Shift JIS and its like a backslash may be the second half of a character.
        Err(_) => Cow::Owned(String::from_utf8_lossy(raw).replace('\\', "\u{fffd}")),
    };
    let problem = if name.is_empty() {
        "is empty"
    } else if name == "." || name == ".." {
        "would lead out of its directory"
    } else if name.contains(['/', '\\']) {
        "contains a path separator"
    } else if name.contains('\0') {
        "contains a NUL character"
    } else if name.contains(char::is_control) {
        "contains a control character"
    } else if matches!(name, Cow::Owned(_)) || name.len() > MAX_NAME_LENGTH {
        return Ok(Cow::Owned(marked(&name, raw)));
    } else {
        return Ok(name);
    };
    Err(MetainfoError::Name {
        name: for_display(raw),
        problem,
    })
}

/// `stem~01234567.extension`, the number being the start of the SHA-1 of the original name.
fn marked(name: &str, raw: &[u8]) -> String {
    const MAX_EXTENSION: usize = 16;
    let (stem, extension) = name
        .rfind('.')
        .filter(|&dot| dot > 0 && name.len() - dot <= MAX_EXTENSION)
        .map_or((name, ""), |dot| name.split_at(dot));
    let mark = format!("~{}", hex::encode(&Sha1::digest(raw)[..4]));
    let room = MAX_NAME_LENGTH - mark.len() - extension.len();
    let end = (0..=room.min(stem.len()))
        .rev()
        .find(|&end| stem.is_char_boundary(end))
        .unwrap_or(0);
    format!("{}{mark}{extension}", &stem[..end])
}

/// As much of a name as an error message should show.
pub(super) fn for_display(raw: &[u8]) -> String {
    const MAX_SHOWN: usize = 80;
    let whole = String::from_utf8_lossy(&raw[..raw.len().min(4 * MAX_SHOWN)]);
    match whole.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole.into_owned(),
    }
}

/// Orders paths component by component, so that a directory's files follow each other.
pub(super) fn compare_paths(a: &str, b: &str) -> Ordering {
    // No component contains a NUL: put it where a component ends.
    let key = |byte| if byte == b'/' { 0 } else { byte };
    a.bytes().map(key).cmp(b.bytes().map(key))
}

/// Refuses files that could not all exist in one directory.
pub(super) fn check_distinct(files: &[File]) -> Result<(), MetainfoError> {
    let mut paths: Vec<&str> = files
        .iter()
        .filter(|file| !file.padding)
        .map(File::path)
        .collect();
    paths.sort_unstable_by(|a, b| compare_paths(a, b));
    for pair in paths.windows(2) {
        let [first, second] = pair else { continue };
        match second.strip_prefix(first) {
            Some("") => return Err(MetainfoError::DuplicateFile(for_display(first.as_bytes()))),
            Some(rest) if rest.starts_with('/') => {
                return Err(MetainfoError::FileIsDirectory(for_display(
                    first.as_bytes(),
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_that_is_too_long_keeps_its_extension_and_stays_distinct() {
        let one = format!("{}one.tar.gz", "é".repeat(200));
        let two = format!("{}two.tar.gz", "é".repeat(200));
        let one = safe_name(one.as_bytes()).unwrap();
        let two = safe_name(two.as_bytes()).unwrap();
        for name in [&one, &two] {
            assert!((250..=255).contains(&name.len()), "{}", name.len());
            assert!(name.starts_with("éé") && name.ends_with(".gz"));
        }
        assert_ne!(one, two);
    }

    #[test]
    fn the_shortened_name_never_changes() {
        let name = format!("{}.txt", "a".repeat(300));
        // The mark is the start of `sha1sum` of the original name.
        assert_eq!(
            safe_name(name.as_bytes()).unwrap(),
            format!("{}~6a21aa5f.txt", "a".repeat(242))
        );
        assert_eq!(safe_name(&[b'a'; 255]).unwrap().len(), 255);
    }

    #[test]
    fn names_that_are_not_utf_8_are_readable_and_distinct() {
        let latin = safe_name(b"caf\xe9.txt").unwrap();
        let other = safe_name(b"caf\xe8.txt").unwrap();
        assert!(latin.starts_with("caf\u{fffd}~") && latin.ends_with(".txt"));
        assert_ne!(latin, other);
        // Shift JIS for a katakana SO, whose second byte is a backslash.
        assert!(safe_name(b"\x83\x5c.txt").is_ok());
    }

    proptest! {
        #[test]
        fn what_passes_is_safe(raw in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(name) = safe_name(&raw) {
                prop_assert!((1..=MAX_NAME_LENGTH).contains(&name.len()));
                prop_assert!(name != "." && name != ".." && !name.contains(['/', '\\', '\0']));
                prop_assert!(!name.contains(char::is_control));
            }
        }

        #[test]
        fn the_order_is_that_of_the_components(a in "[a/ .-]{1,8}", b in "[a/ .-]{1,8}") {
            prop_assert_eq!(compare_paths(&a, &b), a.split('/').cmp(b.split('/')));
        }
    }
}
