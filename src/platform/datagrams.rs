//! Many datagrams in one call to the operating system, where it has such a call.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use dht::Family;
use tokio::net::UdpSocket;

/// Datagrams that one call takes or gives.
const BATCH: usize = 64;
/// Larger than any datagram that makes sense; what is cut off does not decode.
const MAX_DATAGRAM: usize = 4096;
/// From one datagram to the next. With a power of two the heads of all of them, which are all that most have, would
/// share few lines of the processor's nearest cache.
const STRIDE: usize = MAX_DATAGRAM + 64;

/// The datagrams that came with the last call.
pub(crate) struct Arrivals {
    room: Box<[u8]>,
    /// In the order of their places in the room.
    arrived: Vec<(SocketAddr, usize)>,
}

impl Arrivals {
    /// No datagrams.
    pub(crate) fn new() -> Self {
        Self {
            room: vec![0; BATCH * STRIDE].into_boxed_slice(),
            arrived: Vec::with_capacity(BATCH),
        }
    }

    /// Takes as many datagrams as there are, up to what one call gives, in place of those from before. None if nothing is left; or if
    /// the system reports what an earlier datagram of ours met, which concerns nobody here.
    pub(crate) fn receive(&mut self, socket: &UdpSocket, family: Family) {
        self.arrived.clear();
        let _ = system::receive(socket, family, &mut self.room, &mut self.arrived);
    }

    /// Who sent what.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let places = self.room.chunks_exact(STRIDE);
        let datagrams = self.arrived.iter().zip(places);
        datagrams.filter_map(|(&(from, length), place)| Some((from, place.get(..length)?)))
    }
}

/// Datagrams that leave with the next call.
#[derive(Default)]
pub(crate) struct Departures {
    bytes: Vec<u8>,
    /// To whom, and where in the bytes.
    letters: Vec<(SocketAddr, Range<usize>)>,
}

impl Departures {
    /// Adds a datagram, which `write` appends to the bytes that it is given.
    pub(crate) fn push(&mut self, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.letters.push((to, start..self.bytes.len()));
    }

    /// Whether they fill a call.
    pub(crate) fn is_full(&self) -> bool {
        self.letters.len() >= BATCH
    }

    /// Sends them all, past the runtime, which knows of a fresh socket only later that it can be written to. What the system refuses is
    /// lost, as any datagram may be.
    pub(crate) fn send(&mut self, socket: &UdpSocket) {
        let mut rest = self.letters.as_slice();
        while !rest.is_empty() {
            let (batch, _) = rest.split_at(rest.len().min(BATCH));
            let done = match system::send(socket, batch, &self.bytes) {
                Ok(sent) => sent.max(1),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    if let [(to, _), ..] = batch {
                        tracing::trace!(%to, %error, "a datagram was not sent");
                    }
                    1
                }
            };
            rest = rest.get(done..).unwrap_or_default();
        }
        self.letters.clear();
        self.bytes.clear();
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::cell::RefCell;
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::SocketAddr;
    use std::ops::Range;
    use std::os::fd::AsRawFd;

    use arrayvec::ArrayVec;
    use dht::Family;
    use nix::sys::socket::{
        MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg,
    };
    use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
    use tokio::io::Interest;
    use tokio::net::UdpSocket;

    use super::{BATCH, MAX_DATAGRAM, STRIDE};

    thread_local! {
        // They hold pointers, so that no task can keep them while it waits.
        static HEADERS_V4: RefCell<MultiHeaders<SockaddrIn>> = RefCell::new(MultiHeaders::preallocate(BATCH, None));
        static HEADERS_V6: RefCell<MultiHeaders<SockaddrIn6>> = RefCell::new(MultiHeaders::preallocate(BATCH, None));
    }

