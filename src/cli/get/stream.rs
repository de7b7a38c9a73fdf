//! `get -o -`: one file to standard output, in order, while it is fetched.

mod place;

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trackless::{Error, GetOptions, Reader, Source, StorageError};
use wire::Order;

use super::super::failure::Failure;
use super::super::interrupt::Interrupt;
use super::super::narrator::{Narrator, Step};
use super::super::standard_output;
use super::super::style::{GOOD, paint};
use super::super::units;
use super::Fetching;
pub(super) use place::Place;

/// Bytes that are written at a time.
const CHUNK: usize = 256 * 1024;

/// Where the content lies in the meantime.
pub(super) fn place() -> Result<Place, Failure> {
    Place::make(&std::env::temp_dir())
}

/// Why not all of it was written.
enum Cut {
    /// Whoever reads has seen enough.
    Closed,
    /// The torrent has ended, and knows why.
    Torrent,
    Read(io::Error),
    Write(io::Error),
}

impl Fetching<'_> {
    /// Writes the only file that is wanted to standard output.
    pub(super) async fn stream(
        &self,
        source: Source,
        options: GetOptions,
        interrupt: &mut Interrupt,
    ) -> Result<(), Failure> {
        let wish = self.wish.clone().or_linked(&source);
        let options = GetOptions {
            selection: trackless::Selection::Later,
            order: Order::Sequential,
            temporary: true,
            ..options
        };
        let mut torrent = interrupt.or(self.node.get(source, options)).await??;
        let mut narrator = Narrator::new(self.output, self.start);
        let mut copying = None;
        loop {
            let step = tokio::select! {
                step = narrator.follow(&mut torrent, interrupt) => step,
                Some(copied) = optional(&mut copying) => {
                    match copied {
                        Ok(bytes) => {
                            let bytes = units::bytes(bytes);
                            self.output.note(paint(GOOD, format_args!("{bytes} written and verified")));
                            self.summary(&narrator, &torrent);
                        }
                        Err(Cut::Closed) => {}
                        Err(Cut::Torrent) => {
                            copying = None;
                            continue;
                        }
                        Err(Cut::Read(error)) => {
                            torrent.stop().await;
                            return Err(unreadable(error));
                        }
                        Err(Cut::Write(source)) => {
                            torrent.stop().await;
                            return Err(Failure::Output(Arc::new(source)));
                        }
                    }
                    torrent.stop().await;
                    return Ok(());
                }
            };
            match step {
                Step::Phase(_) | Step::Announced(_) | Step::Done(_) => {}
                Step::Metadata(info) => {
                    narrator.hush();
                    let Some(wanted) = wish.of(&info, self.output, interrupt).await? else {
                        torrent.stop().await;
                        return Ok(());
                    };
                    let file = wanted.only()?;
                    let length = info.files().get(file).map_or(0, |file| file.length);
                    if let Err(failure) = place::must_have_room(&std::env::temp_dir(), length) {
                        torrent.stop().await;
                        return Err(failure);
                    }
                    match torrent.select(wanted.files.clone()).await {
                        // It has ended, and says why.
                        Err(trackless::Error::ShutDown) => continue,
                        chosen => chosen?,
                    }
                    copying = Some(Box::pin(copy(torrent.reader(file))));
                }
                Step::Signalled(_) => {
                    torrent.stop().await;
                    return Err(Failure::Interrupted(""));
                }
                Step::Ended => {
                    return torrent.finished().await.map(drop).map_err(unfinished);
                }
            }
        }
    }
}

/// Writes what is read until there is no more of it.
async fn copy(reader: impl Future<Output = Result<Reader, Error>>) -> Result<u64, Cut> {
    let mut reader = reader.await.map_err(|_| Cut::Torrent)?;
    let mut output = standard_output::stream();
    let mut buffer = Vec::with_capacity(CHUNK);
    let mut written = 0;
    loop {
        buffer.clear();
        let read = reader.read_buf(&mut buffer).await;
        let count = read.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionAborted => Cut::Torrent,
            _ => Cut::Read(error),
        })?;
        let end = count == 0;
        let sent = if end {
            output.flush().await
        } else {
            output.write_all(&buffer).await
        };
        sent.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Cut::Closed,
            _ => Cut::Write(error),
        })?;
        if end {
            return Ok(written);
        }
        written += count as u64;
    }
}

/// Why a stream did not come to its end. That it would go on where it was, as a download does, is not so.
fn unfinished(error: Error) -> Failure {
    match error {
        Error::Stalled { .. } | Error::Storage(StorageError::NoSpace { .. }) => {
            Failure::Stream(error)
        }
        error => error.into(),
    }
}

/// What was fetched cannot be had from the disk any more.
fn unreadable(error: io::Error) -> Failure {
    match error.downcast::<StorageError>() {
        Ok(error) => Error::from(error).into(),
        Err(source) => Failure::Read {
            path: std::env::temp_dir(),
            source,
        },
    }
}

/// Waits for work that may not have begun: then for ever.
async fn optional<T>(work: &mut Option<impl Future<Output = T> + Unpin>) -> Option<T> {
    match work {
        Some(work) => Some(work.await),
        None => std::future::pending().await,
    }
}
