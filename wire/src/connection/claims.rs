use crate::{Bitfield, BitfieldError, CloseReason, MAX_PIECES};

/// `have` messages kept before the metadata is known. A peer that fetches quickly sends some; more is a flood.
const MAX_HAVES: usize = 16 * 1024;

/// What a peer says it has. BEP 3 has it said once, in the first message; aria2 says it again in place of many `have`s.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Statement<'a> {
    All,
    None,
    Bits(&'a [u8]),
}

/// What a peer said it has before we knew how many pieces there are. BEP 9 leaves it to the receiver to remember.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    all: bool,
    bits: Vec<u8>,
    haves: Vec<u32>,
}

impl Claims {
    pub(crate) fn state(&mut self, statement: Statement<'_>) {
        match statement {
            Statement::All => self.all = true,
            Statement::None => {}
            // The codec has bounded its length by MAX_PIECES.
            Statement::Bits(bits) => bits.clone_into(&mut self.bits),
        }
    }

    /// Nothing is claimed so far.
    pub(crate) fn is_empty(&self) -> bool {
        !self.all && self.haves.is_empty() && self.bits.iter().all(|&bits| bits == 0)
    }

    pub(crate) fn have(&mut self, piece: u32) -> Result<(), CloseReason> {
        if piece >= MAX_PIECES {
            return Err(CloseReason::NoSuchPiece {
                piece,
                pieces: MAX_PIECES,
            });
        }
        if self.haves.len() >= MAX_HAVES {
            return Err(CloseReason::ClaimFlood);
        }
        self.haves.push(piece);
        Ok(())
    }

    /// The same as a bitfield, now that the number of pieces is known.
    pub(crate) fn settle(self, pieces: u32) -> Result<Bitfield, CloseReason> {
        let mut bitfield = if self.all {
            Bitfield::full(pieces)
        } else if self.bits.is_empty() {
            Bitfield::new(pieces)
        } else {
            read(&self.bits, pieces)?
        };
        for piece in self.haves {
            if piece >= pieces {
                return Err(CloseReason::NoSuchPiece { piece, pieces });
            }
            bitfield.set(piece);
        }
        Ok(bitfield)
    }
}

impl Statement<'_> {
    /// Whether it may say more than is known. A peer keeps what it has, whatever it says later.
    pub(crate) fn adds_to(self, known: &Bitfield) -> bool {
        match self {
            Self::All => !known.is_full(),
            Self::None => false,
            Self::Bits(_) => true,
        }
    }

    pub(crate) fn settle(self, pieces: u32) -> Result<Bitfield, CloseReason> {
        match self {
            Self::All => Ok(Bitfield::full(pieces)),
            Self::None => Ok(Bitfield::new(pieces)),
            Self::Bits(bits) => Ok(read(bits, pieces)?),
        }
    }
}

fn read(bits: &[u8], pieces: u32) -> Result<Bitfield, BitfieldError> {
    Bitfield::from_bytes(bits, pieces)
}
