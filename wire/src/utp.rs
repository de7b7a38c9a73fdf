/// Bytes of a uTP header, which is all there is of a RESET.
const HEADER: usize = 20;
/// Type in the high half, version 1 in the low one.
const SYN: u8 = 0x41;
const RESET: u8 = 0x31;

/// The answer to a uTP packet that opens a connection, where nobody speaks uTP; `None` if the datagram is none. BEP 29,
/// "`ST_RESET`".
///
/// Clients try uTP first, and TCP only when that has failed: libtorrent waits four seconds, Transmission 3 for ever if
/// no uTP packet has come to it from anybody.
pub fn refuse_utp(datagram: &[u8]) -> Option<[u8; HEADER]> {
    let header = datagram.first_chunk::<HEADER>()?;
    let &[SYN, _, id_high, id_low, .., seq_high, seq_low, _, _] = header else {
        return None;
    };
    let mut reset = [0; HEADER];
    reset[0] = RESET;
    reset[2..4].copy_from_slice(&[id_high, id_low]);
    reset[18..20].copy_from_slice(&[seq_high, seq_low]);
    Some(reset)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Transmission sends it: extension bits after the header.
    const OPENING: [u8; 30] = [
        0x41, 2, 0x22, 0xf3, 0xa1, 0x76, 0x8b, 0x89, 0, 0, 0, 0, 0, 4, 0, 0, 0x78, 0xfa, 0, 0, 0,
        8, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn an_opening_packet_is_refused_with_its_own_connection_and_sequence_number() {
        let reset = refuse_utp(&OPENING).expect("it is a SYN");
        assert_eq!(reset[..4], [0x31, 0, 0x22, 0xf3]);
        assert_eq!(reset[4..18], [0; 14]);
        assert_eq!(reset[18..], [0x78, 0xfa], "the acknowledged packet");
    }

    #[test]
    fn nothing_else_is_answered() {
        assert_eq!(refuse_utp(&OPENING[..19]), None);
        assert_eq!(refuse_utp(&[]), None);
        assert_eq!(refuse_utp(b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae"), None);
        let mut other = OPENING;
        for first in (0..=0xff).filter(|&first| first != SYN) {
            other[0] = first;
            assert_eq!(
                refuse_utp(&other),
                None,
                "{first:02x}, such as a RESET, which would go back and forth"
            );
        }
    }
}