    pub(super) fn receive(
        socket: &UdpSocket,
        family: Family,
        room: &mut [u8],
        arrived: &mut Vec<(SocketAddr, usize)>,
    ) -> io::Result<()> {
        socket.try_io(Interest::READABLE, || {
            match family {
                Family::V4 => {
                    HEADERS_V4.with_borrow_mut(|headers| fill(headers, socket, room, arrived))
                }
                Family::V6 => {
                    HEADERS_V6.with_borrow_mut(|headers| fill(headers, socket, room, arrived))
                }
            }?;
            // Fewer than were asked for: nothing is left, and the runtime need not try again to know it.
            if arrived.len() < BATCH {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        })
    }

    fn fill<S: SockaddrLike + Copy + Into<SocketAddr>>(
        headers: &mut MultiHeaders<S>,
        socket: &UdpSocket,
        room: &mut [u8],
        arrived: &mut Vec<(SocketAddr, usize)>,
    ) -> io::Result<()> {
        let mut places = room
            .chunks_exact_mut(STRIDE)
            .map(|place| place.split_at_mut(MAX_DATAGRAM).0);
        let mut places: [_; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(places.next().unwrap_or_default())]);
        let datagrams = recvmmsg(
            socket.as_raw_fd(),
            headers,
            places.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        arrived.extend(
            datagrams.map_while(|datagram| Some((datagram.address?.into(), datagram.bytes))),
        );
        Ok(())
    }

    /// Sends some of the letters, and says how many; the error is that of the first one.
    pub(super) fn send(
        socket: &UdpSocket,
        letters: &[(SocketAddr, Range<usize>)],
        bytes: &[u8],
    ) -> io::Result<usize> {
        let letters = letters.get(..BATCH).unwrap_or(letters);
        let names: ArrayVec<SocketAddrAny, BATCH> =
            letters.iter().map(|(to, _)| (*to).into()).collect();
        let slices: ArrayVec<_, BATCH> = letters
            .iter()
            .map(|(_, place)| [IoSlice::new(bytes.get(place.clone()).unwrap_or_default())])
            .collect();
        let mut nothing: ArrayVec<_, BATCH> = letters
            .iter()
            .map(|_| SendAncillaryBuffer::default())
            .collect();
        let mut headers: ArrayVec<_, BATCH> = names
            .iter()
            .zip(&slices)
            .zip(&mut nothing)
            .map(|((name, slice), nothing)| MMsgHdr::new_with_addr(name, slice, nothing))
            .collect();
        Ok(sendmmsg(socket, &mut headers, SendFlags::DONTWAIT)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::net::SocketAddr;
    use std::ops::Range;

    use dht::Family;
    use socket2::SockRef;
    use tokio::net::UdpSocket;

    use super::{BATCH, MAX_DATAGRAM, STRIDE};

    pub(super) fn receive(
        socket: &UdpSocket,
        _: Family,
        room: &mut [u8],
        arrived: &mut Vec<(SocketAddr, usize)>,
    ) -> io::Result<()> {
        for place in room.chunks_exact_mut(STRIDE).take(BATCH) {
            let (place, _) = place.split_at_mut(MAX_DATAGRAM);
            let (length, from) = socket.try_recv_from(place)?;
            arrived.push((from, length));
        }
        Ok(())
    }

    /// Sends the first of the letters.
    pub(super) fn send(
        socket: &UdpSocket,
        letters: &[(SocketAddr, Range<usize>)],
        bytes: &[u8],
    ) -> io::Result<usize> {
        let Some((to, place)) = letters.first() else {
            return Ok(0);
        };
        let datagram = bytes.get(place.clone()).unwrap_or_default();
        SockRef::from(socket).send_to(datagram, &(*to).into())?;
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn socket(address: &str) -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind(address).await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// All that arrives until so many datagrams have.
    async fn receive(
        socket: &UdpSocket,
        family: Family,
        count: usize,
    ) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut arrivals = Arrivals::new();
        let mut received = Vec::new();
        while received.len() < count {
            let patience = Duration::from_secs(20);
            tokio::time::timeout(patience, socket.readable())
                .await
                .expect("a datagram")
                .unwrap();
            arrivals.receive(socket, family);
            received.extend(
                arrivals
                    .iter()
                    .map(|(from, datagram)| (from, datagram.to_vec())),
            );
        }
        received
    }

    #[tokio::test]
    async fn more_datagrams_than_a_call_takes_arrive_each_from_its_sender() {
        for (family, address) in [(Family::V4, "127.0.0.1:0"), (Family::V6, "[::1]:0")] {
            let (here, there) = (socket(address).await, socket(address).await);
            let mut departures = Departures::default();
            for number in 0..150u8 {
                departures.push(there.1, |bytes| {
                    bytes.extend(std::iter::repeat_n(number, usize::from(number)));
                });
            }
            assert!(departures.is_full());
            departures.send(&here.0);
            let received = receive(&there.0, family, 150).await;
            for (number, (from, datagram)) in (0..150).zip(&received) {
                assert_eq!(
                    (*from, datagram),
                    (here.1, &vec![number; usize::from(number)])
                );
            }
            assert_eq!(received.len(), 150);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_sent_does_not_hold_up_what_comes_after() {
        let (here, there) = (socket("127.0.0.1:0").await, socket("127.0.0.1:0").await);
        let mut departures = Departures::default();
        departures.push(there.1, |bytes| bytes.extend(b"before"));
        // Port 0, and a datagram longer than there can be.
        departures.push("127.0.0.1:0".parse().unwrap(), |bytes| bytes.push(b'x'));
        departures.push(there.1, |bytes| bytes.resize(bytes.len() + 70_000, b'x'));
        departures.push(there.1, |bytes| bytes.extend(b"after"));
        departures.send(&here.0);
        let received = receive(&there.0, Family::V4, 2).await;
        let texts: Vec<_> = received
            .iter()
            .map(|(_, datagram)| datagram.as_slice())
            .collect();
        assert_eq!(texts, [&b"before"[..], b"after"]);
    }

    #[tokio::test]
    async fn of_a_datagram_that_is_too_long_the_beginning_arrives() {
        let (here, there) = (socket("127.0.0.1:0").await, socket("127.0.0.1:0").await);
        here.0.send_to(&vec![b'x'; 60_000], there.1).await.unwrap();
        here.0.send_to(b"next", there.1).await.unwrap();
        let received = receive(&there.0, Family::V4, 2).await;
        assert_eq!(received[0].1.len(), MAX_DATAGRAM);
        assert_eq!(received[1].1, b"next");
    }
}
