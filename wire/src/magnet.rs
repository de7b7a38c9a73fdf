use std::{borrow::Cow, fmt, str::FromStr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{FileSet, HostPort, InfoHash, InfoHashError};

/// A magnet link: an info-hash, and advice on where to find the torrent. BEP 9, "magnet URI format".
///
/// ```
/// let link = "magnet:?xt=urn:btih:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&dn=a%20file&x.pe=[::1]:6881";
/// let magnet: wire::Magnet = link.parse()?;
/// assert_eq!(magnet.name.as_deref(), Some("a file"));
/// assert_eq!(magnet.peers[0].port, 6881);
/// assert_eq!(magnet.to_string(), link);
/// # Ok::<(), wire::MagnetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Magnet {
    /// The torrent (`xt`).
    pub info_hash: InfoHash,
    /// What to call it before its metadata is there (`dn`). Not to be used as a file name.
    pub name: Option<String>,
    /// Peers that may have it (`x.pe`).
    pub peers: Vec<HostPort>,
    /// Trackers, which are shown and not used (`tr`).
    pub trackers: Vec<String>,
    /// The files that are wanted, if not all are (`so`). BEP 53.
    pub files: Option<FileSet>,
}

/// Why a text is not a usable magnet link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MagnetError {
    /// Another kind of link, or none.
    #[error("a magnet link begins with \"magnet:?\"")]
    NotMagnet,
    /// Nothing of BitTorrent's in it.
    #[error("the magnet link names no torrent: it has no \"xt=urn:btih:\" and an info-hash")]
    NoInfoHash,
    /// Only the second version of the format.
    #[error(
        "the magnet link has only a BitTorrent v2 hash (\"urn:btmh:\", BEP 52), which is not supported; \
         ask for one with \"urn:btih:\""
    )]
    OnlyV2,
    /// The info-hash is malformed.
    #[error("the magnet link is damaged: {0}")]
    InfoHash(#[from] InfoHashError),
}

impl Magnet {
    /// A link that has only the torrent's info-hash.
    pub fn new(info_hash: InfoHash) -> Self {
        Self {
            info_hash,
            name: None,
            peers: Vec::new(),
            trackers: Vec::new(),
            files: None,
        }
    }
}

impl FromStr for Magnet {
    type Err = MagnetError;

    /// Reads a link. What is unknown in it, or is advice and makes no sense, is left out.
    fn from_str(link: &str) -> Result<Self, MagnetError> {
        let parameters =
            strip_prefix_ignore_case(link.trim(), "magnet:?").ok_or(MagnetError::NotMagnet)?;
        let mut info_hash = None;
        let mut is_v2 = false;
        let (mut name, mut peers, mut trackers) = (None, Vec::new(), Vec::new());
        let mut files = FileSet::default();
        for parameter in parameters.split('&') {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match without_number(key) {
                "xt" => {
                    let topic = decode(value);
                    if let Some(hash) = strip_prefix_ignore_case(&topic, "urn:btih:") {
                        info_hash.get_or_insert(hash.parse::<InfoHash>()?);
                    }
                    is_v2 |= strip_prefix_ignore_case(&topic, "urn:btmh:").is_some();
                }
                // Forms write a space as a plus; a plus that is meant is encoded.
                "dn" => name = Some(decode(&value.replace('+', " ")).into_owned()),
                "x.pe" => peers.extend(decode(value).parse::<HostPort>()),
                "tr" => trackers.push(decode(value).into_owned()),
                "so" => drop(files.insert_from(&decode(value))),
                _ => {}
            }
        }
        let info_hash = info_hash.ok_or(if is_v2 {
            MagnetError::OnlyV2
        } else {
            MagnetError::NoInfoHash
        })?;
        Ok(Self {
            info_hash,
            name,
            peers,
            trackers,
            files: (!files.is_empty()).then_some(files),
        })
    }
}

impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// What RFC 3986 leaves unreserved, and what addresses are written with.
        const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
            .remove(b'-')
            .remove(b'.')
            .remove(b'_')
            .remove(b'~')
            .remove(b':')
            .remove(b'[')
            .remove(b']');
        write!(f, "magnet:?xt=urn:btih:{}", self.info_hash)?;
        if let Some(name) = &self.name {
            write!(f, "&dn={}", utf8_percent_encode(name, ENCODED))?;
        }
        for tracker in &self.trackers {
            write!(f, "&tr={}", utf8_percent_encode(tracker, ENCODED))?;
        }
        for peer in &self.peers {
            let peer = peer.to_string();
            write!(f, "&x.pe={}", utf8_percent_encode(&peer, ENCODED))?;
        }
        if let Some(files) = &self.files {
            write!(f, "&so={files}")?;
        }
        Ok(())
    }
}

