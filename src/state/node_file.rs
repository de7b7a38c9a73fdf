//! The file of a node between two runs: a bencoded dictionary with a version.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{SavedContact, SavedNode, Unreadable};

/// The version that is written. Files of before it had one are version 1.
const VERSION: u32 = 2;

/// Contacts that are kept: plenty to find the network again.
pub(super) const MAX_CONTACTS: usize = 512;

/// In `nodes` and `nodes6` stand contacts as in BEP 5, "Contact Encoding", and BEP 32; from version 2 on each is followed by the seconds since it was
/// heard of, in four bytes, and the milliseconds that its last answer took, in two, all ones if nobody knows.
#[derive(Serialize, Deserialize)]
struct NodeFile {
    #[serde(with = "serde_bytes")]
    id: Vec<u8>,
    #[serde(with = "serde_bytes")]
    nodes: Vec<u8>,
    #[serde(with = "serde_bytes")]
    nodes6: Vec<u8>,
    #[serde(default = "first_version")]
    version: u32,
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    #[serde(default = "first_version")]
    version: u32,
}

fn first_version() -> u32 {
    1
}

/// What is written of a round trip that is not known.
const UNKNOWN: u16 = u16::MAX;

/// The smaller, the more is to be expected of a contact: that it was heard of lately, in steps of ten minutes; that it is fast.
fn promise(contact: &SavedContact) -> impl Ord + use<> {
    let SavedContact {
        silent_for,
        round_trip,
        ..
    } = *contact;
    let round_trip = round_trip.unwrap_or(Duration::MAX);
    (silent_for.as_secs() / 600, round_trip, silent_for)
}

/// Writes a node, with those of its contacts that promise most.
pub(super) fn encode(
    id: [u8; 20],
    mut contacts: Vec<SavedContact>,
) -> Result<Vec<u8>, serde_bencode::Error> {
    contacts.sort_by_key(promise);
    contacts.truncate(MAX_CONTACTS);
    let mut file = NodeFile {
        id: id.to_vec(),
        nodes: Vec::new(),
        nodes6: Vec::new(),
        version: VERSION,
    };
    for contact in &contacts {
        let nodes = match contact.address {
            SocketAddr::V4(_) => &mut file.nodes,
            SocketAddr::V6(_) => &mut file.nodes6,
        };
        nodes.extend_from_slice(&contact.id);
        match contact.address.ip() {
            IpAddr::V4(ip) => nodes.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => nodes.extend_from_slice(&ip.octets()),
        }
        nodes.extend_from_slice(&contact.address.port().to_be_bytes());
        let seconds = u32::try_from(contact.silent_for.as_secs()).unwrap_or(u32::MAX);
        nodes.extend_from_slice(&seconds.to_be_bytes());
        let milliseconds = contact.round_trip.map(|time| time.as_millis());
        let milliseconds = milliseconds.and_then(|time| u16::try_from(time).ok());
        nodes.extend_from_slice(&milliseconds.unwrap_or(UNKNOWN).to_be_bytes());
    }
    serde_bencode::to_bytes(&file)
}

/// Reads a node of this version or an earlier one. Of its contacts those come first that promise most.
pub(super) fn decode(bytes: &[u8]) -> Result<SavedNode, Unreadable> {
    let damaged = || Unreadable::Damaged("it is not a saved node");
    let head: Head = serde_bencode::from_bytes(bytes).map_err(|_| damaged())?;
    if head.version > VERSION {
        return Err(Unreadable::Newer {
            version: head.version,
            known: VERSION,
        });
    }
    let file: NodeFile = serde_bencode::from_bytes(bytes).map_err(|_| damaged())?;
    let has_ages = file.version >= 2;
    let id = file.id.try_into().map_err(|_| damaged())?;
    let mut contacts = read_contacts::<4>(&file.nodes, has_ages).ok_or_else(damaged)?;
    contacts.extend(read_contacts::<16>(&file.nodes6, has_ages).ok_or_else(damaged)?);
    contacts.sort_by_key(promise);
    Ok(SavedNode {
        id: Some(id),
        contacts,
    })
}

/// Contacts with addresses of `N` bytes.
fn read_contacts<const N: usize>(mut bytes: &[u8], has_ages: bool) -> Option<Vec<SavedContact>>
where
    [u8; N]: Into<IpAddr>,
{
    let mut contacts = Vec::new();
    while !bytes.is_empty() {
        let (id, rest) = bytes.split_first_chunk::<20>()?;
        let (ip, rest) = rest.split_first_chunk::<N>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let ((seconds, milliseconds), rest) = if has_ages {
            let (seconds, rest) = rest.split_first_chunk::<4>()?;
            let (milliseconds, rest) = rest.split_first_chunk::<2>()?;
            let milliseconds = u16::from_be_bytes(*milliseconds);
            ((u32::from_be_bytes(*seconds), milliseconds), rest)
        } else {
            ((0, UNKNOWN), rest)
        };
        contacts.push(SavedContact {
            id: *id,
            address: SocketAddr::new((*ip).into(), u16::from_be_bytes(*port)),
            silent_for: Duration::from_secs(seconds.into()),
            round_trip: (milliseconds != UNKNOWN)
                .then(|| Duration::from_millis(milliseconds.into())),
        });
        bytes = rest;
    }
    Some(contacts)
}
