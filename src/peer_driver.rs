//! Peers over TCP: dialling, accepting, handshakes; then a task for each connection.

mod connection;
mod crowd;
mod mailbox;
mod places;
mod writer;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use wire::{Direction, Handshake, InfoHash};

pub(crate) use connection::{Arrival, Batch, Connection};
pub(crate) use mailbox::{Mailbox, Order};
pub(crate) use places::{Place, Places};
pub(crate) use writer::Content;

/// How long a peer may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that have not said which torrent they want.
const MAX_STRANGERS: usize = 128;
/// Addresses that all torrents together dial at once.
const MAX_DIALS: usize = 128;
/// How long a dial may wait for its turn before it counts as failed.
const DIAL_PATIENCE: Duration = Duration::from_secs(30);
/// A pause after the system has refused to accept: it has no file descriptors left, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the network tells a session.
#[derive(Debug)]
pub(crate) enum News {
    /// From a connection that stands.
    Batch(Batch),
    /// Both handshakes are exchanged.
    Connected {
        stream: TcpStream,
        address: SocketAddr,
        direction: Direction,
        handshake: Handshake,
        place: Place,
    },
    /// Nobody there, or nobody who has this torrent.
    DialFailed(SocketAddr),
}

/// How many connections a node may have. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Ceilings {
    /// Those that have not said which torrent they want.
    strangers: Places,
    /// Those that have.
    connections: Places,
    /// Those that are being dialled.
    dials: Arc<Semaphore>,
}

impl Ceilings {
    /// At most so many connections, and beside them so many strangers and dials, of which there is no use for more than 128 each.
    pub(crate) fn new(connections: usize, others: usize) -> Self {
        Ceilings {
            strangers: Places::new(others.min(MAX_STRANGERS)),
            connections: Places::new(connections),
            dials: Arc::new(Semaphore::new(others.min(MAX_DIALS))),
        }
    }
}

/// Where a torrent of this node takes in connections.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    /// Our half of the handshake.
    pub(crate) handshake: Handshake,
    pub(crate) inbox: mpsc::Sender<News>,
}

/// The torrents that are open in this node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doors(Arc<Mutex<HashMap<InfoHash, Door>>>);

impl Doors {
    /// Opens a door; `false` if this torrent has one.
    pub(crate) fn open(&self, info_hash: InfoHash, door: Door) -> bool {
        let mut doors = self.lock();
        let free = !doors.contains_key(&info_hash);
        if free {
            doors.insert(info_hash, door);
        }
        free
    }

    pub(crate) fn close(&self, info_hash: InfoHash) {
        self.lock().remove(&info_hash);
    }

    fn find(&self, info_hash: InfoHash) -> Option<Door> {
        self.lock().get(&info_hash).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InfoHash, Door>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections and brings them to their torrents, until it is aborted.
///
/// Whoever says nothing holds a place until others need it.
pub(crate) async fn listen(listener: TcpListener, doors: Doors, ceilings: Ceilings) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let place = ceilings.strangers.insist(address.ip());
                tokio::spawn(meet(
                    stream,
                    address,
                    place,
                    doors.clone(),
                    ceilings.clone(),
                ));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Finds out which torrent a stranger wants, and brings him there.
async fn meet(
    stream: TcpStream,
    address: SocketAddr,
    place: Place,
    doors: Doors,
    ceilings: Ceilings,
) {
    let welcomed = tokio::select! {
        welcomed = timeout(HANDSHAKE_TIMEOUT, welcome(stream, &doors)) => welcomed,
        () = place.lost() => return,
    };
    let Ok(Ok((stream, handshake, door))) = welcomed else {
        return;
    };
    let Some(seat) = ceilings.connections.take(address.ip()) else {
        tracing::debug!(%address, "there are too many connections");
        return;
    };
    let connected = News::Connected {
        stream,
        address,
        direction: Direction::Incoming,
        handshake,
        place: seat,
    };
    let _ = door.inbox.send(connected).await;
}

/// The handshake of a connection that came in: the peer speaks first, so that we know which torrent it wants.
async fn welcome(mut stream: TcpStream, doors: &Doors) -> io::Result<(TcpStream, Handshake, Door)> {
    stream.set_nodelay(true)?;
    let handshake = read_handshake(&mut stream).await?;
    let door = doors
        .find(handshake.info_hash)
        .ok_or(io::ErrorKind::NotFound)?;
    stream.write_all(&door.handshake.encode()).await?;
    Ok((stream, handshake, door))
}

/// Dials a peer of one torrent and tells the session how it went. `from` is the address to dial from.
pub(crate) async fn dial(
    address: SocketAddr,
    from: Option<IpAddr>,
    door: Door,
    ceilings: Ceilings,
) {
    let news = match reach(address, from, &door.handshake, &ceilings).await {
        Ok((stream, handshake, place)) => News::Connected {
            stream,
            address,
            direction: Direction::Outgoing,
            handshake,
            place,
        },
        Err(error) => {
            tracing::debug!(%address, %error, "dialled in vain");
            News::DialFailed(address)
        }
    };
    let _ = door.inbox.send(news).await;
}

/// Dials when it is its turn, within the ceilings.
async fn reach(
    address: SocketAddr,
    from: Option<IpAddr>,
    ours: &Handshake,
    ceilings: &Ceilings,
) -> io::Result<(TcpStream, Handshake, Place)> {
    let closed = |_| io::ErrorKind::ConnectionAborted;
    let _turn = timeout(DIAL_PATIENCE, ceilings.dials.acquire())
        .await?
        .map_err(closed)?;
    let (stream, handshake) = connect(address, from, ours).await?;
    let full = || io::Error::other("there are too many connections");
    let place = ceilings.connections.take(address.ip()).ok_or_else(full)?;
    Ok((stream, handshake, place))
}

async fn connect(
    address: SocketAddr,
    from: Option<IpAddr>,
    ours: &Handshake,
) -> io::Result<(TcpStream, Handshake)> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(ip) = from {
        socket.bind(SocketAddr::new(ip, 0))?;
    }
    let mut stream = timeout(CONNECT_TIMEOUT, socket.connect(address)).await??;
    stream.set_nodelay(true)?;
    let theirs = timeout(HANDSHAKE_TIMEOUT, async {
        stream.write_all(&ours.encode()).await?;
        read_handshake(&mut stream).await
    })
    .await??;
    if theirs.info_hash != ours.info_hash {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the peer answered for another torrent",
        ));
    }
    Ok((stream, theirs))
}

/// Reads a handshake. Whoever begins otherwise (an encrypted handshake, another protocol) is turned away with its first
/// bytes, so that it can try again in plain text at once.
async fn read_handshake(stream: &mut TcpStream) -> io::Result<Handshake> {
    const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";
    let mut bytes = [0; Handshake::LENGTH];
    let mut read = 0;
    while read < bytes.len() {
        let count = stream.read(&mut bytes[read..]).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read += count;
        let known = read.min(PROTOCOL.len());
        if bytes[..known] != PROTOCOL[..known] {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Handshake::decode(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
