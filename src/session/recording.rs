//! What is known of the content on the disk, kept for the next run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use wire::Bitfield;

use crate::platform;
use crate::state::StateDir;
use crate::storage::{Outcome, Record, Recorded, Storage};

/// How often a record is made while pieces come, or files have not been at rest for long.
const INTERVAL: Duration = Duration::from_secs(10);
/// A record takes at most this part of the time, however many files there are.
const SHARE: u32 = 50;

/// Keeps a record of a torrent's content: now and then while something changes, and at the end. Without a directory of state the files are looked at all the same,
/// so that it is noticed what others do to them.
///
/// Every file is looked at after the pieces of the record were written, so what is written later only costs the file its vouching.
#[derive(Debug)]
pub(super) struct Recording {
    state: Option<Arc<StateDir>>,
    /// Since the disk was checked.
    content: Option<Arc<Storage>>,
    /// What the last record was about.
    last: Last,
    due: Instant,
    saving: Option<oneshot::Receiver<Last>>,
}

#[derive(Debug, Default)]
struct Last {
    record: Option<Record>,
    /// A later one may know more, though no piece comes.
    pending: bool,
    took: Duration,
}

impl Recording {
    pub(super) fn new(state: Option<Arc<StateDir>>) -> Self {
        Recording {
            state,
            content: None,
            last: Last::default(),
            due: Instant::now(),
            saving: None,
        }
    }

    /// The disk has been checked, with the help of this record.
    pub(super) fn begin(&mut self, content: &Arc<Storage>, record: Option<Record>) {
        self.content = Some(Arc::clone(content));
        self.last = Last {
            record,
            pending: true,
            took: Duration::ZERO,
        };
    }

    /// To be called now and then, with the pieces that are there.
    pub(super) fn tick(&mut self, have: Option<&Bitfield>) {
        if let Some(saving) = &mut self.saving {
            let Ok(last) = saving.try_recv() else {
                return;
            };
            self.saved(last);
        }
        if let Some(have) = have
            && Instant::now() >= self.due
        {
            self.save(have, Duration::ZERO);
        }
    }

    /// Makes the last record: nothing is being written any more. `verdicts` has what was still on its way to the disk when the session ended.
    pub(super) async fn close(
        mut self,
        have: Option<Bitfield>,
        mut verdicts: mpsc::UnboundedReceiver<Outcome>,
    ) {
        if let Some(saving) = self.saving.take()
            && let Ok(last) = saving.await
        {
            self.saved(last);
        }
        if let Some(mut have) = have.filter(|_| self.state.is_some()) {
            while let Ok(outcome) = verdicts.try_recv() {
                if let Outcome::Checked { piece, valid: true } = outcome {
                    have.set(piece);
                }
            }
            // Then whoever changes what was written last is noticed.
            self.save(&have, platform::STEP);
        }
        if let Some(saving) = self.saving.take() {
            let _ = saving.await;
        }
    }

    fn saved(&mut self, last: Last) {
        self.saving = None;
        self.due = Instant::now() + INTERVAL.max(last.took * SHARE);
        self.last = last;
    }

    fn save(&mut self, have: &Bitfield, after: Duration) {
        let Some(content) = &self.content else {
            return;
        };
        let last = self.last.record.as_ref();
        let is_news = last.map_or(!have.is_empty(), |last| last.have != *have);
        if !is_news && (have.is_empty() || !self.last.pending) {
            return;
        }
        let (state, content, have) = (self.state.clone(), Arc::clone(content), have.clone());
        let last = self.last.record.take();
        let (report, saving) = oneshot::channel();
        self.saving = Some(saving);
        spawn_blocking(move || {
            std::thread::sleep(after);
            let _ = report.send(save(state.as_deref(), &content, have, last.as_ref()));
        });
    }
}

fn save(
    state: Option<&StateDir>,
    content: &Storage,
    have: Bitfield,
    last: Option<&Record>,
) -> Last {
    let start = Instant::now();
    let Recorded { record, pending } = content.record(have);
    let is_news = !record.files.is_empty() && last != Some(&record);
    if let Some(state) = state.filter(|_| is_news)
        && let Err(error) = state.save_record(content.info().hash(), &record)
    {
        tracing::warn!(%error, "cannot keep which pieces are there: the next run will look for itself");
    }
    Last {
        record: Some(record),
        pending,
        took: start.elapsed(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sha1::{Digest, Sha1};
    use tempfile::TempDir;
    use wire::InfoBuilder;

    use super::*;

    const PIECE: u32 = 16_384;
    const PIECES: u32 = 3;

    /// A recording of content that is there.
    struct Kept {
        directory: TempDir,
        content: Arc<Storage>,
        recording: Recording,
    }

    impl Kept {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let state = Arc::new(StateDir::open(&directory.path().join("state")).unwrap());
            let piece = vec![7; PIECE as usize];
            fs::write(directory.path().join("film"), piece.repeat(PIECES as usize)).unwrap();
            let hashes = vec![Sha1::digest(&piece).into(); PIECES as usize];
            let film = InfoBuilder::single_file("film", u64::from(PIECE * PIECES));
            let info = Arc::new(film.piece_length(PIECE).build(&hashes).unwrap());
            let content = Arc::new(Storage::open(info, directory.path()));
            content.look();
            let mut recording = Recording::new(Some(state));
            recording.begin(&content, None);
            Self {
                directory,
                content,
                recording,
            }
        }

        /// Makes a record with these pieces, if it is called for.
        async fn save(&mut self, have: &[u32]) {
            let mut pieces = Bitfield::new(PIECES);
            for &piece in have {
                assert!(pieces.set(piece));
            }
            self.recording.save(&pieces, platform::STEP);
            if let Some(saving) = self.recording.saving.take() {
                self.recording.saved(saving.await.unwrap());
            }
        }

        /// The pieces that the next run believes to be there.
        fn on_disk(&self) -> Option<Vec<u32>> {
            let state = StateDir::open(&self.directory.path().join("state")).unwrap();
            let record = state.load_record(self.content.info().hash())?;
            Some(record.have.iter_ones().collect())
        }
    }

    #[tokio::test]
    async fn a_record_forgets_a_piece_that_was_lost_though_another_one_came() {
        let mut kept = Kept::new();
        kept.save(&[0, 1]).await;
        assert_eq!(kept.on_disk(), Some(vec![0, 1]));
        kept.save(&[0, 2]).await;
        assert_eq!(kept.on_disk(), Some(vec![0, 2]));
    }

    #[tokio::test]
    async fn a_record_forgets_the_last_piece_too_and_none_is_made_of_nothing() {
        let mut kept = Kept::new();
        kept.save(&[]).await;
        assert_eq!(kept.on_disk(), None);
        kept.save(&[1]).await;
        kept.save(&[]).await;
        assert_eq!(kept.on_disk(), Some(vec![]));
    }
}
