//! Torrents that follow their publisher: an item in the DHT says which one is current. BEP 46.

use std::fmt;
use std::str::FromStr;

use dht::{Id, ItemError, ItemValue, ParsePublicKeyError, PublicKey, Salt};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use wire::InfoHash;

const SCHEME: &str = "magnet:?";
const KEY: &str = "xs=urn:btpk:";
const SALT: &str = "s=";

/// What an item holds that names a torrent. BEP 46, "Publishing content".
#[derive(Serialize, Deserialize)]
struct Pointer {
    ih: ByteArray<20>,
}

/// Somebody whose newest torrent can be found: `magnet:?xs=urn:btpk:KEY&s=SALT`. BEP 46, "Magnet link".
///
/// ```
/// let link = "magnet:?xs=urn:btpk:8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e&s=6e";
/// let publisher: trackless::Publisher = link.parse()?;
/// assert_eq!(publisher.target().to_string(), "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f");
/// assert_eq!(publisher.to_string(), link);
/// # Ok::<(), trackless::PublisherError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// Who signs.
    pub key: PublicKey,
    /// Which of the publisher's torrents it is.
    pub salt: Salt,
}

/// Why a text names no publisher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublisherError {
    /// Another kind of link, or none.
    #[error("the link names no publisher: it has no \"magnet:?xs=urn:btpk:\" and a key")]
    NoKey,
    /// The key is malformed.
    #[error("the publisher's link is damaged: {0}")]
    Key(#[from] ParsePublicKeyError),
    /// The salt is not hexadecimal.
    #[error("the publisher's link is damaged: its salt is not written in hexadecimal")]
    Salt,
    /// The salt is too long.
    #[error("the publisher's link is damaged: {0}")]
    LongSalt(#[from] ItemError),
}

impl Publisher {
    /// Where the item is that names the torrent.
    pub fn target(&self) -> Id {
        self.key.target(&self.salt)
    }

    /// The value that names a torrent.
    ///
    /// # Panics
    /// Never: a dictionary of twenty bytes is a value.
    pub fn pointer(info_hash: InfoHash) -> ItemValue {
        let ih = ByteArray::new(*info_hash.as_bytes());
        serde_bencode::to_bytes(&Pointer { ih })
            .ok()
            .and_then(|bencoded| ItemValue::from_bencode(&bencoded).ok())
            .expect("a dictionary of twenty bytes")
    }

    /// The torrent that a value names, if it does.
    pub fn info_hash(value: &ItemValue) -> Option<InfoHash> {
        let pointer: Pointer = serde_bencode::from_bytes(value.as_bencode()).ok()?;
        Some(InfoHash::from(pointer.ih.into_array()))
    }
}

impl FromStr for Publisher {
    type Err = PublisherError;

    /// Reads a link. What is unknown in it is left out.
    fn from_str(link: &str) -> Result<Self, PublisherError> {
        let parameters = link
            .trim()
            .strip_prefix(SCHEME)
            .ok_or(PublisherError::NoKey)?;
        let value = |name| parameters.split('&').find_map(|one| one.strip_prefix(name));
        let key = value(KEY).ok_or(PublisherError::NoKey)?.parse()?;
        let salt =
            hex::decode(value(SALT).unwrap_or_default()).map_err(|_| PublisherError::Salt)?;
        Ok(Self {
            key,
            salt: Salt::new(&salt)?,
        })
    }
}

impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{KEY}{}", self.key)?;
        if !self.salt.as_bytes().is_empty() {
            write!(f, "&{SALT}{}", hex::encode(self.salt.as_bytes()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str =
        "magnet:?xs=urn:btpk:8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";

    #[test]
    fn links_of_bep_46_lead_to_its_targets() {
        for (salt, target) in [
            ("", "cc3f9d90b572172053626f9980ce261a850d050b"),
            ("&s=6e", "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f"),
        ] {
            let link = format!("{LINK}{salt}");
            let publisher: Publisher = link.parse().unwrap();
            assert_eq!(publisher.target().to_string(), target);
            assert_eq!(publisher.to_string(), link);
        }
    }

    #[test]
    fn a_damaged_link_says_what_is_wrong() {
        let refused = |link: &str| link.parse::<Publisher>().unwrap_err();
        assert_eq!(refused("magnet:?xt=urn:btih:abc"), PublisherError::NoKey);
        assert_eq!(refused(&LINK[2..]), PublisherError::NoKey);
        assert!(matches!(
            refused(&LINK[..LINK.len() - 1]),
            PublisherError::Key(_)
        ));
        assert_eq!(refused(&format!("{LINK}&s=6")), PublisherError::Salt);
        let long = format!("{LINK}&s={}", "6e".repeat(65));
        assert!(matches!(refused(&long), PublisherError::LongSalt(_)));
    }

    #[test]
    fn a_pointer_names_a_torrent_and_other_values_name_none() {
        let info_hash = InfoHash::from([7; 20]);
        let pointer = Publisher::pointer(info_hash);
        assert_eq!(
            pointer.as_bencode(),
            [b"d2:ih20:", &[7; 20][..], b"e"].concat()
        );
        assert_eq!(Publisher::info_hash(&pointer), Some(info_hash));
        let with_more = [b"d1:ai1e2:ih20:", &[7; 20][..], b"4:name1:xe"].concat();
        let with_more = ItemValue::from_bencode(&with_more).unwrap();
        assert_eq!(Publisher::info_hash(&with_more), Some(info_hash));
        for other in [&b"5:hello"[..], b"d2:ih3:abce", b"le", b"d2:ihi7ee"] {
            let value = ItemValue::from_bencode(other).unwrap();
            assert_eq!(Publisher::info_hash(&value), None);
        }
    }
}
