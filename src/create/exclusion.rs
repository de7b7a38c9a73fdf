use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

use super::CreateError;

/// Patterns of what does not belong into a torrent.
pub(super) struct Exclusion(Vec<Pattern>);

struct Pattern {
    matcher: GlobMatcher,
    /// It has a `/` in it, and is compared with the path from the top directory instead of the name.
    is_path: bool,
    /// It ends with a `/`.
    directories_only: bool,
}

impl Exclusion {
    pub(super) fn new(patterns: &[String]) -> Result<Self, CreateError> {
        let patterns = patterns.iter().map(|pattern| Pattern::new(pattern));
        Ok(Self(patterns.collect::<Result<_, _>>()?))
    }

    /// Whether a pattern is that of a file or directory at this path below the top directory.
    pub(super) fn applies_to(&self, path: &Path, is_directory: bool) -> bool {
        let name = path.file_name().map_or(path, Path::new);
        self.0.iter().any(|pattern| {
            let compared = if pattern.is_path { path } else { name };
            (is_directory || !pattern.directories_only) && pattern.matcher.is_match(compared)
        })
    }
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, CreateError> {
        let stem = pattern.strip_suffix('/').unwrap_or(pattern);
        let glob = GlobBuilder::new(stem.strip_prefix('/').unwrap_or(stem))
            .literal_separator(true)
            .build()
            .map_err(|error| CreateError::Pattern {
                pattern: pattern.to_owned(),
                problem: error.kind().to_string(),
            })?;
        Ok(Self {
            matcher: glob.compile_matcher(),
            is_path: stem.contains('/'),
            directories_only: stem != pattern,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(pattern: &str, path: &str) -> bool {
        let exclusion = Exclusion::new(&[pattern.to_owned()]).unwrap();
        exclusion.applies_to(Path::new(path.trim_end_matches('/')), path.ends_with('/'))
    }

    #[test]
    fn a_pattern_without_a_slash_is_that_of_a_name_anywhere() {
        assert!(excludes("*.tmp", "a.tmp") && excludes("*.tmp", "deep/down/a.tmp"));
        assert!(excludes("Thumbs.db", "a/Thumbs.db") && !excludes("Thumbs.db", "a/thumbs.db"));
        assert!(excludes("{a,b}?", "x/b1") && !excludes("{a,b}?", "x/c1"));
        assert!(!excludes("*.tmp", "a.tmp/file"));
    }

    #[test]
    fn a_pattern_with_a_slash_is_that_of_a_path_from_the_top() {
        assert!(excludes("raw/*.cr2", "raw/1.cr2"));
        assert!(!excludes("raw/*.cr2", "old/raw/1.cr2") && !excludes("raw/*.cr2", "raw/a/1.cr2"));
        assert!(excludes("**/raw/**", "old/raw/a/1.cr2"));
        assert!(excludes("/notes.txt", "notes.txt") && !excludes("/notes.txt", "a/notes.txt"));
    }

    #[test]
    fn a_slash_at_the_end_means_directories_only() {
        assert!(excludes("cache/", "a/cache/") && !excludes("cache/", "a/cache"));
    }

    #[test]
    fn a_pattern_that_makes_no_sense_is_named() {
        let Err(error) = Exclusion::new(&["a[".to_owned()]) else {
            panic!("it made sense");
        };
        assert!(error.to_string().contains("\"a[\""), "{error}");
    }
}
