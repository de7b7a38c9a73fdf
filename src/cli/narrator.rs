//! Tells people and programs what a torrent does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time;
use trackless::{Event, Phase, Progress, Torrent};
use wire::Info;

use super::interrupt::{Interrupt, Signal};
use super::output::{Output, printable};
use super::phase_times::PhaseTimes;
use super::report::Report;
use super::status_line::StatusLine;
use super::style::{FAINT, paint};
use super::units;

/// Time between two looks at the figures.
const TICK: Duration = Duration::from_millis(100);
/// The same while there is nothing to see: a program may serve thousands of torrents that nobody fetches.
const CALM_TICK: Duration = Duration::from_secs(5);

/// A shorter download says nothing about how fast a longer one would be.
const MEASURABLE: Duration = Duration::from_millis(50);

/// Where a torrent has come to.
#[derive(Debug)]
pub(crate) enum Step {
    /// It went into another phase.
    Phase(Phase),
    /// It is known what is in it.
    Metadata(Arc<Info>),
    /// So many DHT nodes hold our announce.
    Announced(usize),
    /// Everything that is wanted is there and verified; it goes on as a seed.
    Done(Done),
    /// It has stopped or failed; [`Torrent::finished`] knows.
    Ended,
    /// The user or the system wants the program to end.
    Signalled(Signal),
}

/// A download that is complete.
#[derive(Debug)]
pub(crate) struct Done {
    /// Where it is.
    pub(crate) path: PathBuf,
    bytes: u64,
    elapsed: Duration,
}

/// Hears a torrent's events in order; speaks on the status line, in notes and in JSON events.
#[derive(Debug)]
pub(crate) struct Narrator {
    output: Output,
    /// Which torrent it is, if there are others beside it.
    name: Option<String>,
    start: Instant,
    status: StatusLine,
    times: PhaseTimes,
    /// The most peers that were connected at once.
    peers: usize,
    /// Pieces looked at while what lies on the disk is checked.
    checked: u32,
    /// The figures that were told last.
    told: Progress,
    /// Pieces that the disk had already, and their bytes.
    kept: Kept,
}

/// What did not have to be fetched.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    pieces: u32,
    bytes: u64,
}

impl Narrator {
    /// `start` is when the user began to wait.
    pub(crate) fn new(output: &Output, start: Instant) -> Self {
        Self {
            output: output.clone(),
            name: None,
            start,
            status: StatusLine::new(output),
            times: PhaseTimes::default(),
            peers: 0,
            checked: 0,
            told: Progress::default(),
            kept: Kept::default(),
        }
    }

