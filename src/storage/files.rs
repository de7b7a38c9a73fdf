mod old;
mod part_file;
mod stamps;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrayvec::ArrayVec;
use wire::FileSet;

use super::begun::Identity;
use super::layout::{FileEntry, Layout, Segment};
use super::open_files::{Handle, OpenFiles, Shelf};
use super::{StorageError, confinement};
use crate::platform;
pub(crate) use old::Kept;
use part_file::PartFile;

/// Files that are opened before it is their turn. Small ones are read at once anyway.
const AHEAD_FILES: usize = 16;

/// Buffers of one vectored read or write. Linux takes up to 1,024.
const VECTOR: usize = 64;

/// The files of a layout below one directory, read and written as one range of bytes.
///
/// Padding is never on the disk: it reads as zeros, and writes to it are dropped. BEP 47.
pub(crate) struct Files {
    directory: PathBuf,
    layout: Layout,
    /// Where the bytes of files are that are left out. Content that is only hashed has none.
    parts: Option<PartFile>,
    /// Those that were written to since they were looked at.
    written: Box<[AtomicBool]>,
    open: Shelf,
    /// What the system numbers the files that were opened to be written, so that one that takes the place of another is noticed.
    numbers: Mutex<HashMap<usize, u64>>,
}

impl Files {
    /// Opens nothing yet. How many files are open at once is its own affair, unless it [shares](Self::sharing) that.
    pub(crate) fn new(directory: PathBuf, layout: Layout) -> Self {
        Self {
            directory,
            written: layout
                .files()
                .iter()
                .map(|_| AtomicBool::default())
                .collect(),
            layout,
            parts: None,
            open: OpenFiles::default().shelf(),
            numbers: Mutex::default(),
        }
    }

    /// Has files open among those of others.
    pub(crate) fn sharing(mut self, open_files: &OpenFiles) -> Self {
        self.open = open_files.shelf();
        self
    }

    /// Files may be left out: what is needed of them goes to this path below the directory.
    pub(crate) fn with_part_file(mut self, path: PathBuf) -> Self {
        self.parts = Some(PartFile::new(path, self.count(), self.layout.length()));
        self
    }

    /// All files but padding, with their indices.
    fn all(&self) -> impl Iterator<Item = (usize, &FileEntry)> {
        let files = self.layout.files().iter().enumerate();
        files.filter(|(_, file)| !file.padding)
    }

    /// What the part file is called among the files.
    fn part_index(&self) -> usize {
        self.count()
    }

    /// All files that are on the disk, with their indices: not padding, and not what is left out.
    pub(crate) fn on_disk(&self) -> impl Iterator<Item = (usize, &FileEntry)> {
        self.all().filter(|&(index, _)| !self.is_left_out(index))
    }

    /// Files in all, padding and those left out included.
    pub(crate) fn count(&self) -> usize {
        self.layout.files().len()
    }

    /// The indices of the files that a range lies in; the part file's is their [number](Self::count).
    pub(crate) fn touched(&self, offset: u64, length: u64) -> impl Iterator<Item = usize> {
        let segments = self.segments(offset, length).into_iter().flatten();
        segments.map(|(segment, _)| segment.file)
    }

    /// Where this file is, or goes.
    pub(crate) fn path(&self, file: &FileEntry) -> PathBuf {
        self.directory.join(&file.path)
    }

