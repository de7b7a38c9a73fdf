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
        let grown = last.is_none_or(|last| last.have.count_ones() != have.count_ones());
        if have.is_empty() || !grown && !self.last.pending {
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