    /// The same for one torrent of several, which is named with its figures.
    pub(crate) fn about(self, name: &str) -> Self {
        Self {
            name: Some(printable(name)),
            ..self
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn times(&self) -> &PhaseTimes {
        &self.times
    }

    /// Tells what happens until there is something to decide.
    pub(crate) async fn follow(
        &mut self,
        torrent: &mut Torrent,
        interrupt: &mut Interrupt,
    ) -> Step {
        let mut due = time::Instant::now();
        loop {
            tokio::select! {
                event = torrent.next() => {
                    let Some(event) = event else { return Step::Ended };
                    self.hear(&event);
                    due = due.min(time::Instant::now() + TICK);
                    match event {
                        Event::Phase(phase) => return Step::Phase(phase),
                        Event::Metadata(info) => return Step::Metadata(info),
                        Event::Announced { nodes } => return Step::Announced(nodes),
                        Event::Done { path, bytes, elapsed } => {
                            return Step::Done(Done { path, bytes, elapsed });
                        }
                        _ => {}
                    }
                }
                () = time::sleep_until(due) => {
                    let progress = torrent.progress();
                    self.show(&progress);
                    let is_calm = self.times.current() == Some(Phase::Seed) && progress.connected == 0;
                    due = time::Instant::now() + if is_calm { CALM_TICK } else { TICK };
                }
                signal = interrupt.received() => return Step::Signalled(signal),
            }
        }
    }

    /// Something happened.
    fn hear(&mut self, event: &Event) {
        let now = self.elapsed();
        match event {
            Event::Phase(phase) => {
                if self.times.current() == Some(Phase::Verify) {
                    self.kept = Kept {
                        pieces: self.told.pieces_done,
                        bytes: self.told.done,
                    };
                }
                self.times.enter(*phase, now);
                self.status.label(phase.name());
                self.output.event(&Report::phase(*phase, now));
            }
            Event::Connected(peer) => {
                self.output.event(&Report::Connected {
                    peer: *peer,
                    seconds: now.as_secs_f64(),
                });
            }
            Event::Metadata(info) => self.output.event(&Report::metadata(info, now)),
            Event::Checked { pieces } => {
                self.checked = *pieces;
                self.output.event(&Report::Checked { pieces: *pieces });
            }
            Event::Known { pieces } => self.output.event(&Report::Known { pieces: *pieces }),
            Event::Progress(progress) => {
                self.told = *progress;
                self.output.event(&Report::progress(progress));
                self.show(progress);
            }
            Event::Announced { nodes } => self.output.event(&Report::Announced { nodes: *nodes }),
            Event::SetAside { from, to } => {
                self.output.event(&Report::SetAside { from, to });
                self.output.warning(format_args!(
                    "{} was in the way of the download and is now {}",
                    from.display(),
                    to.display()
                ));
            }
            Event::Copied { from, to } => {
                self.output.event(&Report::Copied { from, to });
                self.output.warning(format_args!(
                    "{} was longer than the torrent says and is cut; {} is a copy of it as it was",
                    from.display(),
                    to.display()
                ));
            }
            Event::Unservable { reason } => {
                self.output.event(&Report::Unservable { reason });
                self.output.warning(printable(reason));
            }
            Event::ServedAgain { path } => {
                self.output.event(&Report::ServedAgain { path });
                let path = path.display().to_string();
                self.output
                    .warning(format_args!("{} is served again", printable(&path)));
            }
            Event::Banned { peer, reason } => {
                self.output.event(&Report::Banned {
                    peer: *peer,
                    reason,
                });
                self.output.note(format_args!(
                    "{peer} is not spoken to any more: {}",
                    printable(reason)
                ));
            }
            _ => {}
        }
    }

    /// Tells people that a torrent can be found.
    pub(crate) fn announced(&self, torrent: &Torrent, nodes: usize) {
        if let Some(info) = torrent.info() {
            let (nodes, name) = (units::count(nodes, "node"), printable(info.name()));
            self.output
                .note(format_args!("announced to {nodes}: {name}"));
        }
    }

    /// Tells programs that a download is complete. `files` are those that were chosen, if it is not all of them.
    pub(crate) fn done(&self, done: &Done, files: Option<&[PathBuf]>) {
        self.output.event(&Report::Done {
            path: &done.path,
            files,
            bytes: done.bytes,
            seconds: done.elapsed.as_secs_f64(),
            phases: self.times.seconds(self.elapsed()),
        });
    }

    /// Clears the status line until there is something new to show, for a question to the user.
    pub(crate) fn hush(&self) {
        self.status.clear();
    }

    /// Shows the figures of this moment.
    fn show(&mut self, progress: &Progress) {
        self.peers = self.peers.max(progress.connected);
        let Some(phase) = self.times.current() else {
            return;
        };
        let (done, total) = match phase {
            Phase::Verify => (self.checked.into(), progress.pieces.into()),
            Phase::Download => (progress.wanted - progress.missing, progress.wanted),
            _ => (0, 0),
        };
        if total == 0 && matches!(phase, Phase::Verify | Phase::Download) {
            // It has only just begun, and nobody has counted yet.
            return;
        }
        self.status
            .show(done, total, || self.figures(phase, progress));
    }

    /// What there is to say of this moment, and of which torrent.
    fn figures(&self, phase: Phase, progress: &Progress) -> String {
        let figures = figures(phase, progress, self.checked);
        match &self.name {
            Some(name) => format!("{name}: {figures}"),
            None => figures,
        }
    }

    /// The first words about a download that is complete.
    pub(crate) fn outcome(&self, progress: &Progress) -> String {
        outcome(self.kept, progress)
    }

    /// The table of phases, and how fast it went.
    pub(crate) fn summary(&self, progress: &Progress) -> Vec<String> {
        let now = self.elapsed();
        let mut lines = self.times.table(now);
        let download = self
            .times
            .spent(now)
            .into_iter()
            .find(|(phase, _)| *phase == Phase::Download);
        let is_measurable = |time| progress.downloaded > 0 && time >= MEASURABLE;
        if let Some((_, time)) = download.filter(|&(_, time)| is_measurable(time)) {
            lines.push(format!(
                "  {}  {:>12} from {}",
                paint(FAINT, format_args!("{:<10}", "rate")),
                units::rate(units::average(progress.downloaded, time)),
                units::count(self.peers.max(1), "peer")
            ));
        }
        lines
    }
}

/// How much of a complete download had to be fetched, if it was not all of it.
fn outcome(kept: Kept, progress: &Progress) -> String {
    let pieces = progress.pieces_done.saturating_sub(kept.pieces);
    let bytes = progress.done.saturating_sub(kept.bytes);
    if pieces == 0 {
        "complete and verified: everything was here already".to_owned()
    } else if kept.pieces == 0 {
        "complete and verified".to_owned()
    } else {
        format!(
            "complete and verified: {pieces} of {} pieces fetched ({})",
            progress.pieces,
            units::bytes(bytes)
        )
    }
}

/// What there is to say about a phase in a few words.
fn figures(phase: Phase, progress: &Progress, checked: u32) -> String {
    let connected = units::count(progress.connected, "peer");
    match phase {
        Phase::Bootstrap => "waiting for a DHT node to answer".to_owned(),
        Phase::Lookup => format!(
            "asking the DHT who has it, {} known",
            units::count(progress.known, "peer")
        ),
        Phase::Connect => format!(
            "{} known, none connected yet",
            units::count(progress.known, "peer")
        ),
        Phase::Metadata => format!("asking {connected} for the metadata"),
        Phase::Verify => format!("{checked} of {} pieces looked at", progress.pieces),
        Phase::Download => {
            let there = progress.wanted - progress.missing;
            let (done, total) = (units::bytes(there), units::bytes(progress.wanted));
            let left = remaining(progress)
                .map(|left| format!("  {left} left"))
                .unwrap_or_default();
            format!(
                "{done} of {total}  {}  {connected}{left}",
                units::rate(progress.download_rate)
            )
        }
        Phase::Seed => {
            format!(
                "{connected}  {}  {} sent",
                units::rate(progress.upload_rate),
                units::bytes(progress.uploaded)
            )
        }
    }
}

/// Time to the end at the present rate; `None` while nothing comes.
fn remaining(progress: &Progress) -> Option<String> {
    let seconds = progress.missing.checked_div(progress.download_rate)?;
    Some(match seconds {
        0..60 => format!("{seconds} s"),
        _ => units::time(Duration::from_secs(seconds)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Progress = Progress {
        done: 32 << 20,
        total: 64 << 20,
        wanted: 64 << 20,
        missing: 32 << 20,
        pieces_done: 128,
        pieces: 256,
        download_rate: 8 << 20,
        upload_rate: 0,
        downloaded: 32 << 20,
        uploaded: 0,
        connected: 1,
        seeds: 1,
        known: 3,
    };

    #[test]
    fn a_download_says_how_far_how_fast_from_whom_and_how_long_still() {
        assert_eq!(
            figures(Phase::Download, &HALF, 0),
            "32.0 MiB of 64.0 MiB  8.0 MiB/s  1 peer  4 s left"
        );
    }

    #[test]
    fn one_torrent_of_several_is_named() {
        let narrator = Narrator::new(&Output::new(false, true), Instant::now());
        let unnamed = narrator.figures(Phase::Seed, &HALF);
        assert_eq!(unnamed, "1 peer  0 B/s  0 B sent");
        let narrator = narrator.about("album\x1b");
        let named = narrator.figures(Phase::Seed, &HALF);
        assert_eq!(named, format!("album\u{fffd}: {unnamed}"));
    }

    #[test]
    fn of_what_is_not_wanted_the_bar_says_nothing() {
        let some = Progress {
            wanted: 16 << 20,
            missing: 8 << 20,
            ..HALF
        };
        assert_eq!(
            figures(Phase::Download, &some, 0),
            "8.0 MiB of 16.0 MiB  8.0 MiB/s  1 peer  1 s left"
        );
    }

    #[test]
    fn the_outcome_says_what_had_to_be_fetched() {
        let whole = Progress {
            done: HALF.total,
            pieces_done: HALF.pieces,
            missing: 0,
            ..HALF
        };
        let kept = |pieces: u32| {
            let bytes = u64::from(pieces) << 18;
            outcome(Kept { pieces, bytes }, &whole)
        };
        assert_eq!(kept(0), "complete and verified");
        assert_eq!(
            kept(255),
            "complete and verified: 1 of 256 pieces fetched (256.0 KiB)"
        );
        assert_eq!(
            kept(256),
            "complete and verified: everything was here already"
        );
    }

    #[test]
    fn what_the_check_found_was_kept_and_what_came_later_was_fetched() {
        let mut narrator = Narrator::new(&Output::new(false, true), Instant::now());
        let told = |pieces_done| {
            Event::Progress(Progress {
                pieces_done,
                ..HALF
            })
        };
        for event in [
            Event::Phase(Phase::Verify),
            told(200),
            Event::Phase(Phase::Connect),
            Event::Phase(Phase::Download),
            told(256),
            Event::Phase(Phase::Seed),
        ] {
            narrator.hear(&event);
        }
        let outcome = narrator.outcome(&Progress {
            pieces_done: 256,
            ..HALF
        });
        assert!(outcome.contains("56 of 256 pieces fetched"), "{outcome}");
    }

    #[test]
    fn a_download_that_stands_still_promises_no_end() {
        let stuck = Progress {
            download_rate: 0,
            connected: 0,
            ..HALF
        };
        assert_eq!(
            figures(Phase::Download, &stuck, 0),
            "32.0 MiB of 64.0 MiB  0 B/s  0 peers"
        );
    }

    #[test]
    fn the_phases_people_get_stuck_in_say_what_is_waited_for() {
        assert_eq!(
            figures(Phase::Metadata, &HALF, 0),
            "asking 1 peer for the metadata"
        );
        assert_eq!(
            figures(Phase::Connect, &HALF, 0),
            "3 peers known, none connected yet"
        );
        assert_eq!(
            figures(Phase::Verify, &HALF, 9),
            "9 of 256 pieces looked at"
        );
    }
}
