use std::sync::Arc;

use wire::{Block, Info, Link, PeerId, Torrent};

use super::Role;
use super::line::Line;
use super::storage::Storage;
use super::uplink::Uplink;
use crate::network::Generator;
use crate::scheduler::Alarm;

/// The first port from which a peer dials. RFC 6335, section 6.
const FIRST_DYNAMIC_PORT: u16 = 49_152;

/// One engine with what a driver keeps for it.
pub(super) struct Peer {
    pub(super) role: Role,
    pub(super) torrent: Torrent,
    pub(super) id: PeerId,
    pub(super) rng: Generator,
    pub(super) alarm: Alarm,
    pub(super) is_gone: bool,
    /// The lanes that begin here and have not ended here. An engine's link has the number of its lane.
    pub(super) lanes: Vec<u32>,
    dials: u16,
    pub(super) uplink: Uplink,
    pub(super) downlink: Line,
    pub(super) storage: Storage,
    /// The block that has just come: what may be stored.
    pub(super) at_hand: Option<(Link, Block)>,
}

impl Peer {
    pub(super) fn new(role: Role, info: &Arc<Info>, mut rng: Generator) -> Self {
        let id = PeerId::generate(&mut rng, *b"-TL0100-");
        let known = role.is_seed.then(|| Arc::clone(info));
        Self {
            role,
            torrent: Torrent::new(info.hash(), id, known),
            id,
            rng,
            alarm: Alarm::default(),
            is_gone: false,
            lanes: Vec::new(),
            dials: 0,
            uplink: Uplink::new(role.up),
            downlink: Line::new(role.down),
            storage: Storage::new(info.geometry(), role.is_seed),
            at_hand: None,
        }
    }

    /// The port that another connection comes from: whoever dials does so from whatever port is free.
    pub(super) fn next_port(&mut self) -> u16 {
        let port = FIRST_DYNAMIC_PORT | self.dials;
        self.dials = (self.dials + 1) % (u16::MAX - FIRST_DYNAMIC_PORT + 1);
        port
    }
}
