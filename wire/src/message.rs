use crate::Block;

/// A message between peers, borrowed from the bytes it came in. BEP 3, "peer messages".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Nothing but a sign of life.
    KeepAlive,
    /// The sender serves no requests for now.
    Choke,
    /// The sender serves requests.
    Unchoke,
    /// The sender wants something that the receiver has.
    Interested,
    /// The sender wants nothing that the receiver has.
    NotInterested,
    /// The sender has this piece now.
    Have(u32),
    /// The pieces that the sender has; see [`Bitfield::from_bytes`](crate::Bitfield::from_bytes).
    Bitfield(&'a [u8]),
    /// Asks for a block.
    Request(Block),
    /// Carries a block.
    Piece {
        /// Index of the piece.
        piece: u32,
        /// Bytes from the start of the piece.
        offset: u32,
        /// The block.
        data: &'a [u8],
    },
    /// Takes a request back.
    Cancel(Block),
    /// The UDP port of the sender's DHT node. BEP 5, "BitTorrent Protocol Extension".
    Port(u16),
    /// The receiver might like to fetch this piece. BEP 6, "Suggest Piece".
    Suggest(u32),
    /// The sender has every piece. BEP 6, "Have All/Have None".
    HaveAll,
    /// The sender has no piece. BEP 6, "Have All/Have None".
    HaveNone,
    /// A request that will not be served. BEP 6, "Reject Request".
    Reject(Block),
    /// The receiver may request this piece even while choked. BEP 6, "Allowed Fast".
    AllowedFast(u32),
    /// A message of the extension protocol. BEP 10.
    Extended {
        /// 0 for the handshake, else what the receiver's own handshake named.
        id: u8,
        /// All after the id.
        payload: &'a [u8],
    },
    /// A message that is not known here; its payload is skipped.
    Unknown {
        /// What it is called on the wire.
        id: u8,
    },
}

/// The ids of messages on the wire.
pub(crate) mod id {
    pub(crate) const CHOKE: u8 = 0;
    pub(crate) const UNCHOKE: u8 = 1;
    pub(crate) const INTERESTED: u8 = 2;
    pub(crate) const NOT_INTERESTED: u8 = 3;
    pub(crate) const HAVE: u8 = 4;
    pub(crate) const BITFIELD: u8 = 5;
    pub(crate) const REQUEST: u8 = 6;
    pub(crate) const PIECE: u8 = 7;
    pub(crate) const CANCEL: u8 = 8;
    pub(crate) const PORT: u8 = 9;
    pub(crate) const SUGGEST: u8 = 13;
    pub(crate) const HAVE_ALL: u8 = 14;
    pub(crate) const HAVE_NONE: u8 = 15;
    pub(crate) const REJECT: u8 = 16;
    pub(crate) const ALLOWED_FAST: u8 = 17;
    pub(crate) const EXTENDED: u8 = 20;
}

/// Bytes of a `piece` message before its payload, length prefix included.
pub(crate) const PIECE_HEADER_LENGTH: usize = 13;

/// The bytes that go before the payload of a block.
pub fn encode_piece_header(block: Block) -> [u8; PIECE_HEADER_LENGTH] {
    let mut header = [0; PIECE_HEADER_LENGTH];
    header[..4].copy_from_slice(&block.length.saturating_add(9).to_be_bytes());
    header[4] = id::PIECE;
    header[5..9].copy_from_slice(&block.piece.to_be_bytes());
    header[9..].copy_from_slice(&block.offset.to_be_bytes());
    header
}

impl Message<'_> {
    /// Appends the message as it goes over the wire, length prefix included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Message::KeepAlive => out.extend([0; 4]),
            Message::Choke => frame(out, id::CHOKE, &[]),
            Message::Unchoke => frame(out, id::UNCHOKE, &[]),
            Message::Interested => frame(out, id::INTERESTED, &[]),
            Message::NotInterested => frame(out, id::NOT_INTERESTED, &[]),
            Message::Have(piece) => frame(out, id::HAVE, &[&piece.to_be_bytes()]),
            Message::Bitfield(bytes) => frame(out, id::BITFIELD, &[bytes]),
            Message::Request(block) => block_frame(out, id::REQUEST, block),
            Message::Piece {
                piece,
                offset,
                data,
            } => frame(
                out,
                id::PIECE,
                &[&piece.to_be_bytes(), &offset.to_be_bytes(), data],
            ),
            Message::Cancel(block) => block_frame(out, id::CANCEL, block),
            Message::Port(port) => frame(out, id::PORT, &[&port.to_be_bytes()]),
            Message::Suggest(piece) => frame(out, id::SUGGEST, &[&piece.to_be_bytes()]),
            Message::HaveAll => frame(out, id::HAVE_ALL, &[]),
            Message::HaveNone => frame(out, id::HAVE_NONE, &[]),
            Message::Reject(block) => block_frame(out, id::REJECT, block),
            Message::AllowedFast(piece) => frame(out, id::ALLOWED_FAST, &[&piece.to_be_bytes()]),
            Message::Extended { id, payload } => frame(out, id::EXTENDED, &[&[id], payload]),
            Message::Unknown { id } => frame(out, id, &[]),
        }
    }
}

fn block_frame(out: &mut Vec<u8>, id: u8, block: Block) {
    let Block {
        piece,
        offset,
        length,
    } = block;
    let mut payload = [0; 12];
    payload[..4].copy_from_slice(&piece.to_be_bytes());
    payload[4..8].copy_from_slice(&offset.to_be_bytes());
    payload[8..].copy_from_slice(&length.to_be_bytes());
    frame(out, id, &[&payload]);
}

fn frame(out: &mut Vec<u8>, id: u8, parts: &[&[u8]]) {
    let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.reserve(4 + length);
    out.extend((length as u32).to_be_bytes());
    out.push(id);
    for part in parts {
        out.extend_from_slice(part);
    }
}
