//! What a .torrent file holds. BEP 3, "metainfo files".

mod create;
mod edit;
mod error;
mod file;
mod info;

use std::sync::Arc;

use bencode::{Dict, Encoder};
use bytes::Bytes;

pub use self::{
    create::{InfoBuilder, piece_length_for},
    edit::{Change, MetainfoEdit},
    error::MetainfoError,
    file::{File, MAX_NAME_LENGTH},
    info::Info,
};
use crate::HostPort;

/// A .torrent file: an info dictionary and advice on where to find it. BEP 3, "metainfo files".
#[derive(Clone, Debug)]
pub struct Metainfo {
    /// The torrent itself.
    pub info: Arc<Info>,
    /// DHT nodes that are near the torrent. BEP 5, "Torrent File Extensions".
    pub nodes: Vec<HostPort>,
    /// The trackers, tier by tier; they are shown and not used. BEP 12.
    pub trackers: Vec<String>,
    /// What the author says.
    pub comment: Option<String>,
    /// The program that made the file.
    pub created_by: Option<String>,
    /// When it was made, in seconds since 1970.
    pub creation_date: Option<i64>,
}

impl Metainfo {
    /// A torrent without any advice.
    pub fn new(info: Arc<Info>) -> Self {
        Self {
            info,
            nodes: Vec::new(),
            trackers: Vec::new(),
            comment: None,
            created_by: None,
            creation_date: None,
        }
    }

    /// Reads a .torrent file. Only the info dictionary can be refused; advice that makes no sense is left out.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self, MetainfoError> {
        let bytes = bytes.into();
        let document = bencode::decode(&bytes)?;
        let dict = document
            .root()
            .as_dict()
            .ok_or(MetainfoError::NotADictionary("its content"))?;
        let info = dict.get(b"info").ok_or(MetainfoError::Missing("info"))?;
        Ok(Self {
            info: Arc::new(Info::from_bytes(bytes.slice_ref(info.raw()))?),
            nodes: nodes(dict),
            trackers: trackers(dict),
            comment: text(dict, b"comment"),
            created_by: text(dict, b"created by"),
            creation_date: dict.integer(b"creation date"),
        })
    }

    /// The file's bytes. The info dictionary stays as it is, to the bit.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.info.raw().len() + 256);
        Encoder::new(&mut bytes).dict(|file| {
            if let Some(first) = self.trackers.first() {
                file.bytes(b"announce", first.as_bytes());
                file.list(b"announce-list", |tiers| {
                    for tracker in &self.trackers {
                        tiers.list(|tier| tier.bytes(tracker.as_bytes()));
                    }
                });
            }
            if let Some(comment) = &self.comment {
                file.bytes(b"comment", comment.as_bytes());
            }
            if let Some(created_by) = &self.created_by {
                file.bytes(b"created by", created_by.as_bytes());
            }
            if let Some(seconds) = self.creation_date {
                file.integer(b"creation date", seconds);
            }
            file.raw(b"info", self.info.raw());
            if !self.nodes.is_empty() {
                file.list(b"nodes", |nodes| encode_nodes(nodes, &self.nodes));
            }
        });
        bytes
    }
}

/// BEP 5, "Torrent File Extensions".
fn encode_nodes(list: &mut Encoder<'_>, nodes: &[HostPort]) {
    for HostPort { host, port } in nodes {
        list.list(|node| {
            node.bytes(host.as_bytes());
            node.integer((*port).into());
        });
    }
}

fn text(dict: Dict<'_>, key: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(dict.bytes(key)?);
    Some(text.into_owned())
}

fn nodes(dict: Dict<'_>) -> Vec<HostPort> {
    let nodes = dict.list(b"nodes").into_iter().flatten();
    nodes
        .filter_map(|node| {
            let mut node = node.as_list()?.iter();
            let host = node.next()?.as_str()?;
            let port = node.next()?.as_integer()?;
            HostPort::new(host, u16::try_from(port).ok()?).ok()
        })
        .collect()
}

fn trackers(dict: Dict<'_>) -> Vec<String> {
    let tiers = dict.list(b"announce-list").into_iter().flatten();
    let mut trackers: Vec<_> = tiers
        .filter_map(|tier| tier.as_list())
        .flatten()
        .filter_map(|tracker| tracker.as_str().map(str::to_owned))
        .collect();
    if trackers.is_empty() {
        trackers.extend(dict.str(b"announce").map(str::to_owned));
    }
    trackers
}

#[cfg(test)]
mod tests;
