//! How a session stands, as its owner sees it: figures, phase, and whether it is worth waiting any longer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use wire::{Info, InfoHash};

use super::Session;
use super::patience::Patience;
use crate::Error;
use crate::event::{Event, Phase, Progress};

/// What a phase follows from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sight {
    /// Peers connected.
    pub(super) connected: usize,
    /// Peer addresses known.
    pub(super) known: usize,
    /// The DHT is asked, and there is somebody to start from.
    pub(super) asks_dht: bool,
    /// A DHT node has answered.
    pub(super) dht_ready: bool,
    /// The info dictionary is here, and it is known what of it is wanted.
    pub(super) metadata: bool,
    /// The disk was checked, and whether everything that is wanted is there.
    pub(super) complete: Option<bool>,
}

impl Sight {
    /// What the session is busy with. `last` is what it was busy with before.
    fn phase(self, last: Option<Phase>) -> Phase {
        let searching = if self.connected > 0 {
            None
        } else if self.known > 0 || !self.asks_dht {
            Some(Phase::Connect)
        } else if self.dht_ready {
            Some(Phase::Lookup)
        } else {
            Some(Phase::Bootstrap)
        };
        match self.complete {
            _ if !self.metadata => searching.unwrap_or(Phase::Metadata),
            None => Phase::Verify,
            Some(true) => Phase::Seed,
            // Peers come and go; the bar goes on.
            Some(false) if last == Some(Phase::Download) => Phase::Download,
            Some(false) => searching.unwrap_or(Phase::Download),
        }
    }
}

/// The most that a session has come to. What is lost again later was there all the same.
#[derive(Debug, Default)]
struct Reached {
    phase: Option<Phase>,
    connected: usize,
    known: usize,
}

#[derive(Debug)]
pub(super) struct Standing {
    events: mpsc::Sender<Event>,
    phase: watch::Sender<Option<Phase>>,
    progress: watch::Sender<Progress>,
    patience: Patience,
    reached: Reached,
}

impl Standing {
    pub(super) fn new(
        events: mpsc::Sender<Event>,
        phase: watch::Sender<Option<Phase>>,
        progress: watch::Sender<Progress>,
        timeout: Option<Duration>,
    ) -> Self {
        Standing {
            events,
            phase,
            progress,
            patience: Patience::new(timeout),
            reached: Reached::default(),
        }
    }

    /// Whoever does not listen misses something; nobody waits for him.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.events.try_send(event);
    }

    /// Something went on.
    pub(super) fn moved(&mut self) {
        self.patience.moved();
    }

    pub(super) fn phase(&self) -> Option<Phase> {
        *self.phase.borrow()
    }

    /// Passes the figures on, if they have changed.
    pub(super) fn report(&mut self, figures: wire::Progress) {
        let figures = Progress {
            done: figures.bytes_done,
            total: figures.bytes,
            wanted: figures.bytes_wanted,
            missing: figures.bytes_missing,
            pieces_done: figures.pieces_done,
            pieces: figures.pieces,
            download_rate: figures.download_rate,
            upload_rate: figures.upload_rate,
            downloaded: figures.downloaded,
            uploaded: figures.uploaded,
            connected: figures.connected,
            seeds: figures.seeds,
            known: figures.known,
        };
        let changed = self.progress.send_if_modified(|last| {
            let changed = *last != figures;
            *last = figures;
            changed
        });
        if changed {
            self.patience.received(figures.downloaded);
            self.tell(Event::Progress(figures));
        }
    }

    /// Enters the phase that follows from what is seen. True if it is another one than before.
    pub(super) fn observe(&mut self, sight: Sight) -> bool {
        let phase = sight.phase(self.phase());
        let reached = &mut self.reached;
        reached.connected = reached.connected.max(sight.connected);
        reached.known = reached.known.max(sight.known);
        // A peer that comes and goes all the time brings nothing forward.
        if reached.phase < Some(phase) {
            reached.phase = Some(phase);
            self.patience.moved();
        }
        self.phase
            .send_if_modified(|last| last.replace(phase) != Some(phase))
    }

    /// Why it makes no sense to wait any longer, if nothing has moved for too long.
    pub(super) fn given_up(
        &self,
        info_hash: InfoHash,
        info: Option<&Info>,
        asked: &str,
    ) -> Option<Error> {
        let after = self.patience.lost()?;
        let reached = &self.reached;
        let progress = *self.progress.borrow();
        match (self.phase()?, info) {
            (Phase::Seed | Phase::Verify, _) => None,
            (_, None) if reached.phase >= Some(Phase::Connect) => Some(Error::NoMetadata {
                info_hash,
                connected: reached.connected,
                known: reached.known,
                after,
            }),
            (Phase::Bootstrap, _) => Some(Error::NoNodeAnswered {
                asked: asked.to_owned(),
                after,
            }),
            (Phase::Lookup, _) | (_, None) => Some(Error::NoPeers { info_hash, after }),
            (_, Some(info)) => Some(Error::Stalled {
                name: info.name().to_owned(),
                done: progress.wanted - progress.missing,
                total: progress.wanted,
                after,
            }),
        }
    }
}