    /// Fills the buffers, one after the other, with the bytes from `offset` on.
    pub(crate) fn read(
        &self,
        offset: u64,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Result<(), StorageError> {
        let open = |index, entry: &_| self.reader(index, entry);
        self.fill(offset, buffers, open, platform::read_at)
    }

    /// The same, if no disk has to be waited for; `false` if one has, and the buffers are to be filled by
    /// [`Files::read`].
    pub(crate) fn read_at_hand(
        &self,
        offset: u64,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Result<bool, StorageError> {
        let open = |index, entry: &_| {
            let handle = self.open.get(index);
            handle.map(|handle| handle.file).ok_or_else(|| {
                let error = io::ErrorKind::WouldBlock.into();
                StorageError::from_io("open", &self.path(entry), error)
            })
        };
        match self.fill(offset, buffers, open, platform::read_at_hand) {
            Err(StorageError::Io { source, .. }) if source.kind() == io::ErrorKind::WouldBlock => {
                Ok(false)
            }
            filled => filled.map(|()| true),
        }
    }

    fn fill(
        &self,
        offset: u64,
        mut buffers: &mut [IoSliceMut<'_>],
        open: impl Fn(usize, &FileEntry) -> Result<Arc<File>, StorageError>,
        read: impl Fn(&File, &mut [IoSliceMut<'_>], u64) -> io::Result<usize>,
    ) -> Result<(), StorageError> {
        let length = buffers.iter().map(|buffer| buffer.len() as u64).sum();
        for (segment, entry) in self.segments(offset, length)? {
            let end = segment.offset + segment.length;
            let mut position = segment.offset;
            while position < end {
                let mut batch = front(buffers, (end - position) as usize);
                let count = if entry.padding {
                    batch
                        .iter_mut()
                        .map(|part| {
                            part.fill(0);
                            part.len()
                        })
                        .sum()
                } else {
                    let file = open(segment.file, entry)?;
                    match read(&file, &mut batch, position) {
                        Ok(0) => return Err(self.too_short(entry)),
                        Ok(count) => count,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                        Err(error) => {
                            return Err(StorageError::from_io("read", &self.path(entry), error));
                        }
                    }
                };
                drop(batch);
                IoSliceMut::advance_slices(&mut buffers, count);
                position += count as u64;
            }
        }
        Ok(())
    }

    /// Writes the buffers one after the other from `offset` on, with one call for each file (and [`VECTOR`] buffers).
    /// Files are created where they are missing.
    pub(crate) fn write(&self, offset: u64, buffers: &[IoSlice<'_>]) -> Result<(), StorageError> {
        let _in_place = self.parts.as_ref().map(PartFile::writing);
        let length = buffers.iter().map(|buffer| buffer.len() as u64).sum();
        let mut source = buffers.iter().map(|buffer| &**buffer);
        let mut current: &[u8] = &[];
        for (segment, entry) in self.segments(offset, length)? {
            let mut position = segment.offset;
            let mut left = segment.length as usize;
            while left > 0 {
                let mut batch = ArrayVec::<_, VECTOR>::new();
                let mut batched = 0;
                while left > 0 && !batch.is_full() {
                    while current.is_empty() {
                        current = source.next().unwrap_or_default();
                    }
                    let (part, behind) = current.split_at(left.min(current.len()));
                    current = behind;
                    left -= part.len();
                    batched += part.len();
                    batch.push(IoSlice::new(part));
                }
                if !entry.padding {
                    let file = self.writer(segment.file, entry)?;
                    self.write_all(&file, entry, &mut batch, position)?;
                    // Not before: who looks at the file in between looks once more.
                    self.note_written(segment.file);
                }
                position += batched as u64;
            }
        }
        Ok(())
    }

    /// Lets the system fetch a range from the disk in the meantime, of the first few files in it. It is no error if it
    /// does not.
    pub(crate) fn will_read(&self, offset: u64, length: u64) {
        let segments = self.segments(offset, length).into_iter().flatten();
        let on_disk = segments.filter(|(_, entry)| !entry.padding);
        for (segment, entry) in on_disk.take(AHEAD_FILES) {
            if let Ok(file) = self.reader(segment.file, entry) {
                platform::will_read(&file, segment.offset, segment.length);
            }
        }
    }

    /// Whether all files of the range are there and long enough, and none of its bytes was ever written.
    pub(crate) fn is_hole(&self, offset: u64, length: u64) -> Result<bool, StorageError> {
        for (segment, entry) in self.segments(offset, length)? {
            if entry.padding {
                continue;
            }
            let file = self.reader(segment.file, entry)?;
            let failed = |error| StorageError::from_io("read", &self.path(entry), error);
            let end = segment.offset + segment.length;
            match platform::next_data(&file, segment.offset).map_err(failed)? {
                Some(data) if data < end => return Ok(false),
                None if file.metadata().map_err(failed)?.len() < end => {
                    return Err(self.too_short(entry));
                }
                Some(_) | None => {}
            }
        }
        Ok(true)
    }

    /// Keeps other processes from writing this torrent, until the last handle is gone.
    fn lock(&self, index: usize, entry: &FileEntry) -> Result<(), StorageError> {
        if self.open.is_locked(index) {
            return Ok(());
        }
        self.lock_anew(index, entry)
    }

    /// The same, for what stands at the path now. If that cannot be locked, what was locked stays so.
    fn lock_anew(&self, index: usize, entry: &FileEntry) -> Result<(), StorageError> {
        // What is not wanted need not be ours to write.
        let (file, writable) = match self.open_to_write(index, entry) {
            Ok(file) => (file, true),
            Err(error) => (self.open_to_read(entry).map_err(|_| error)?, false),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let path = self.path(entry);
                return Err(StorageError::AlreadyInUse { path });
            }
            // Some network file systems have no locks; that is no reason to refuse them.
            Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(fs::TryLockError::Error(error)) => {
                return Err(StorageError::from_io("lock", &self.path(entry), error));
            }
        }
        let file = Arc::new(file);
        self.open.keep_locked(index, Handle { file, writable });
        Ok(())
    }

    /// A file has been changed by us.
    pub(crate) fn note_written(&self, index: usize) {
        if let Some(written) = self.written.get(index) {
            written.store(true, Ordering::Release);
        }
    }

    /// Whether a file has been changed by us since this was last asked.
    pub(crate) fn take_written(&self, index: usize) -> bool {
        let written = self.written.get(index);
        written.is_some_and(|written| written.swap(false, Ordering::AcqRel))
    }

    /// The directory without links, in the system's own bytes, if it is there.
    pub(crate) fn real_directory(&self) -> Option<Vec<u8>> {
        let real = self.directory.canonicalize().ok()?;
        Some(real.into_os_string().into_encoded_bytes())
    }

    /// A file that is not padding.
    fn stored(&self, index: usize) -> Option<&FileEntry> {
        let entry = self.layout.files().get(index);
        entry.filter(|entry| !entry.padding)
    }

    /// Whether a file has been changed by us since it was last looked at.
    pub(crate) fn is_written(&self, index: usize) -> bool {
        let written = self.written.get(index);
        written.is_some_and(|written| written.load(Ordering::Acquire))
    }

    /// Whether there is anything in the file.
    pub(crate) fn has_content(&self, entry: &FileEntry) -> bool {
        fs::metadata(self.path(entry)).is_ok_and(|found| found.len() > 0)
    }

    /// Where a file is, or goes.
    pub(crate) fn path_of(&self, index: usize) -> PathBuf {
        let entry = self.layout.files().get(index);
        entry.map_or_else(|| self.directory.clone(), |entry| self.path(entry))
    }

    /// Has the system put the file onto the disk, and says whether it did.
    pub(crate) fn sync(&self, index: usize, entry: &FileEntry) -> bool {
        self.reader(index, entry)
            .is_ok_and(|file| file.sync_all().is_ok())
    }

    /// Cuts off what does not belong to the torrent behind its bytes.
    pub(crate) fn cut(&self, index: usize, entry: &FileEntry) -> Result<(), StorageError> {
        if self.look_at(&*self.reader(index, entry)?, entry)?.len() > entry.length {
            let file = self.writer(index, entry)?;
            file.set_len(entry.length)
                .map_err(|error| StorageError::from_io("shorten", &self.path(entry), error))?;
            self.note_written(index);
        }
        Ok(())
    }

    /// Closes one file, its lock included.
    fn close_one(&self, index: usize) {
        self.open.close(index);
        self.numbers().remove(&index);
    }

    fn segments(
        &self,
        offset: u64,
        length: u64,
    ) -> Result<impl Iterator<Item = (Segment, &FileEntry)>, StorageError> {
        let end = offset.saturating_add(length);
        if end > self.layout.length() {
            let length = self.layout.length();
            return Err(StorageError::OutOfRange { end, length });
        }
        let parts = self.parts.as_ref();
        let parts = parts.map(|parts| (parts, parts.left_out(), self.part_index()));
        Ok(self
            .layout
            .segments(offset, length)
            .filter_map(move |segment| {
                let entry = self.layout.files().get(segment.file)?;
                match &parts {
                    Some((parts, left_out, index)) if left_out.get(segment.file as u32) => {
                        let in_parts = Segment {
                            file: *index,
                            offset: parts.start + entry.offset + segment.offset,
                            ..segment
                        };
                        Some((in_parts, &parts.entry))
                    }
                    _ => Some((segment, entry)),
                }
            }))
    }

    fn reader(&self, index: usize, entry: &FileEntry) -> Result<Arc<File>, StorageError> {
        if let Some(handle) = self.open.get(index) {
            return Ok(handle.file);
        }
        Ok(self.keep(index, self.open_to_read(entry)?, false))
    }

    fn open_to_read(&self, entry: &FileEntry) -> Result<File, StorageError> {
        self.find(entry)?;
        let path = self.path(entry);
        File::open(&path).map_err(|error| StorageError::from_io("open", &path, error))
    }

    /// A file open for writing; it and its directories are created where they are missing.
    pub(crate) fn writer(
        &self,
        index: usize,
        entry: &FileEntry,
    ) -> Result<Arc<File>, StorageError> {
        if let Some(handle) = self.open.get(index).filter(|handle| handle.writable) {
            return Ok(handle.file);
        }
        Ok(self.keep(index, self.open_to_write(index, entry)?, true))
    }

    fn open_to_write(&self, index: usize, entry: &FileEntry) -> Result<File, StorageError> {
        let path = self.path(entry);
        let found = confinement::find(&self.directory, &entry.path)?;
        match &found {
            Some(metadata) if !metadata.is_file() => return Err(StorageError::NotAFile { path }),
            Some(_) => {}
            // What was written to it is gone, and a new one would hide that.
            None if self.numbers().contains_key(&index) => {
                return Err(StorageError::Missing { path });
            }
            None => create_directory(path.parent().unwrap_or(&self.directory))?,
        }
        let action = if found.is_some() {
            "write to"
        } else {
            "create"
        };
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| StorageError::from_io(action, &path, error))?;
        let number = platform::file_number(&self.look_at(&file, entry)?);
        self.numbers().entry(index).or_insert(number);
        Ok(file)
    }

    fn keep(&self, index: usize, file: File, writable: bool) -> Arc<File> {
        let file = Arc::new(file);
        let handle = Handle {
            file: Arc::clone(&file),
            writable,
        };
        self.open.put(index, handle);
        file
    }

    fn numbers(&self) -> MutexGuard<'_, HashMap<usize, u64>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(
        &self,
        file: &File,
        entry: &FileEntry,
        mut buffers: &mut [IoSlice<'_>],
        mut offset: u64,
    ) -> Result<(), StorageError> {
        while !buffers.is_empty() {
            let error = match platform::write_at(file, buffers, offset) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    IoSlice::advance_slices(&mut buffers, count);
                    offset += count as u64;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            return Err(StorageError::from_io("write to", &self.path(entry), error));
        }
        Ok(())
    }

    fn too_short(&self, entry: &FileEntry) -> StorageError {
        StorageError::TooShort {
            path: self.path(entry),
            length: entry.length,
        }
    }

    /// Bytes that these files still take on the disk, holes included.
    pub(crate) fn unwritten(&self, wanted: &FileSet) -> u64 {
        let wanted = self.all().filter(|(index, _)| wanted.contains(*index));
        wanted
            .map(|(index, entry)| {
                let written = match fs::metadata(self.path(entry)) {
                    Ok(found) if !self.is_left_out(index) => platform::allocated(&found),
                    _ => 0,
                };
                entry.length.saturating_sub(written)
            })
            .sum()
    }

    /// Bytes that may still be written there, if the system tells.
    pub(crate) fn available_space(&self) -> Option<u64> {
        platform::available_space(&self.directory)
    }
}

/// The first so many bytes of the buffers, or as many as one call can take.
fn front<'a>(
    buffers: &'a mut [IoSliceMut<'_>],
    mut length: usize,
) -> ArrayVec<IoSliceMut<'a>, VECTOR> {
    let mut front = ArrayVec::new();
    for buffer in buffers.iter_mut().take(VECTOR) {
        let taken = length.min(buffer.len());
        length -= taken;
        let (part, _) = buffer.split_at_mut(taken);
        front.push(IoSliceMut::new(part));
    }
    front
}

#[cfg(test)]
impl Files {
    /// As long as this lives, the disk does not answer.
    pub(crate) fn hold(&self) -> impl Drop + '_ {
        self.open.hold()
    }
}

fn create_directory(path: &Path) -> Result<(), StorageError> {
    fs::create_dir_all(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StorageError::NotADirectory {
            path: path.to_owned(),
        },
        // What is missing is not the directory: the system refuses to make it.
        io::ErrorKind::NotFound => StorageError::Io {
            action: "create",
            path: path.to_owned(),
            source: error,
        },
        _ => StorageError::from_io("create", path, error),
    })
}
