//! `--select`: which files of a torrent the user wants.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use wire::{File, FileSet, Info};

use super::super::failure::Failure;
use super::super::output::printable;
use super::super::show::full_path;
use super::super::units;

/// Directories above a file that are compared with a pattern. A torrent may have paths as deep as they are long.
const MAX_DEPTH: usize = 64;

/// Files, as a person names them: by the numbers of `--list`, from 1 on, and by names.
#[derive(Debug, Clone)]
pub(super) struct Choice(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    /// From the first to the last, or to the end, counted from 1.
    Numbers(u32, Option<u32>),
    Names(Pattern),
}

/// The name of a file or directory, or a path from the torrent's top down, perhaps with `*`, `?`, `[…]` and `{…}`.
#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    matcher: GlobMatcher,
    is_path: bool,
}

impl Choice {
    /// Reads parts like `3`, `1-5`, `7-`, `*.flac` and `notes/`.
    pub(super) fn read<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, Failure> {
        let parts = parts.into_iter().map(str::trim);
        let parts = parts.filter(|part| !part.is_empty()).map(Part::read);
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() {
            return Err(Failure::Usage(
                "no files are named: numbers like 1-5,8, or names".to_owned(),
            ));
        }
        Ok(Self(parts))
    }

    /// The files of this torrent that are meant. Each part has to mean something.
    pub(super) fn of(&self, info: &Info) -> Result<FileSet, Failure> {
        if let Some(beyond) = self.0.iter().find(|part| part.goes_beyond(info)) {
            return Err(beyond.unknown(info));
        }
        let mut files = FileSet::default();
        let mut unmeant: Vec<&Part> = self.0.iter().collect();
        for (number, file) in (1..).zip(info.files()) {
            let means = |part: &&Part| part.means(info, number, file);
            if !file.padding && self.0.iter().any(|part| means(&part)) {
                files.insert(number - 1..=number - 1);
                unmeant.retain(|part| !means(part));
            }
        }
        if let Some(part) = unmeant.first() {
            return Err(part.unknown(info));
        }
        Ok(files)
    }
}

impl Part {
    fn read(text: &str) -> Result<Self, Failure> {
        if let Some((first, last)) = numbers(text) {
            return match last {
                Some(last) if last < first => Err(Failure::Usage(format!(
                    "{text:?} goes backwards: write {last}-{first}"
                ))),
                _ if first == 0 => Err(uncounted(text)),
                _ => Ok(Part::Numbers(first, last)),
            };
        }
        if text.strip_prefix('-').is_some_and(is_number) {
            return Err(uncounted(text));
        }
        let stem = text.trim_end_matches('/');
        let glob = GlobBuilder::new(stem.strip_prefix('/').unwrap_or(stem))
            .literal_separator(true)
            .build()
            .map_err(|error| Failure::Usage(format!("{text:?} is no pattern: {}", error.kind())))?;
        Ok(Part::Names(Pattern {
            text: text.to_owned(),
            matcher: glob.compile_matcher(),
            is_path: stem.contains('/'),
        }))
    }

    fn means(&self, info: &Info, number: u32, file: &File) -> bool {
        match self {
            Part::Numbers(first, last) => {
                *first <= number && last.is_none_or(|last| number <= last)
            }
            Part::Names(pattern) => pattern.means(info, file),
        }
    }

    /// Whether it ends behind the last file, which is no more than a slip if it ends at all.
    fn goes_beyond(&self, info: &Info) -> bool {
        match self {
            Part::Numbers(_, Some(last)) => *last as usize > info.files().len(),
            Part::Numbers(..) | Part::Names(_) => false,
        }
    }

    fn unknown(&self, info: &Info) -> Failure {
        let name = printable(info.name());
        let files = info.files().iter().filter(|file| !file.padding).count();
        Failure::Usage(match self {
            Part::Numbers(first, last) => format!(
                "there is no file {} in {name}, which has {}; --list shows them",
                last.unwrap_or(*first),
                units::count(files, "file")
            ),
            Part::Names(pattern) => format!(
                "nothing in {name} is called {:?}; --list shows its files",
                pattern.text
            ),
        })
    }
}

impl Pattern {
    /// Whether the file, or a directory that it is in, is called so.
    fn means(&self, info: &Info, file: &File) -> bool {
        let single = info.is_single_file().then(|| info.name());
        let components: Vec<&str> = single.into_iter().chain(file.components()).collect();
        if !self.is_path {
            let mut names = components.iter();
            return names.any(|name| self.matcher.is_match(name));
        }
        (1..=components.len().min(MAX_DEPTH)).any(|depth| {
            let (above, _) = components.split_at(depth);
            self.matcher.is_match(Path::new(&above.join("/")))
        }) || self.matcher.is_match(Path::new(&full_path(info, file)))
    }
}

/// `3`, `1-5` or `7-`, which has no end.
fn numbers(text: &str) -> Option<(u32, Option<u32>)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let last = match last {
        "" => None,
        last => Some(last.parse().ok()?),
    };
    Some((first.parse().ok()?, last))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn uncounted(text: &str) -> Failure {
    Failure::Usage(format!(
        "{text:?} means no file: they are counted from 1, as --list shows them; 1-5 are the first five, 7- is all from the seventh on"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::InfoBuilder;

    fn album() -> Info {
        let names = [
            "cover.jpg",
            "disc 1/01.flac",
            "disc 1/02.flac",
            "disc 2/01.flac",
            "notes",
        ];
        let files = names.map(|name| (name.to_owned(), 1000));
        InfoBuilder::multiple_files("album", files.to_vec())
            .piece_length(16_384)
            .build(&[[0; 20]])
            .unwrap()
    }

    fn chosen(text: &str) -> Result<String, String> {
        let choice = Choice::read(text.split(',')).and_then(|choice| choice.of(&album()));
        choice
            .map(|files| files.to_string())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn files_are_meant_by_number_from_1_and_by_name() {
        for (text, files) in [
            ("1", "0"),
            ("1-3,5", "0-2,4"),
            ("4-", "3-4"),
            ("2-5", "1-4"),
            ("notes", "4"),
            ("*.flac", "1-3"),
            ("disc 1", "1-2"),
            ("disc 1/", "1-2"),
            ("disc ?/01.*, 1", "0-1,3"),
            ("album/disc 2/01.flac", "3"),
            ("*.flac,2", "1-3"),
        ] {
            assert_eq!(chosen(text).as_deref(), Ok(files), "{text}");
        }
    }

    #[test]
    fn what_means_nothing_is_said() {
        for (text, words) in [
            ("6", "there is no file 6 in album, which has 5 files"),
            ("0", "counted from 1"),
            ("3-1", "\"3-1\" goes backwards: write 1-3"),
            ("-1", "\"-1\" means no file"),
            ("2-9", "there is no file 9 in album, which has 5 files"),
            ("9-", "there is no file 9 in album"),
            ("1,*.mp3", "nothing in album is called \"*.mp3\""),
            ("flac", "nothing in album"),
            ("a[", "no pattern"),
            (",", "no files are named"),
        ] {
            let sentence = chosen(text).unwrap_err();
            assert!(sentence.contains(words), "{sentence}");
        }
    }
}
