//! A peer that does what a test wants, in raw bytes. BEP 3, "peer protocol".

use std::any::Any;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::{Gate, PATIENCE, Sample};

/// The ids of messages.
pub(crate) mod id {
    pub(crate) const UNCHOKE: u8 = 1;
    pub(crate) const INTERESTED: u8 = 2;
    pub(crate) const HAVE: u8 = 4;
    pub(crate) const BITFIELD: u8 = 5;
    pub(crate) const REQUEST: u8 = 6;
    pub(crate) const PIECE: u8 = 7;
    pub(crate) const HAVE_ALL: u8 = 14;
    pub(crate) const REJECT: u8 = 16;
    pub(crate) const EXTENDED: u8 = 20;
}

/// The id under which a fake peer takes metadata messages. BEP 10.
const OUR_METADATA_ID: u8 = 3;

/// A listening peer. Every connection is a conversation on a thread of its own; all end when this is dropped, and the test fails if one of them has.
pub(crate) struct FakePeer {
    address: SocketAddr,
    open: Arc<Mutex<Option<Vec<TcpStream>>>>,
    failure: Arc<Mutex<Option<Box<dyn Any + Send>>>>,
    acceptor: Option<JoinHandle<()>>,
}

impl FakePeer {
    /// Holds `conversation` with everybody who connects, and then hangs up.
    pub(crate) fn start(
        conversation: impl Fn(&mut Conversation) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let conversation = Arc::new(conversation);
        let failure = Arc::new(Mutex::new(None));
        let (streams, failed) = (Arc::clone(&open), Arc::clone(&failure));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(streams) = &mut *streams.lock().unwrap() else {
                    return;
                };
                streams.push(stream.try_clone().unwrap());
                let (conversation, failed) = (Arc::clone(&conversation), Arc::clone(&failed));
                thread::spawn(move || {
                    let mut with = Conversation::over(stream);
                    // The other side may hang up at any time.
                    let ended = catch_unwind(AssertUnwindSafe(|| conversation(&mut with)));
                    if let Err(panic) = ended {
                        *failed.lock().unwrap() = Some(panic);
                    }
                    let _ = with.stream.shutdown(Shutdown::Both);
                });
            }
        });
        Self {
            address,
            open,
            failure,
            acceptor: Some(acceptor),
        }
    }

    /// One who has everything, gives the metadata, and answers the requests for blocks with `answer`.
    pub(crate) fn seeding(
        sample: &Sample,
        answer: impl Fn(&mut Conversation, Block) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let sample = sample.clone();
        Self::start(move |conversation| {
            conversation.greet()?;
            conversation.offer_metadata(sample.info.raw().len())?;
            conversation.send(id::HAVE_ALL, &[])?;
            conversation.send(id::UNCHOKE, &[])?;
            loop {
                let (message, payload) = conversation.receive()?;
                match message {
                    id::REQUEST => answer(conversation, Block::read(&payload))?,
                    id::EXTENDED => conversation.answer_metadata(&payload, sample.info.raw())?,
                    _ => {}
                }
            }
        })
    }

    /// A seed as it should be.
    pub(crate) fn honest(sample: &Sample) -> Self {
        let content = sample.clone();
        Self::seeding(sample, move |conversation, block| {
            conversation.serve(&content, block)
        })
    }

    /// An honest seed that serves so many blocks, and no more before the gate is open.
    pub(crate) fn seeding_until(sample: &Sample, blocks: usize, gate: &Gate) -> Self {
        let (served, gate) = (Mutex::new(0), gate.clone());
        let content = sample.clone();
        Self::seeding(sample, move |conversation, block| {
            let first = {
                let mut served = served.lock().unwrap();
                *served += 1;
                *served <= blocks
            };
            if first || gate.pass() {
                conversation.serve(&content, block)?;
            }
            Ok(())
        })
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn socket_address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for FakePeer {
    fn drop(&mut self) {
        for stream in self.open.lock().unwrap().take().into_iter().flatten() {
            // Most are closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The acceptor looks up from its listening when somebody comes.
        let _ = TcpStream::connect(self.address);
        let _ = self.acceptor.take().map(JoinHandle::join);
        if let Some(panic) = self.failure.lock().unwrap().take()
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

/// What a request asks for, and a cancel takes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) piece: u32,
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

impl Block {
    pub(crate) const fn new(piece: u32, offset: u32, length: u32) -> Self {
        Self {
            piece,
            offset,
            length,
        }
    }

    pub(crate) fn read(payload: &[u8]) -> Self {
        let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        Self::new(number(0), number(4), number(8))
    }

    /// As the payload of a request.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [self.piece, self.offset, self.length]
            .map(u32::to_be_bytes)
            .concat()
    }
}

/// A connection with the program under test.
pub(crate) struct Conversation {
    stream: TcpStream,
    /// The id under which the other side takes metadata messages.
    their_metadata_id: Option<u8>,
}

impl Conversation {
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            their_metadata_id: None,
        }
    }

    /// Dials somebody who listens.
    pub(crate) fn with(address: &str) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// Ends it without a word: what is on its way is lost, and the other side hears of an error.
    pub(crate) fn reset(self) {
        let socket = SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Answers the handshake that opens the connection, for the same torrent. Speaks BEP 6 and 10.
    pub(crate) fn greet(&mut self) -> io::Result<()> {
        let info_hash = self.read_handshake()?;
        self.send_handshake(info_hash)
    }

    /// Reads a handshake and returns its info-hash.
    pub(crate) fn read_handshake(&mut self) -> io::Result<[u8; 20]> {
        let mut handshake = [0; 68];
        self.stream.read_exact(&mut handshake)?;
        assert_eq!(&handshake[..20], b"\x13BitTorrent protocol");
        Ok(handshake[28..48].try_into().unwrap())
    }

    pub(crate) fn send_handshake(&mut self, info_hash: [u8; 20]) -> io::Result<()> {
        // Each connection has a peer id of its own, or it would be taken for a second one to the same peer.
        let port =
            self.stream.peer_addr()?.port() ^ self.stream.local_addr()?.port().rotate_left(8);
        let peer_id = format!("-FK0001-{port:012}");
        let reserved = [0, 0, 0, 0, 0, 0x10, 0, 0x04];
        let handshake = [
            b"\x13BitTorrent protocol",
            &reserved[..],
            &info_hash,
            peer_id.as_bytes(),
        ];
        self.send_raw(&handshake.concat())
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub(crate) fn send(&mut self, message: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(1 + payload.len()).unwrap().to_be_bytes();
        self.send_raw(&[&length, &[message][..], payload].concat())
    }

    /// A block as the answer to a request.
    pub(crate) fn send_block(&mut self, piece: u32, offset: u32, bytes: &[u8]) -> io::Result<()> {
        let payload = [&piece.to_be_bytes(), &offset.to_be_bytes(), bytes].concat();
        self.send(id::PIECE, &payload)
    }

    /// The block that was asked for.
    pub(crate) fn serve(&mut self, sample: &Sample, block: Block) -> io::Result<()> {
        let bytes = sample.block(block.piece, block.offset, block.length);
        self.send_block(block.piece, block.offset, bytes)
    }

    /// The next message that is no keep-alive: its id and its payload.
    pub(crate) fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            let mut length = [0; 4];
            self.stream.read_exact(&mut length)?;
            let mut message = vec![0; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut message)?;
            if let Some((&id, payload)) = message.split_first() {
                return Ok((id, payload.to_vec()));
            }
        }
    }

    /// Says that metadata of this length can be had here. BEP 9.
    pub(crate) fn offer_metadata(&mut self, length: usize) -> io::Result<()> {
        let handshake =
            format!("\0d1:md11:ut_metadatai{OUR_METADATA_ID}ee13:metadata_sizei{length}ee");
        self.send(id::EXTENDED, handshake.as_bytes())
    }

    /// Deals with an extended message of the other side's as one who has the metadata `raw`.
    pub(crate) fn answer_metadata(&mut self, payload: &[u8], raw: &[u8]) -> io::Result<()> {
        let Some((&message, payload)) = payload.split_first() else {
            return Ok(());
        };
        let (document, _) = bencode::decode_prefix(payload).unwrap();
        let dict = document.root().as_dict().unwrap();
        if message == 0 {
            let id = dict.dict(b"m").and_then(|ids| ids.integer(b"ut_metadata"));
            self.their_metadata_id = id.map(|id| u8::try_from(id).unwrap());
        } else if message == OUR_METADATA_ID && dict.integer(b"msg_type") == Some(0) {
            let piece = usize::try_from(dict.integer(b"piece").unwrap()).unwrap();
            let data = raw.chunks(16 * 1024).nth(piece).unwrap_or_default();
            let id = self
                .their_metadata_id
                .expect("a handshake comes before requests");
            let head = format!(
                "d8:msg_typei1e5:piecei{piece}e10:total_sizei{}ee",
                raw.len()
            );
            self.send(id::EXTENDED, &[&[id], head.as_bytes(), data].concat())?;
        }
        Ok(())
    }

    /// Reads on until the other side hangs up; says whether it did so within [`PATIENCE`].
    pub(crate) fn hangs_up(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(true),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
