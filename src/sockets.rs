//! The listening sockets: one port, TCP for peers and UDP for the DHT.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

use crate::Error;

/// BitTorrent's customary ports, tried in turn when none is asked for.
const CUSTOMARY: std::ops::RangeInclusive<u16> = 6881..=6889;
/// Room for a burst of datagrams; the system may grant less.
const RECEIVE_BUFFER: usize = 4 << 20;
const BACKLOG: i32 = 256;
/// A port that is free for TCP may be taken for UDP: how often another one is drawn.
const DRAWS: u32 = 16;

/// Both sockets of one address.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) address: SocketAddr,
    pub(crate) tcp: TcpListener,
    pub(crate) udp: UdpSocket,
}

/// Opens the sockets for the addresses that were asked for; without any, the first customary port that is free, of every
/// address of both families.
pub(crate) fn open(listen: &[SocketAddr]) -> Result<Vec<Pair>, Error> {
    if listen.is_empty() {
        return open_customary();
    }
    let pairs = listen
        .iter()
        .map(|&address| open_pair(address).map_err(|source| Error::Bind { address, source }));
    pairs.collect()
}

fn open_customary() -> Result<Vec<Pair>, Error> {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let v4 = CUSTOMARY
        .map(|port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
        .find_map(|address| open_pair(address).ok())
        .map_or_else(|| open_pair(any), Ok)
        .map_err(|source| Error::Bind {
            address: any,
            source,
        })?;
    // A machine without IPv6 is no reason to complain.
    let v6 = open_pair(SocketAddr::from((Ipv6Addr::UNSPECIFIED, v4.address.port()))).ok();
    Ok(std::iter::once(v4).chain(v6).collect())
}

fn open_pair(address: SocketAddr) -> io::Result<Pair> {
    let mut draws = if address.port() == 0 { DRAWS } else { 1 };
    loop {
        draws -= 1;
        let tcp = open_tcp(address)?;
        let bound = tcp.local_addr()?;
        match open_udp(bound) {
            Ok(udp) => {
                return Ok(Pair {
                    address: bound,
                    tcp,
                    udp,
                });
            }
            Err(error) if draws == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

fn open_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Elsewhere the option lets a second process take the port.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    prepare(&socket, address)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn open_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    prepare(&socket, address)?;
    UdpSocket::from_std(socket.into())
}

fn prepare(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())
}
