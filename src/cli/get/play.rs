//! `get --play`: the beginning and the end of a file first, so that a player can open it while the rest comes.

use std::io::SeekFrom;
use std::path::PathBuf;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt};
use trackless::{Error, Reader, Torrent};

/// Bytes that a player wants of the beginning, and of the end, where the index of some formats is.
const HEAD: u64 = 1 << 20;
const TAIL: u64 = 256 << 10;

/// A file whose first and last bytes are fetched before the rest.
pub(super) struct Prefetch {
    path: PathBuf,
    work: Option<Pin<Box<dyn Future<Output = Option<()>>>>>,
}

impl Prefetch {
    pub(super) fn start(torrent: &Torrent, file: usize, path: PathBuf) -> Self {
        let (head, tail) = (torrent.reader(file), torrent.reader(file));
        let work = async move {
            let (head, tail) = tokio::join!(read_head(head), read_tail(tail));
            head.and(tail)
        };
        Self {
            path,
            work: Some(Box::pin(work)),
        }
    }

    /// Where the file is that has not been said to be ready: what is complete is.
    pub(super) fn untold(self) -> Option<PathBuf> {
        self.work.map(|_| self.path)
    }

    /// Waits until a player can begin, and says where the file is. For ever if that has been said, or the torrent has ended.
    pub(super) async fn ready(&mut self) -> PathBuf {
        if let Some(work) = &mut self.work {
            let is_there = work.await;
            self.work = None;
            if is_there.is_some() {
                return self.path.clone();
            }
        }
        std::future::pending().await
    }
}

async fn read_head(reader: impl Future<Output = Result<Reader, Error>>) -> Option<()> {
    let reader = reader.await.ok()?;
    skim(reader.take(HEAD)).await
}

async fn read_tail(reader: impl Future<Output = Result<Reader, Error>>) -> Option<()> {
    let mut reader = reader.await.ok()?;
    let start = reader.len().saturating_sub(TAIL);
    reader.seek(SeekFrom::Start(start)).await.ok()?;
    skim(reader).await
}

/// Reads to the end.
async fn skim(mut reader: impl AsyncRead + Unpin) -> Option<()> {
    let read = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await;
    read.ok().map(drop)
}
