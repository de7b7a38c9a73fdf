use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Some files of a torrent, by where they stand in [`Info::files`](crate::Info::files), counted from 0. Takes memory for what was said, not for what it
/// means: a torrent may have fewer files than the set has numbers.
///
/// ```
/// let files: wire::FileSet = "0,2,4-6".parse()?;
/// assert!(files.contains(5) && !files.contains(3));
/// assert_eq!(files.to_string(), "0,2,4-6");
/// # Ok::<(), wire::FileSetError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSet {
    /// First and last numbers, in order, with a gap between any two.
    ranges: Vec<(u32, u32)>,
}

/// A text is not numbers and ranges of them, with commas between.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a number nor a range like 4-6")]
pub struct FileSetError(String);

impl FileSet {
    /// Every file of any torrent.
    pub fn all() -> Self {
        Self {
            ranges: vec![(0, u32::MAX)],
        }
    }

    /// No number is in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether this file is in it.
    pub fn contains(&self, file: usize) -> bool {
        let before = |&(_, last): &(u32, u32)| (last as usize) < file;
        let at = self.ranges.partition_point(before);
        let range = self.ranges.get(at);
        range.is_some_and(|&(first, _)| first as usize <= file)
    }

    /// Adds files; none if the range is empty.
    pub fn insert(&mut self, files: RangeInclusive<u32>) {
        let (mut first, mut last) = files.into_inner();
        if first > last {
            return;
        }
        // Most often they come in order, and there may be a million of them.
        match self.ranges.pop() {
            Some((start, end)) if start <= first && first <= end.saturating_add(1) => {
                self.ranges.push((start, end.max(last)));
                return;
            }
            Some(latest) if latest.1 < first => {
                self.ranges.extend([latest, (first, last)]);
                return;
            }
            latest => self.ranges.extend(latest),
        }
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        for &(start, end) in &self.ranges {
            let touches = start <= last.saturating_add(1) && first <= end.saturating_add(1);
            if touches {
                (first, last) = (first.min(start), last.max(end));
            } else {
                ranges.push((start, end));
            }
        }
        let at = ranges.partition_point(|&(start, _)| start < first);
        ranges.insert(at, (first, last));
        self.ranges = ranges;
    }

    /// Adds all files of another set.
    pub fn extend(&mut self, other: &Self) {
        for &(first, last) in &other.ranges {
            self.insert(first..=last);
        }
    }

    /// Adds what can be read of a text like `0,2,4-6`, and returns the first part that cannot.
    pub(crate) fn insert_from<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let mut unreadable = None;
        for part in text.split(',') {
            match range(part) {
                Some(files) => self.insert(files),
                None => unreadable = unreadable.or(Some(part)),
            }
        }
        unreadable
    }
}

/// `4` or `4-6`.
fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let files = number(first)?..=number(last)?;
    (!files.is_empty()).then_some(files)
}

impl FromIterator<u32> for FileSet {
    fn from_iter<T: IntoIterator<Item = u32>>(files: T) -> Self {
        let mut set = Self::default();
        files.into_iter().for_each(|file| set.insert(file..=file));
        set
    }
}

impl FromStr for FileSet {
    type Err = FileSetError;

    fn from_str(text: &str) -> Result<Self, FileSetError> {
        let mut files = Self::default();
        match files.insert_from(text) {
            None => Ok(files),
            Some(part) => Err(FileSetError(part.to_owned())),
        }
    }
}

impl fmt::Display for FileSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, &(first, last)) in self.ranges.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_touches_becomes_one_range() {
        let mut files = FileSet::default();
        for range in [5..=6, 1..=2, 9..=9, 3..=4] {
            files.insert(range);
        }
        assert_eq!(files.to_string(), "1-6,9");
        files.insert(0..=u32::MAX);
        assert_eq!(files, FileSet::all());
    }

    #[test]
    fn what_is_no_range_is_named() {
        for (text, part) in [("1,x", "x"), ("", ""), ("3-1", "3-1"), ("1--2", "1--2")] {
            assert_eq!(text.parse::<FileSet>(), Err(FileSetError(part.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_in_and_reads_back(
            ranges in prop::collection::vec((0u32..60, 0u32..8), 1..12),
        ) {
            let mut files = FileSet::default();
            let mut model = BTreeSet::new();
            for (first, more) in ranges {
                files.insert(first..=first + more);
                model.extend(first..=first + more);
            }
            for file in 0..80 {
                prop_assert_eq!(files.contains(file as usize), model.contains(&file));
            }
            prop_assert_eq!(files.to_string().parse(), Ok(files));
        }
    }
}
