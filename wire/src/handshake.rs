use crate::{InfoHash, PeerId};

const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// What both sides say before anything else. BEP 3, "peer protocol".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The extensions that the sender speaks.
    pub reserved: Reserved,
    /// The torrent that the connection is about.
    pub info_hash: InfoHash,
    /// Who the sender says it is.
    pub peer_id: PeerId,
}

impl Handshake {
    /// Bytes of a handshake.
    pub const LENGTH: usize = 68;

    /// The bytes to send.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..20].copy_from_slice(PROTOCOL);
        bytes[20..28].copy_from_slice(&self.reserved.0);
        bytes[28..48].copy_from_slice(self.info_hash.as_bytes());
        bytes[48..].copy_from_slice(self.peer_id.as_bytes());
        bytes
    }

    /// Reads a handshake.
    ///
    /// # Errors
    /// If the other side speaks another protocol.
    pub fn decode(bytes: &[u8; Self::LENGTH]) -> Result<Self, HandshakeError> {
        let field = |at: usize| std::array::from_fn(|index| bytes[at + index]);
        if bytes[..20] != PROTOCOL[..] {
            return Err(HandshakeError);
        }
        Ok(Self {
            reserved: Reserved(std::array::from_fn(|index| bytes[20 + index])),
            info_hash: InfoHash::from(field(28)),
            peer_id: PeerId::from(field(48)),
        })
    }
}

/// The first 20 bytes are not those of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer does not speak the BitTorrent protocol (it may insist on encryption)")]
pub struct HandshakeError;

/// The eight reserved bytes of a handshake: one bit an extension. Bits that are not known are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// With the bit of BEP 5: the sender runs a DHT node and takes `port` messages.
    #[must_use]
    pub const fn with_dht(mut self) -> Self {
        self.0[7] |= 0x01;
        self
    }

    /// With the bit of BEP 6, the fast extension.
    #[must_use]
    pub const fn with_fast(mut self) -> Self {
        self.0[7] |= 0x04;
        self
    }

    /// With the bit of BEP 10, the extension protocol.
    #[must_use]
    pub const fn with_extension(mut self) -> Self {
        self.0[5] |= 0x10;
        self
    }

    /// Whether the sender runs a DHT node. BEP 5.
    pub const fn dht(self) -> bool {
        self.0[7] & 0x01 != 0
    }

    /// Whether the sender speaks the fast extension. BEP 6.
    pub const fn fast(self) -> bool {
        self.0[7] & 0x04 != 0
    }

    /// Whether the sender speaks the extension protocol. BEP 10.
    pub const fn extension(self) -> bool {
        self.0[5] & 0x10 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_handshake_stands_on_the_wire_as_bep_3_lays_it_out() {
        let handshake = Handshake {
            reserved: Reserved::default().with_dht().with_fast().with_extension(),
            info_hash: InfoHash::from([0xaa; 20]),
            peer_id: PeerId::from([0xbb; 20]),
        };
        let mut expected = b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05".to_vec();
        expected.extend([0xaa; 20]);
        expected.extend([0xbb; 20]);
        assert_eq!(handshake.encode()[..], expected[..]);
    }

    #[test]
    fn another_protocol_is_refused() {
        let mut bytes = [0; 68];
        bytes[..20].copy_from_slice(b"GET / HTTP/1.1\r\nHost");
        assert_eq!(Handshake::decode(&bytes), Err(HandshakeError));
    }

    #[test]
    fn every_extension_has_its_own_bit() {
        let none = Reserved::default();
        let bits = |r: Reserved| (r.dht(), r.fast(), r.extension());
        assert_eq!(bits(none), (false, false, false));
        assert_eq!(bits(none.with_dht()), (true, false, false));
        assert_eq!(bits(none.with_fast()), (false, true, false));
        assert_eq!(bits(none.with_extension()), (false, false, true));
    }

    proptest! {
        #[test]
        fn a_handshake_reads_back_as_it_was_written(
            reserved: [u8; 8], info_hash: [u8; 20], peer_id: [u8; 20],
        ) {
            let handshake = Handshake {
                reserved: Reserved(reserved),
                info_hash: info_hash.into(),
                peer_id: peer_id.into(),
            };
            prop_assert_eq!(Handshake::decode(&handshake.encode()), Ok(handshake));
        }
    }
}
