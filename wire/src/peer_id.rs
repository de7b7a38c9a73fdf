use std::fmt;

use rand::Rng;

/// The 20 bytes by which a client names itself for one torrent. BEP 20.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; Self::LENGTH]);

impl PeerId {
    /// Bytes of a peer id.
    pub const LENGTH: usize = 20;

    /// A fresh id that begins with a client's prefix, such as `-TL0100-`.
    pub fn generate(rng: &mut impl Rng, prefix: [u8; 8]) -> Self {
        let mut id = [0; Self::LENGTH];
        let (head, tail) = id.split_at_mut(prefix.len());
        head.copy_from_slice(&prefix);
        rng.fill_bytes(tail);
        Self(id)
    }

    /// The 20 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The client and version that the id claims, for people to read: `libtorrent 2.0.11`. Nothing vouches for it.
    ///
    /// `None` where the id follows neither the style of Azureus nor that of mainline and aria2.
    pub fn client(&self) -> Option<String> {
        match self.0 {
            [b'-', a, b, major, minor, tiny, build, b'-', ..] if a.is_ascii_alphanumeric() => {
                let mut version = [digit(major)?, digit(minor)?, digit(tiny)?, digit(build)?];
                // libtorrent and most others fill the version up with zeros.
                let length = version.iter().rposition(|&part| part != 0).unwrap_or(0) + 1;
                let version = &mut version[..length.max(2)];
                let version: Vec<_> = version.iter().map(u8::to_string).collect();
                Some(format!("{} {}", azureus_name([a, b])?, version.join(".")))
            }
            [b'M', b'0'..=b'9', b'-', ..] => dashed_version("Mainline", &self.0[1..]),
            [b'A', b'2', b'-', ..] => dashed_version("aria2", &self.0[3..]),
            _ => None,
        }
    }
}

/// A version's digit: 0 to 9, then A (10) to Z (35), then a (36) to z (61).
fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'Z' => Some(character - b'A' + 10),
        b'a'..=b'z' => Some(character - b'a' + 36),
        _ => None,
    }
}

/// Up to three decimal numbers with a dash behind each: `4-3-6-`.
fn dashed_version(name: &str, text: &[u8]) -> Option<String> {
    let numbers: Vec<_> = text
        .split(|&byte| byte == b'-')
        .take(3)
        .map(|number| str::from_utf8(number).ok())
        .take_while(|number| {
            number.is_some_and(|n| {
                (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit())
            })
        })
        .collect::<Option<_>>()?;
    (!numbers.is_empty()).then(|| format!("{name} {}", numbers.join(".")))
}

/// The clients that are met today; any other goes by its two letters.
fn azureus_name(code: [u8; 2]) -> Option<String> {
    let name = match &code {
        b"AZ" => "Vuze",
        b"BC" => "BitComet",
        b"BI" => "BiglyBT",
        b"DE" => "Deluge",
        b"FD" => "Free Download Manager",
        b"KT" => "KTorrent",
        b"LT" => "libtorrent",
        b"lt" => "rTorrent",
        b"MO" => "MonoTorrent",
        b"TL" => "trackless",
        b"TR" => "Transmission",
        b"TX" => "Tixati",
        b"UM" => "µTorrent Mac",
        b"UT" => "µTorrent",
        b"UW" => "µTorrent Web",
        b"WD" => "WebTorrent Desktop",
        b"WW" => "WebTorrent",
        b"XL" => "Xunlei",
        b"qB" => "qBittorrent",
        b"rQ" => "rqbit",
        [_, b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'] => {
            return String::from_utf8(code.to_vec()).ok();
        }
        _ => return None,
    };
    Some(name.to_owned())
}

impl From<[u8; PeerId::LENGTH]> for PeerId {
    fn from(bytes: [u8; PeerId::LENGTH]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn client(prefix: &[u8]) -> Option<String> {
        let mut id = [b'x'; 20];
        id[..prefix.len()].copy_from_slice(prefix);
        PeerId::from(id).client()
    }

    #[test]
    fn known_clients_are_called_by_their_name() {
        for (prefix, name) in [
            (&b"-LT20B0-"[..], "libtorrent 2.0.11"),
            (b"-TR4060-", "Transmission 4.0.6"),
            (b"-qB5000-", "qBittorrent 5.0"),
            (b"-TL0100-", "trackless 0.1"),
            (b"-QZ1230-", "QZ 1.2.3"),
            (b"M4-3-6--", "Mainline 4.3.6"),
            (b"M4-20-8-", "Mainline 4.20.8"),
            (b"A2-1-37-0-", "aria2 1.37.0"),
        ] {
            assert_eq!(client(prefix).as_deref(), Some(name));
        }
    }

    #[test]
    fn noise_has_no_name() {
        for prefix in [
            &b"\0\x03BS"[..],
            b"--------",
            b"-LT\xff000-",
            b"Mx-3-6--",
            b"A2--",
        ] {
            assert_eq!(client(prefix), None, "{}", prefix.escape_ascii());
        }
    }

    #[test]
    fn generated_ids_share_the_prefix_only() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let one = PeerId::generate(&mut rng, *b"-TL0100-");
        let other = PeerId::generate(&mut rng, *b"-TL0100-");
        assert_eq!(one.client().as_deref(), Some("trackless 0.1"));
        assert_eq!(one.as_bytes()[..8], other.as_bytes()[..8]);
        assert_ne!(one.as_bytes()[8..], other.as_bytes()[8..]);
    }

    proptest! {
        #[test]
        fn any_id_can_be_shown(bytes: [u8; 20], style in 0..3) {
            let mut bytes = bytes;
            match style {
                0 => (bytes[0], bytes[7]) = (b'-', b'-'),
                1 => bytes[..3].copy_from_slice(b"M4-"),
                _ => bytes[..3].copy_from_slice(b"A2-"),
            }
            let id = PeerId::from(bytes);
            let _ = (id.client(), format!("{id:?}"));
        }
    }
}
