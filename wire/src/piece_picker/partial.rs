//! A piece of which something has been requested.

use std::net::SocketAddr;

use crate::{Block, Geometry, Link};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockState {
    /// Nobody was asked.
    Open,
    /// So many peers were asked.
    Requested(u16),
    /// It came from the contributor of this index.
    Received(u16),
    /// It is zeros, and comes from nobody. BEP 47.
    Padding,
}

/// The state of each block of a piece that has been begun.
#[derive(Debug)]
pub(crate) struct Partial {
    blocks: Vec<BlockState>,
    /// How many of them are to be fetched: those behind them are padding.
    fetched: u32,
    open: u32,
    received: u32,
    /// No block before this one is open.
    first_open: u32,
    /// The peer that fetches the piece for itself, so that its blocks come in order.
    pub(crate) owner: Option<Link>,
    /// Only one peer may fetch the piece, so that there is only one to blame.
    pub(crate) alone: bool,
    contributors: Vec<SocketAddr>,
}

impl Partial {
    /// Nothing of it was requested. Only the first `fetched` of its blocks are ever: the others are padding.
    pub(crate) fn new(blocks: u32, fetched: u32) -> Self {
        let fetched = fetched.min(blocks);
        let mut states = vec![BlockState::Open; fetched as usize];
        states.resize(blocks as usize, BlockState::Padding);
        Self {
            blocks: states,
            fetched,
            open: fetched,
            received: 0,
            first_open: 0,
            owner: None,
            alone: false,
            contributors: Vec::new(),
        }
    }

    pub(crate) fn open(&self) -> u32 {
        self.open
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.received == self.fetched
    }

    /// Nothing of it was received, and nothing is requested.
    pub(crate) fn is_untouched(&self) -> bool {
        self.open == self.fetched
    }

    pub(crate) fn contributors(&self) -> &[SocketAddr] {
        &self.contributors
    }

    /// The peer does not go on with it, and is asked for none of it any more. If what it has sent may be kept, others may join; otherwise somebody else
    /// fetches all of it alone. Returns whether that is so.
    pub(crate) fn disown(&mut self, link: Link, keeps: bool) -> bool {
        if self.owner != Some(link) {
            return false;
        }
        self.owner = None;
        if !self.alone || self.contributors.is_empty() || self.is_complete() {
            return false;
        }
        if keeps {
            self.alone = false;
            return false;
        }
        *self = Self {
            alone: true,
            ..Self::new(self.len(), self.fetched)
        };
        true
    }

    /// Requests up to `wanted` open blocks, in order, and returns how many there were.
    pub(crate) fn request_open(
        &mut self,
        piece: u32,
        geometry: &Geometry,
        wanted: usize,
        requested: &mut Vec<Block>,
    ) -> usize {
        let mut count = 0;
        let mut index = self.first_open;
        while count < wanted && self.open > 0 {
            let Some(state) = self.blocks.get_mut(index as usize) else {
                break;
            };
            if *state == BlockState::Open {
                *state = BlockState::Requested(1);
                self.open -= 1;
                count += 1;
                requested.push(geometry.block(piece, index));
            }
            index += 1;
        }
        self.first_open = index;
        count
    }

    /// Requests a block that was requested from somebody else already, if fewer than `most` were asked.
    pub(crate) fn request_again(&mut self, index: u32, most: u16) -> bool {
        match self.blocks.get_mut(index as usize) {
            Some(BlockState::Requested(peers)) if *peers < most => {
                *peers += 1;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn len(&self) -> u32 {
        self.blocks.len() as u32
    }

    /// One of the peers asked will not send the block. Returns whether it is open now.
    pub(crate) fn release(&mut self, index: u32) -> bool {
        let Some(state) = self.blocks.get_mut(index as usize) else {
            return false;
        };
        match *state {
            BlockState::Requested(peers) if peers > 1 => {
                *state = BlockState::Requested(peers - 1);
                false
            }
            BlockState::Requested(_) => {
                *state = BlockState::Open;
                self.open += 1;
                self.first_open = self.first_open.min(index);
                true
            }
            BlockState::Open | BlockState::Received(_) | BlockState::Padding => false,
        }
    }

    /// A block came. Returns how many peers were being asked for it, or nothing if it was there already.
    pub(crate) fn receive(&mut self, index: u32, from: SocketAddr) -> Option<u16> {
        let state = self.blocks.get_mut(index as usize)?;
        let asked = match *state {
            BlockState::Received(_) | BlockState::Padding => return None,
            BlockState::Requested(peers) => peers,
            BlockState::Open => {
                self.open -= 1;
                0
            }
        };
        let contributor = self.contributors.iter().position(|&known| known == from);
        let contributor = contributor.unwrap_or_else(|| {
            self.contributors.push(from);
            self.contributors.len() - 1
        });
        *state = BlockState::Received(contributor as u16);
        self.received += 1;
        Some(asked)
    }
}
