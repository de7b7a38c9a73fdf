use std::net::SocketAddr;
use std::time::Duration;

use super::Torrent;
use crate::connection::Connection;
use crate::piece_picker::PiecePicker;
use crate::rate::RECENT;
use crate::{Direction, Link};

/// How far a torrent is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Pieces of the torrent; 0 while the metadata is unknown.
    pub pieces: u32,
    /// Pieces that are there and checked.
    pub pieces_done: u32,
    /// Bytes of the torrent; 0 while the metadata is unknown.
    pub bytes: u64,
    /// Bytes that are there and checked.
    pub bytes_done: u64,
    /// Bytes of the pieces that are wanted, there or not; 0 before [`Input::Start`](crate::Input::Start).
    pub bytes_wanted: u64,
    /// Bytes that are wanted and not there; 0 before [`Input::Start`](crate::Input::Start).
    pub bytes_missing: u64,
    /// Bytes of blocks received since the start, those of failed pieces included.
    pub downloaded: u64,
    /// Bytes of blocks sent since the start.
    pub uploaded: u64,
    /// Bytes a second received of late.
    pub download_rate: u64,
    /// Bytes a second sent of late.
    pub upload_rate: u64,
    /// Open connections.
    pub connected: usize,
    /// Open connections to peers that have everything.
    pub seeds: usize,
    /// Addresses being dialled.
    pub dialling: usize,
    /// Addresses known where there may be a peer, dialled and connected ones included; our own and banned ones are not.
    pub known: usize,
}

/// What a user may want to know of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// Its name.
    pub link: Link,
    /// The other end.
    pub address: SocketAddr,
    /// Who dialled.
    pub direction: Direction,
    /// What the peer calls itself, else what its peer id tells.
    pub client: Option<String>,
    /// Pieces that the peer has.
    pub pieces: u32,
    /// Bytes received from it.
    pub downloaded: u64,
    /// Bytes sent to it.
    pub uploaded: u64,
    /// Bytes a second received of late.
    pub download_rate: u64,
    /// Bytes a second sent of late.
    pub upload_rate: u64,
    /// It serves us.
    pub unchoked: bool,
    /// We serve it.
    pub served: bool,
    /// Requests in flight to it.
    pub outstanding: u32,
    /// Requests of it that wait.
    pub queued: usize,
}

impl Torrent {
    /// How far it is, as of `now`.
    pub fn progress(&self, now: Duration) -> Progress {
        let geometry = self.info.as_ref().map(|info| info.geometry());
        let bytes = geometry.map_or(0, |geometry| geometry.total());
        Progress {
            pieces: geometry.map_or(0, |geometry| geometry.pieces()),
            pieces_done: self.have().map_or(0, crate::Bitfield::count_ones),
            bytes,
            bytes_done: self
                .picker
                .as_ref()
                .map_or(0, |picker| bytes.saturating_sub(picker.bytes_left())),
            bytes_wanted: self.picker.as_ref().map_or(0, PiecePicker::bytes_wanted),
            bytes_missing: self.picker.as_ref().map_or(0, PiecePicker::bytes_missing),
            downloaded: self.downloaded.total,
            uploaded: self.uploaded.total,
            download_rate: self.downloaded.rate.per_second(now, RECENT),
            upload_rate: self.uploaded.rate.per_second(now, RECENT),
            connected: self.connections.len(),
            seeds: self
                .connections
                .values()
                .filter(|connection| connection.is_seed())
                .count(),
            dialling: self.peers.dialling(),
            known: self.peers.prospects(),
        }
    }

    /// The open connections, as of `now`.
    pub fn links(&self, now: Duration) -> impl Iterator<Item = LinkView> + '_ {
        self.connections
            .iter()
            .map(move |(&link, connection)| view(link, connection, now))
    }
}

fn view(link: Link, connection: &Connection, now: Duration) -> LinkView {
    LinkView {
        link,
        address: connection.address,
        direction: connection.direction,
        client: connection
            .client
            .clone()
            .or_else(|| connection.peer_id.client()),
        pieces: connection.bitfield().map_or(0, crate::Bitfield::count_ones),
        downloaded: connection.downloaded.total,
        uploaded: connection.uploaded.total,
        download_rate: connection.downloaded.rate.per_second(now, RECENT),
        upload_rate: connection.uploaded.rate.per_second(now, RECENT),
        unchoked: !connection.theirs.choking,
        served: !connection.ours.choking,
        outstanding: connection.requests.len(),
        queued: connection.uploads.len(),
    }
}
