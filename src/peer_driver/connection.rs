//! One task a peer: bytes in, batches to the session; orders in, bytes out.

use std::collections::VecDeque;
use std::io;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use wire::{Block, Link, Message, Received, Receiver};

use super::mailbox::{Mailbox, Order};
use super::writer::{Content, Unreadable, Writer};
use super::{News, Place};
use crate::storage::{BlockBuffer, BlockPool};
use crate::throttle::Purse;

/// Reads before the session gets to see what came.
const READS_PER_TURN: usize = 2;

/// Blocks that a place is kept ready for, at most: twice what an engine has in flight. Those beyond are copied.
const MAX_EXPECTED: usize = 1024;

/// What one turn of a connection brought its session.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) link: Link,
    /// Frames of the messages among the arrivals, one after the other.
    pub(crate) frames: Vec<u8>,
    pub(crate) arrivals: Vec<Arrival>,
    /// Blocks that the socket has taken whole.
    pub(crate) uploaded: Vec<Block>,
    /// Blocks that could not be read, and are not sent.
    pub(crate) unreadable: Vec<Unreadable>,
    /// Why there will be no further batch.
    pub(crate) closed: Option<io::Error>,
}

/// In the order in which they came.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// The next frame of the batch.
    Message,
    /// A block and where it lies.
    Block(Block, BlockBuffer),
}

impl Batch {
    fn new(link: Link) -> Self {
        Batch {
            link,
            frames: Vec::new(),
            arrivals: Vec::new(),
            uploaded: Vec::new(),
            unreadable: Vec::new(),
            closed: None,
        }
    }

    fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
            && self.uploaded.is_empty()
            && self.unreadable.is_empty()
            && self.closed.is_none()
    }
}

/// A connection after its handshakes.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    receiver: Receiver<BlockBuffer>,
    /// Requests that were sent and not answered, in order.
    requested: VecDeque<Block>,
    writer: Writer,
    pool: BlockPool,
    mailbox: Mailbox,
    batch: Batch,
    /// Kept as long as the connection.
    place: Place,
}

impl Connection {
    pub(crate) fn new(
        link: Link,
        stream: TcpStream,
        place: Place,
        mailbox: Mailbox,
        pool: BlockPool,
        content: Content,
        purse: Purse,
    ) -> Self {
        Connection {
            stream,
            receiver: Receiver::default(),
            requested: VecDeque::new(),
            writer: Writer::new(content, purse),
            pool,
            mailbox,
            batch: Batch::new(link),
            place,
        }
    }

    /// Runs until either side ends it. The last batch, if the session did not end it, says why.
    pub(crate) async fn run(mut self, inbox: mpsc::Sender<News>) {
        loop {
            match self.turn().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => self.batch.closed = Some(error),
            }
            if self.batch.is_empty() {
                continue;
            }
            let last = self.batch.closed.is_some();
            let next = Batch::new(self.batch.link);
            let batch = std::mem::replace(&mut self.batch, next);
            // A session that is behind stops the reading here: the socket's window does the rest.
            if inbox.send(News::Batch(batch)).await.is_err() || last {
                return;
            }
        }
    }

    /// Does what can be done, then waits for more. `false` when the session has ended the connection.
    async fn turn(&mut self) -> io::Result<bool> {
        let open = self.take_orders()?;
        let written = self.writer.write(&self.stream, &mut self.batch.uploaded);
        self.writer.take_unreadable(&mut self.batch.unreadable);
        written?;
        if !open {
            return Ok(false);
        }
        if !self.batch.is_empty() {
            return Ok(true);
        }
        let interest = if self.writer.wants_socket() {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        tokio::select! {
            () = self.mailbox.changed() => {}
            supplied = self.writer.supplied() => supplied?,
            () = self.place.lost() => return Err(io::Error::other("others needed its place")),
            ready = self.stream.ready(interest) => {
                if ready?.is_readable() {
                    self.read()?;
                }
            }
        }
        Ok(true)
    }

    fn take_orders(&mut self) -> io::Result<bool> {
        let mut orders = Vec::new();
        let open = self.mailbox.take(&mut orders);
        for order in orders {
            match order {
                Order::Request(block) => {
                    if self.requested.len() >= MAX_EXPECTED {
                        self.requested.pop_front();
                    }
                    self.requested.push_back(block);
                }
                Order::Cancel(block) => forget(&mut self.requested, block),
                _ => {}
            }
            self.writer.push(order)?;
        }
        Ok(open)
    }

    fn read(&mut self) -> io::Result<()> {
        let Connection {
            stream,
            receiver,
            requested,
            pool,
            batch,
            ..
        } = self;
        for _ in 0..READS_PER_TURN {
            // The block that is being read was taken off `requested` by nobody yet: it is at or near the front.
            let filling = receiver.filling();
            let upcoming = requested
                .iter()
                .copied()
                .filter(|&block| Some(block) != filling);
            receiver.expect(upcoming, || pool.take());
            let count = match stream.try_read_vectored(&mut receiver.slices()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            receiver
                .advance(
                    count,
                    || pool.take(),
                    |received| match received {
                        Received::Message(message) => {
                            match message {
                                Message::Choke => requested.clear(),
                                Message::Reject(block) => forget(requested, block),
                                _ => {}
                            }
                            message.encode(&mut batch.frames);
                            batch.arrivals.push(Arrival::Message);
                        }
                        Received::Block(block, buffer) => {
                            // What stands before it was cancelled, refused or passed over: a wrong guess costs a copy.
                            if let Some(at) = requested.iter().position(|&other| other == block) {
                                requested.drain(..=at);
                            }
                            batch.arrivals.push(Arrival::Block(block, buffer));
                        }
                    },
                )
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        Ok(())
    }
}

/// The block will not come.
fn forget(requested: &mut VecDeque<Block>, block: Block) {
    if let Some(at) = requested.iter().position(|&other| other == block) {
        requested.remove(at);
    }
}