impl Session {
    /// Sees how things stand, and tells if they stand otherwise than before.
    pub(super) fn observe(&mut self) {
        let figures = self.engine.progress(self.epoch.elapsed());
        let dht = &self.opening.dht;
        let changed = self.standing.observe(Sight {
            connected: figures.connected,
            known: figures.known,
            asks_dht: self.discovery.is_some() && dht.knows_somebody(),
            dht_ready: dht.entrance().borrow().ready,
            metadata: self.engine.info().is_some() && !self.is_undecided(),
            complete: self
                .engine
                .have()
                .map(|_| figures.bytes_missing == 0 && self.completion.is_over()),
        });
        if changed && let Some(phase) = self.standing.phase() {
            // So that whoever shows the phase has its figures.
            self.standing.report(figures);
            self.standing.tell(Event::Phase(phase));
        }
    }

    /// Fails if nothing has moved for too long, or cannot ever.
    pub(super) fn lose_patience(&mut self) -> Result<(), Error> {
        if self.is_undecided() {
            // It is the user who takes his time.
            self.standing.moved();
        }
        let entrance = self.opening.dht.entrance();
        if self.standing.phase() == Some(Phase::Bootstrap)
            && self.opening.begin.is_download()
            && let Some((host, source)) = entrance.borrow().closed()
        {
            return Err(Error::Resolve {
                host: host.clone(),
                source: std::io::Error::new(source.kind(), source.to_string()),
            });
        }
        let info = self.engine.info().map(Arc::as_ref);
        self.standing
            .given_up(self.info_hash, info, self.opening.dht.asked())
            .map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCHING: Sight = Sight {
        connected: 0,
        known: 0,
        asks_dht: true,
        dht_ready: true,
        metadata: false,
        complete: None,
    };

    fn standing(timeout: Duration) -> (Standing, mpsc::Receiver<Event>) {
        let (events, heard) = mpsc::channel(16);
        let (phase, progress) = (
            watch::channel(None).0,
            watch::channel(Progress::default()).0,
        );
        (Standing::new(events, phase, progress, Some(timeout)), heard)
    }

    #[test]
    fn the_phase_is_the_first_thing_that_is_missing() {
        let connected = Sight {
            connected: 1,
            known: 1,
            ..SEARCHING
        };
        let known = Sight {
            metadata: true,
            ..connected
        };
        for (sight, phase) in [
            (
                Sight {
                    dht_ready: false,
                    ..SEARCHING
                },
                Phase::Bootstrap,
            ),
            (SEARCHING, Phase::Lookup),
            (
                Sight {
                    known: 1,
                    ..SEARCHING
                },
                Phase::Connect,
            ),
            (connected, Phase::Metadata),
            (known, Phase::Verify),
            (
                Sight {
                    complete: Some(false),
                    ..known
                },
                Phase::Download,
            ),
            (
                Sight {
                    complete: Some(true),
                    ..known
                },
                Phase::Seed,
            ),
        ] {
            assert_eq!(sight.phase(None), phase, "{sight:?}");
        }
    }

    #[test]
    fn a_download_that_loses_its_peers_is_still_a_download() {
        let lost = Sight {
            metadata: true,
            complete: Some(false),
            ..SEARCHING
        };
        assert_eq!(lost.phase(Some(Phase::Download)), Phase::Download);
        assert_eq!(lost.phase(Some(Phase::Verify)), Phase::Lookup);
    }

    #[test]
    fn the_error_names_the_phase_that_was_reached() {
        let info_hash = InfoHash::from([7; 20]);
        let give_up = |sights: &[Sight]| {
            let (mut standing, _heard) = standing(Duration::ZERO);
            for &sight in sights {
                standing.observe(sight);
            }
            standing.given_up(info_hash, None, "nobody")
        };
        let asleep = Sight {
            dht_ready: false,
            ..SEARCHING
        };
        let met = Sight {
            connected: 1,
            known: 2,
            ..SEARCHING
        };
        assert!(matches!(
            give_up(&[asleep]),
            Some(Error::NoNodeAnswered { .. })
        ));
        assert!(matches!(
            give_up(&[asleep, SEARCHING]),
            Some(Error::NoPeers { .. })
        ));
        // The peers are gone again, and were there.
        assert!(matches!(
            give_up(&[SEARCHING, met, SEARCHING]),
            Some(Error::NoMetadata {
                connected: 1,
                known: 2,
                ..
            })
        ));
    }

    #[test]
    fn patience_lasts_while_something_moves() {
        let (mut standing, _heard) = standing(Duration::from_secs(3600));
        standing.observe(SEARCHING);
        assert!(
            standing
                .given_up(InfoHash::from([7; 20]), None, "")
                .is_none()
        );
    }
}
