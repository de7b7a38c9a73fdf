//! The few calls to the operating system that `std` does not have for every platform.
//!
//! Linux is the one that is measured. Elsewhere each function has a plainer way to the same result.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut};
use std::path::Path;

mod datagrams;
mod file_stamp;

pub(crate) use datagrams::{Arrivals, Departures};
pub(crate) use file_stamp::{FileStamp, STEP};

/// Fills `buffers` one after the other from `offset` on, once: the number of bytes may be smaller than asked for, and is 0
/// at the end of the file.
pub(crate) fn read_at(
    file: &File,
    buffers: &mut [IoSliceMut<'_>],
    offset: u64,
) -> io::Result<usize> {
    #[cfg(unix)]
    {
        Ok(rustix::io::preadv(file, buffers, offset)?)
    }
    #[cfg(windows)]
    {
        match buffers.iter_mut().find(|buffer| !buffer.is_empty()) {
            Some(buffer) => std::os::windows::fs::FileExt::seek_read(file, buffer, offset),
            None => Ok(0),
        }
    }
}

/// The same of what the system has in memory; an error of kind `WouldBlock` if it would have to fetch it, or cannot tell.
pub(crate) fn read_at_hand(
    file: &File,
    buffers: &mut [IoSliceMut<'_>],
    offset: u64,
) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};
        match preadv2(file, buffers, offset, ReadWriteFlags::NOWAIT) {
            Err(Errno::OPNOTSUPP) if is_memory(file) => read_at(file, buffers, offset),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read?),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, buffers, offset);
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Whether a file lives in memory (tmpfs), where reading never waits, although the system does not promise it.
#[cfg(target_os = "linux")]
fn is_memory(file: &File) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|system| u64::try_from(system.f_type) == Ok(TMPFS))
}

/// Lets the system fetch a range of a file from the disk, so that it is in memory when it is read.
pub(crate) fn will_read(file: &File, offset: u64, length: u64) {
    #[cfg(target_os = "linux")]
    {
        // Advice: whoever cannot take it reads later, that is all.
        let length = std::num::NonZeroU64::new(length);
        let _ = rustix::fs::fadvise(file, offset, length, rustix::fs::Advice::WillNeed);
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, offset, length);
    }
}

/// Writes `buffers` one after the other from `offset` on, once: the number of bytes may be smaller than asked for.
pub(crate) fn write_at(file: &File, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    #[cfg(unix)]
    {
        Ok(rustix::io::pwritev(file, buffers, offset)?)
    }
    #[cfg(windows)]
    {
        match buffers.iter().find(|buffer| !buffer.is_empty()) {
            Some(buffer) => std::os::windows::fs::FileExt::seek_write(file, buffer, offset),
            None => Ok(0),
        }
    }
}

/// The first position at or after `offset` that is not in a hole; `None` if only a hole, or nothing, is left.
///
/// Where the file system cannot tell, everything counts as data.
pub(crate) fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    #[cfg(target_os = "linux")]
    {
        match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
            Ok(position) => Ok(Some(position)),
            Err(rustix::io::Errno::NXIO) => Ok(None),
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::OPNOTSUPP) => Ok(Some(offset)),
            Err(error) => Err(error.into()),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        Ok((offset < file.metadata()?.len()).then_some(offset))
    }
}

/// Creates a directory that is nobody else's to look into, and those above it if they are missing; one that is there stays as it is.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => created,
    }
}

/// Opens a file for writing that nobody else may open, and creates it if it is missing.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        // It may be there with other permissions.
        let metadata = file.metadata()?;
        if is_own(&metadata) {
            let mut permissions = metadata.permissions();
            std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
            file.set_permissions(permissions)?;
        }
    }
    Ok(file)
}

/// Sockets and files that this process may have open at once, if the system says.
pub(crate) fn descriptors() -> Option<u64> {
    #[cfg(unix)]
    {
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current
    }
    #[cfg(not(unix))]
    {
        None
    }
}

/// Sockets and files that a process has use for, at most: beyond that some systems pay for each number that could be used.
#[cfg(unix)]
const USEFUL_DESCRIPTORS: u64 = 1 << 16;
/// With fewer even a single torrent has to do with fewer peers than it has use for.
#[cfg(unix)]
const FEW_DESCRIPTORS: u64 = 400;

/// Lets this process have as many sockets and files open as its user may, instead of the few that most systems begin with: a program that serves many torrents
/// calls it before it starts a node. That they are few even so is logged as a warning.
pub fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let most = limit.maximum.unwrap_or(u64::MAX).min(USEFUL_DESCRIPTORS);
        if limit.current.is_some_and(|current| current < most) {
            let raised = Rlimit {
                current: Some(most),
                maximum: limit.maximum,
            };
            // Whoever may not goes on with what there is.
            if let Err(error) = setrlimit(Resource::Nofile, raised) {
                tracing::debug!(%error, "the number of open files stays as it is");
            }
        }
        if let Some(descriptors) = descriptors().filter(|&number| number < FEW_DESCRIPTORS) {
            tracing::warn!(
                "only {descriptors} files and sockets may be open at once, and a part of them are connections to peers; a higher `ulimit -n` allows more"
            );
        }
    }
}

/// Whether a file belongs to the user whose process this is, as far as the system tells.
pub(crate) fn is_own(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::uid(metadata) == rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        true
    }
}

/// What a file is called within its file system, whatever its path; 0 where it has no such number.
pub(crate) fn file_number(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::ino(metadata)
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        0
    }
}

/// When a file was made, nanoseconds since 1970, if its system tells. What takes its place, and gets its number, is younger.
pub(crate) fn born(metadata: &Metadata) -> Option<i64> {
    file_stamp::nanoseconds(metadata.created().ok()?)
}

/// Whether a file that is open has no name any more, as its file system counts them.
pub(crate) fn is_removed(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::nlink(metadata) == 0
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// The name of the time since the machine was started: another one after each start. `None` where the system gives none.
pub(crate) fn boot_id() -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let id = id.trim();
        (!id.is_empty()).then(|| id.to_owned())
    }
    #[cfg(not(target_os = "linux"))]
    {
        None
    }
}

/// Bytes that this user may still write to the file system of `path`, if the system tells.
pub fn available_space(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        rustix::fs::statvfs(path)
            .ok()
            .map(|system| system.f_bavail.saturating_mul(system.f_frsize))
    }
    #[cfg(windows)]
    {
        let _ = path;
        None
    }
}

/// Bytes of disk that a file takes: less than its length where it has holes.
pub(crate) fn allocated(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::blocks(metadata).saturating_mul(512)
    }
    #[cfg(windows)]
    {
        metadata.len()
    }
}