fn decode(value: &str) -> Cow<'_, str> {
    percent_decode_str(value).decode_utf8_lossy()
}

/// `tr.1` is `tr`: links number the parameters that they have more than one of.
fn without_number(key: &str) -> &str {
    match key.rsplit_once('.') {
        Some((key, number)) if number.parse::<u32>().is_ok() => key,
        _ => key,
    }
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn links_as_they_are_found_are_read() {
        let expected = Magnet {
            info_hash: [0xaa; 20].into(),
            name: Some("C++ é.iso".into()),
            peers: vec!["a.example:1".parse().unwrap()],
            trackers: vec!["udp://t.example:80/a".into(), "http://u/".into()],
            files: None,
        };
        for link in [
            format!("magnet:?xt=urn:btih:{HEX}&dn=C%2B%2B+%C3%A9.iso&tr=udp%3A%2F%2Ft.example%3A80%2Fa&tr=http://u/&x.pe=a.example:1"),
            format!("  MAGNET:?tr.1=udp://t.example:80/a&tr.2=http://u/&x.pe=a.example%3A1&so=x&dn=C%2b%2b%20é.iso&xt.1=urn:btih:{}\n", HEX.to_uppercase()),
            "magnet:?xt=urn:btmh:1220ff&xt=urn%3Abtih%3AVKVKVKVKVKVKVKVKVKVKVKVKVKVKVKVK&dn=C%2B%2B é.iso&tr=udp://t.example:80/a&tr=http://u/&x.pe=bad&x.pe=a.example:1".into(),
        ] {
            assert_eq!(link.parse().as_ref(), Ok(&expected), "{link}");
        }
    }

    /// BEP 53, "URI extension".
    #[test]
    fn a_link_may_want_some_files_only() {
        let link = format!("magnet:?xt=urn:btih:{HEX}&so=0,2,4,6-8");
        let magnet: Magnet = link.parse().unwrap();
        let files = magnet.files.as_ref().unwrap();
        let wanted: Vec<_> = (0..12).filter(|&file| files.contains(file)).collect();
        assert_eq!(wanted, [0, 2, 4, 6, 7, 8]);
        assert_eq!(magnet.to_string(), link);
        let damaged: Magnet = link.replace("6-8", "8-6%2c9").parse().unwrap();
        assert_eq!(damaged.files.unwrap().to_string(), "0,2,4,9");
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        let error = |link: &str| link.parse::<Magnet>().unwrap_err();
        assert_eq!(error(""), MagnetError::NotMagnet);
        assert_eq!(error("http://example/"), MagnetError::NotMagnet);
        assert_eq!(error("magnet:é"), MagnetError::NotMagnet);
        assert_eq!(error("magnet:?dn=x"), MagnetError::NoInfoHash);
        assert_eq!(error("magnet:?xt=urn:sha1:x&xt"), MagnetError::NoInfoHash);
        assert_eq!(error("magnet:?xt=urn:btmh:1220ff"), MagnetError::OnlyV2);
        assert_eq!(
            error("magnet:?xt=urn:btih:abc").to_string(),
            "the magnet link is damaged: an info-hash has 40 hexadecimal or 32 base32 characters, this one has 3"
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(
            info_hash: [u8; 20], name: Option<String>, trackers in prop::collection::vec(".*", 0..3),
            peers in prop::collection::vec((any::<std::net::IpAddr>(), 1u16..), 0..3),
            files in prop::option::of(prop::collection::vec(any::<u32>(), 1..4)),
        ) {
            let peers = peers.iter().map(|(ip, port)| HostPort::new(&ip.to_string(), *port).unwrap());
            let files = files.map(FileSet::from_iter);
            let magnet = Magnet { info_hash: info_hash.into(), name, peers: peers.collect(), trackers, files };
            prop_assert_eq!(magnet.to_string().parse(), Ok(magnet));
        }

        #[test]
        fn no_link_makes_the_reader_panic(rest in ".*", key in "xt|dn|x.pe|tr|so|xt.1|.*", value in "urn:btih:.*|%.*|.*") {
            let _ = format!("magnet:?{key}={value}&{rest}").parse::<Magnet>();
            let _ = rest.parse::<Magnet>();
        }
    }
}
