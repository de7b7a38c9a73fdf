//! What always holds in a swarm, looked at while it runs.

use std::time::Duration;

use wire::{Event, Frame, Message, decode_frame};

use super::lane::End;
use super::parcel::Parcel;
use super::peer::Peer;
use super::promises::{Broken, Promises};
use super::storage::StoredTwice;
use super::wishes::Wish;
use super::{Manner, Paths, Swarm, SwarmBreach};

/// Once nobody comes or goes and nothing is cut off, everybody has everything after this time and [`SLOWNESS`] times the bound for the
/// distribution: silent connections are given up after three minutes, and dials are repeated every ten at least.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
const SLOWNESS: u32 = 4;

impl From<StoredTwice> for Broken {
    fn from(_: StoredTwice) -> Self {
        Self::new(
            "every block is stored once",
            "it stores a block that is there or cannot be",
        )
    }
}

impl<P: Paths> Swarm<P> {
    /// Notes the first thing that is broken.
    pub(super) fn broken(&mut self, index: u32, broken: Broken) {
        let breach = SwarmBreach {
            invariant: broken.invariant,
            at: self.now(),
            peer: self.addresses[index as usize],
            what: broken.what,
        };
        self.breach.get_or_insert(breach);
    }

    pub(super) fn judge(&mut self, index: u32, result: Result<(), Broken>) {
        if let Err(broken) = result {
            self.broken(index, broken);
        }
    }

    pub(super) fn check_deadline(&mut self, index: u32, deadline: Option<Duration>) {
        let now = self.now();
        if let Some(deadline) = deadline.filter(|&deadline| deadline <= now) {
            let what = format!("it names {deadline:?}");
            self.broken(index, Broken::new("deadlines are later than now", what));
        }
    }

    pub(super) fn check_connections(&mut self, index: u32) {
        let lanes = self.peers[index as usize].lanes.iter();
        let is_open = |lane: &&u32| self.lanes[**lane as usize].end == End::Open;
        let open = lanes.filter(is_open).count();
        if self.is_checked && open > self.config(index).max_connections {
            let what = format!("it has {open}");
            self.broken(index, Broken::new("connections are bounded", what));
        }
    }

    /// Looks at what an engine wants before it is done.
    pub(super) fn check_wish(&mut self, index: u32, wish: &Wish) {
        let result = match wish {
            Wish::Send(link, Parcel::Message(bytes)) => match decode_frame(bytes) {
                Ok(Frame::Message { message, .. }) => self.check_message(index, link.0, message),
                _ => Ok(()),
            },
            Wish::Send(link, Parcel::Block(_)) => self.check_queue(link.0),
            Wish::Store(link, block) => {
                let at_hand = self.peers[index as usize].at_hand;
                if at_hand == Some((*link, *block)) {
                    Ok(())
                } else {
                    let what = format!("it stores {block:?} and has {at_hand:?}");
                    Err(Broken::new("only what has come is stored", what))
                }
            }
            Wish::Tell(Event::PieceCompleted { piece }) => self.check_piece(index, *piece),
            Wish::Tell(Event::Finished) if !self.peers[index as usize].storage.is_full() => {
                let what = "it says that it has everything";
                Err(Broken::new("every completed piece is verified", what))
            }
            _ => Ok(()),
        };
        self.judge(index, result);
    }

    fn check_message(&mut self, index: u32, lane: u32, message: Message<'_>) -> Result<(), Broken> {
        if let Message::Have(piece) = message {
            self.check_piece(index, piece)?;
        }
        let config = self.policy.of_role(self.peers[index as usize].role);
        self.promises[lane as usize].sends(message, config)
    }

    /// Something reaches the near end of a lane.
    pub(super) fn check_hearing(
        &mut self,
        lane: u32,
        hear: impl FnOnce(&mut Promises) -> Result<(), Broken>,
    ) {
        if let Some(promises) = self.promises.get_mut(lane as usize) {
            let heard = hear(promises);
            self.judge(self.lanes[lane as usize].to, heard);
        }
    }

    fn check_piece(&self, index: u32, piece: u32) -> Result<(), Broken> {
        if self.peers[index as usize].storage.has(piece) {
            Ok(())
        } else {
            let what = format!("it says that it has piece {piece}");
            Err(Broken::new("every completed piece is verified", what))
        }
    }

    /// A block is put in the queue of a lane.
    fn check_queue(&self, lane: u32) -> Result<(), Broken> {
        let lane = &self.lanes[lane as usize];
        let most = self.config(lane.from).max_queued_uploads;
        if lane.waiting.len() < most || lane.blocks_waiting() < most {
            Ok(())
        } else {
            let what = format!("{} blocks wait for one peer", lane.waiting.len());
            Err(Broken::new("queues are bounded", what))
        }
    }

    /// Looks at the swarm as a whole.
    pub(super) fn check_the_whole(&mut self) {
        let traffic = self.traffic();
        if traffic.sent != traffic.received + traffic.dropped + traffic.in_flight {
            let what = format!("{traffic:?}");
            self.broken(0, Broken::new("no byte comes from nowhere", what));
        }
        if self.now() > self.calm_since + PATIENCE {
            self.check_completion();
        }
    }

    /// While somebody has everything and can be dialled, all who are honest get it in time.
    fn check_completion(&mut self) {
        let patience = PATIENCE.saturating_add(self.bound().saturating_mul(SLOWNESS));
        if self.now().saturating_sub(self.calm_since) <= patience {
            return;
        }
        let is_honest = |peer: &Peer| !peer.is_gone && peer.role.manner == Manner::Honest;
        let is_source =
            |peer: &Peer| is_honest(peer) && peer.role.accepts && peer.storage.is_full();
        let has_source = self.peers.iter().any(is_source);
        let late = (0..)
            .zip(&self.peers)
            .find(|(_, peer)| is_honest(peer) && !peer.storage.is_full());
        if let Some((index, _)) = late.filter(|_| has_source) {
            let what = format!("it is not done {patience:?} after the last trouble");
            self.broken(index, Broken::new("everybody completes", what));
        }
    }
}
