//! How a session stands: its figures, its phase, and whether it is worth waiting any longer.

use super::Session;
use crate::Error;
use crate::event::{Event, Phase, Progress};

/// The most that a session has come to. What is lost again later was there all the same.
#[derive(Debug, Default)]
pub(super) struct Reached {
    phase: Option<Phase>,
    connected: usize,
    known: usize,
}

impl Session {
    pub(super) fn report(&mut self) {
        let progress = self.engine.progress(self.epoch.elapsed());
        let progress = Progress {
            done: progress.bytes_done,
            total: progress.bytes,
            pieces_done: progress.pieces_done,
            pieces: progress.pieces,
            download_rate: progress.download_rate,
            upload_rate: progress.upload_rate,
            downloaded: progress.downloaded,
            uploaded: progress.uploaded,
            connected: progress.connected,
            seeds: progress.seeds,
            known: progress.known,
        };
        let changed = self.progress.send_if_modified(|last| {
            let changed = *last != progress;
            *last = progress;
            changed
        });
        if changed {
            self.patience.received(progress.downloaded);
            self.tell(Event::Progress(progress));
        }
    }

    /// What the session is busy with, as far as it shows from outside.
    fn phase_now(&self, progress: wire::Progress) -> Phase {
        let asks_dht = self.discovery.is_some() && self.opening.dht.knows_somebody();
        let searching = if progress.connected > 0 {
            None
        } else if progress.known > 0 || !asks_dht {
            Some(Phase::Connect)
        } else if self.opening.dht.entrance().borrow().ready {
            Some(Phase::Lookup)
        } else {
            Some(Phase::Bootstrap)
        };
        if self.engine.info().is_none() {
            return searching.unwrap_or(Phase::Metadata);
        }
        let Some(have) = self.engine.have() else {
            return Phase::Verify;
        };
        if have.is_full() {
            Phase::Seed
        } else if *self.phase.borrow() == Some(Phase::Download) {
            // Peers come and go; the bar goes on.
            Phase::Download
        } else {
            searching.unwrap_or(Phase::Download)
        }
    }

    pub(super) fn enter_phase(&mut self) {
        let progress = self.engine.progress(self.epoch.elapsed());
        let phase = self.phase_now(progress);
        if self
            .phase
            .send_if_modified(|last| last.replace(phase) != Some(phase))
        {
            // So that whoever shows the phase has its figures.
            self.report();
            self.tell(Event::Phase(phase));
        }
        let reached = &mut self.reached;
        reached.connected = reached.connected.max(progress.connected);
        reached.known = reached.known.max(progress.known);
        // A peer that comes and goes all the time brings nothing forward.
        if reached.phase < Some(phase) {
            reached.phase = Some(phase);
            self.patience.moved();
        }
    }

    /// Fails if nothing has moved for too long, or cannot ever.
    pub(super) fn lose_patience(&mut self) -> Result<(), Error> {
        let phase = *self.phase.borrow();
        let Some(phase) = phase.filter(|&phase| phase != Phase::Seed && phase != Phase::Verify)
        else {
            return Ok(());
        };
        let entrance = self.opening.dht.entrance();
        if phase == Phase::Bootstrap
            && self.opening.begin.is_download()
            && let Some((host, source)) = entrance.borrow().closed()
        {
            return Err(Error::Resolve {
                host: host.clone(),
                source: std::io::Error::new(source.kind(), source.to_string()),
            });
        }
        let Some(after) = self.patience.lost() else {
            return Ok(());
        };
        let progress = *self.progress.borrow();
        let info_hash = self.info_hash;
        let reached = &self.reached;
        Err(match (phase, self.engine.info()) {
            (_, None) if reached.phase >= Some(Phase::Connect) => Error::NoMetadata {
                info_hash,
                connected: reached.connected,
                known: reached.known,
                after,
            },
            (Phase::Bootstrap, _) => Error::NoNodeAnswered {
                asked: self.opening.dht.asked().to_owned(),
                after,
            },
            (Phase::Lookup, _) | (_, None) => Error::NoPeers { info_hash, after },
            (_, Some(info)) => Error::Stalled {
                name: info.name().to_owned(),
                done: progress.done,
                total: progress.total,
                after,
            },
        })
    }
}
