//! A file of a torrent that is read while it is fetched.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use wire::Bitfield;

use crate::Error;
use crate::session::{Access, Attention};
use crate::storage::Storage;

/// Bytes that are read from the disk at a time.
const CHUNK: u64 = 256 * 1024;
/// Bytes ahead of the place of reading that are fetched before anything else.
const WINDOW: u64 = 8 << 20;
/// The same in pieces, at least and at most.
const WINDOW_PIECES: (u64, u64) = (2, 32);

/// A file of a torrent, read while it is fetched: what is read is verified, and what is not there yet is waited for and fetched before anything else.
/// Made by [`Torrent::reader`](crate::Torrent::reader); any number can be at work at different places.
///
/// Reading ends with an error of the kind [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) if the torrent ends before the bytes are there, and with a
/// [`StorageError`](crate::StorageError) inside if the file cannot be read, or was changed by others and is not right any more.
///
/// ```
/// use std::io::SeekFrom;
/// use tokio::io::{AsyncReadExt, AsyncSeekExt};
/// use trackless::{CreateOptions, GetOptions, Node, create};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// # let here = tempfile::tempdir()?;
/// # let there = tempfile::tempdir()?;
/// # let (here, there) = (here.path(), there.path());
/// # std::fs::write(here.join("letter.txt"), "Nobody in the middle.")?;
/// # let torrent = create(&here.join("letter.txt"), &CreateOptions::default(), &|_, _| {})?;
/// # let loopback = "127.0.0.1:0".parse()?;
/// # let alice = Node::builder().listen(loopback).start().await?;
/// # let _seed = alice.seed(&torrent, here).await?;
/// # let bob = Node::builder().listen(loopback).bootstrap(alice.local_address().to_string()).start().await?;
/// # let options = GetOptions { directory: there.to_owned(), ..GetOptions::default() };
/// # let info_hash = torrent.info.hash();
/// let download = bob.get(info_hash, options).await?;
/// let mut file = download.reader(0).await?;
/// file.seek(SeekFrom::End(-7)).await?;
/// let mut end = String::new();
/// file.read_to_string(&mut end).await?;
/// assert_eq!(end, "middle.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    storage: Arc<Storage>,
    have: watch::Receiver<Bitfield>,
    attention: Attention,
    /// Bytes of the torrent before the file.
    offset: u64,
    length: u64,
    position: u64,
    state: State,
}

type Fetching = Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + Send + Sync>>;

enum State {
    Idle,
    /// Waits for the piece at the place of reading, and for the disk.
    Fetching(Fetching),
    /// Bytes that were read, and how many of them have been taken.
    Ready(Vec<u8>, usize),
}

impl Reader {
    /// `file` is one of the torrent.
    pub(crate) fn new(access: Access, file: usize) -> Result<Self, Error> {
        let Access {
            storage,
            have,
            attention,
        } = access;
        let Some((offset, length)) = storage
            .info()
            .files()
            .get(file)
            .map(|file| (file.offset, file.length))
        else {
            return Err(Error::ShutDown);
        };
        let reader = Self {
            storage,
            have,
            attention,
            offset,
            length,
            position: 0,
            state: State::Idle,
        };
        reader.look_ahead();
        Ok(reader)
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// The file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Has the pieces from the place of reading on fetched first.
    fn look_ahead(&self) {
        let piece_length = u64::from(self.storage.info().geometry().full_piece_length());
        let first = (self.offset + self.position) / piece_length;
        let (least, most) = WINDOW_PIECES;
        let ahead = first + (WINDOW / piece_length).clamp(least, most);
        let end = (self.offset + self.length).div_ceil(piece_length);
        let end = if self.position < self.length {
            ahead.min(end)
        } else {
            first
        };
        self.attention.turn_to(first as u32..end as u32);
    }

    fn fetch(&self) -> Fetching {
        let left = self.length - self.position;
        Box::pin(fetch(
            Arc::clone(&self.storage),
            self.have.clone(),
            self.offset + self.position,
            left.min(CHUNK),
        ))
    }

    fn move_to(&mut self, position: u64) {
        self.position = position;
        self.look_ahead();
    }
}

/// The torrent's bytes from `offset` on, up to `limit`: as many as there are without a gap, once there are any.
async fn fetch(
    storage: Arc<Storage>,
    mut have: watch::Receiver<Bitfield>,
    offset: u64,
    limit: u64,
) -> io::Result<Vec<u8>> {
    let piece_length = u64::from(storage.info().geometry().full_piece_length());
    let first = offset / piece_length;
    let is_there = |have: &Bitfield| have.get(first as u32);
    let end = {
        let have = have.wait_for(is_there).await.map_err(|_| {
            io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the torrent has ended before this part of the file was there",
            )
        })?;
        let last = (offset + limit).div_ceil(piece_length);
        let gap = (first..last).find(|&piece| !have.get(piece as u32));
        gap.unwrap_or(last) * piece_length
    };
    let length = limit.min(end.saturating_sub(offset));
    let read = move || {
        let mut bytes = vec![0; length as usize];
        let read = storage.read_verified(offset, &mut [IoSliceMut::new(&mut bytes)]);
        read.map(|()| bytes)
    };
    let read = spawn_blocking(read).await.map_err(io::Error::other)?;
    read.map_err(io::Error::other)
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.position >= self.length || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            match &mut self.state {
                State::Idle => self.state = State::Fetching(self.fetch()),
                State::Fetching(fetching) => {
                    let bytes = ready!(fetching.as_mut().poll(context));
                    self.state = State::Idle;
                    self.state = State::Ready(bytes?, 0);
                }
                State::Ready(bytes, taken) => {
                    let rest = bytes.get(*taken..).unwrap_or_default();
                    let (part, _) = rest.split_at(rest.len().min(buffer.remaining()));
                    let count = part.len();
                    buffer.put_slice(part);
                    *taken += count;
                    if *taken >= bytes.len() {
                        self.state = State::Idle;
                    }
                    let position = self.position + count as u64;
                    self.move_to(position);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncSeek for Reader {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        let position = position.ok_or(io::ErrorKind::InvalidInput)?;
        if position != self.position {
            self.state = State::Idle;
            self.move_to(position);
        }
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} of {} bytes)", self.position, self.length)
    }
}
