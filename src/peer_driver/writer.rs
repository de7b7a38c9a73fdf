//! The sending half of a connection: messages as they are ordered, blocks from the disk a run at a time.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrayvec::ArrayVec;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wire::{Block, Geometry, Message, encode_piece_header};

use super::mailbox::Order;
use crate::storage::{Storage, StorageError};
use crate::throttle::Purse;

/// Blocks read and written together: small enough that what was read is still in the processor's cache when it is
/// written.
const RUN_BLOCKS: usize = 8;
/// The same where a thread has to wait for the disk: half a MiB, so that its wake-up costs little beside it.
const AHEAD_BLOCKS: usize = 32;
/// The same while the rate is limited: a message waits for the end of a run.
const LIMITED_RUN_BLOCKS: usize = 1;
/// A peer that leaves so many bytes of messages unread is not listening. The longest message has a quarter of it.
const MAX_UNREAD: usize = 1 << 20;
/// A peer that takes not a byte for so long, though some wait for it, is not listening either. What it keeps us from is memory.
const MAX_STANDSTILL: Duration = Duration::from_secs(120);
const HEADER: usize = 13;

/// A block that cannot be read, or is not right any more, and why.
pub(crate) type Unreadable = (Block, StorageError);

/// What reading a run has come to; `false` if the disk would have to be waited for.
type Reading = (Run, Result<bool, StorageError>);

/// Where a torrent's bytes are read from; empty until the metadata is there.
pub(crate) type Content = Arc<OnceLock<Arc<Storage>>>;

/// Blocks with their headers, as they go over the wire.
#[derive(Debug, Default)]
struct Run {
    blocks: Vec<Block>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Item {
    Messages(Vec<u8>),
    Run(Run),
}

impl Item {
    fn bytes(&self) -> &[u8] {
        match self {
            Item::Messages(bytes) => bytes,
            Item::Run(run) => &run.bytes,
        }
    }
}

/// Everything between an order and the socket.
#[derive(Debug)]
pub(crate) struct Writer {
    content: Content,
    /// What payload may be sent.
    purse: Purse,
    /// Messages that wait: they go before blocks, since others wait for them.
    messages: Vec<u8>,
    uploads: VecDeque<Block>,
    /// How many at the front of them are read one by one, since together they could not be: it shows which of them is to blame.
    doubtful: usize,
    /// What could not be read since the last [`take_unreadable`](Self::take_unreadable).
    unreadable: Vec<Unreadable>,
    /// The system had the last run in memory: the next one is read when it is its turn, and not ahead of it.
    at_hand: bool,
    /// The run that comes after `current`: being read, or there.
    reading: Option<JoinHandle<Reading>>,
    ready: Option<Run>,
    current: Option<Item>,
    /// Bytes of `current` that the socket has taken.
    written: usize,
    /// The purse is empty, and what is to be sent is payload.
    held: bool,
    /// Since when the socket takes nothing.
    stuck_since: Option<Instant>,
    spare: Option<Run>,
}

impl Writer {
    pub(crate) fn new(content: Content, purse: Purse) -> Self {
        Writer {
            content,
            purse,
            messages: Vec::new(),
            uploads: VecDeque::new(),
            doubtful: 0,
            unreadable: Vec::new(),
            at_hand: true,
            reading: None,
            ready: None,
            current: None,
            written: 0,
            held: false,
            stuck_since: None,
            spare: None,
        }
    }

    /// Queues an order.
    ///
    /// # Errors
    /// The peer does not read what it is sent.
    pub(crate) fn push(&mut self, order: Order) -> io::Result<()> {
        match order {
            Order::CancelUpload { block, reject } => {
                // BEP 6: one answer to each request. A block that is being read or written is that answer.
                if let Some(at) = self.uploads.iter().position(|&queued| queued == block) {
                    self.uploads.remove(at);
                    if reject {
                        self.push_message(Message::Reject(block))?;
                    }
                }
            }
            Order::Send(bytes) => self.push_messages(&bytes)?,
            Order::Request(block) => self.push_message(Message::Request(block))?,
            Order::Cancel(block) => self.push_message(Message::Cancel(block))?,
            Order::Upload(block) => self.uploads.push_back(block),
        }
        Ok(())
    }

    fn push_message(&mut self, message: Message<'_>) -> io::Result<()> {
        message.encode(&mut self.messages);
        self.push_messages(&[])
    }

    fn push_messages(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.messages.extend_from_slice(bytes);
        if self.messages.len() > MAX_UNREAD {
            return Err(unread());
        }
        Ok(())
    }

    /// Whether the socket's being writable would help.
    pub(crate) fn wants_socket(&self) -> bool {
        self.current.is_some() && !self.held
    }

    /// Waits for what comes from our own side: the run that is being read from the disk, and leave to send more payload.
    pub(crate) async fn supplied(&mut self) -> io::Result<()> {
        tokio::select! {
            read = read_run(&mut self.reading) => {
                self.reading = None;
                let (run, result) = read?;
                match result {
                    Ok(_) => self.ready = Some(run),
                    Err(error) => self.split_or_give_up(run, error),
                }
            }
            () = self.purse.filled(), if self.held => {}
        }
        Ok(())
    }

    /// Gives the socket what it takes without waiting, one run at most; `uploaded` gets the blocks that are out whole.
    pub(crate) fn write(
        &mut self,
        stream: &TcpStream,
        uploaded: &mut Vec<Block>,
    ) -> io::Result<()> {
        self.held = false;
        loop {
            self.advance_queue();
            let Some(current) = &self.current else {
                if self.uploads.is_empty() && self.reading.is_none() {
                    self.purse.give_back();
                }
                return Ok(());
            };
            let bytes = current.bytes();
            let behind = || {
                self.uploads
                    .iter()
                    .map(|block| u64::from(block.length))
                    .sum()
            };
            let rest = &bytes[self.written..];
            let next = match current {
                Item::Messages(_) => rest,
                Item::Run(_) => &rest[..self.purse.afford(rest.len() as u64, behind) as usize],
            };
            if next.is_empty() {
                self.held = true;
                return Ok(());
            }
            match stream.try_write(next) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.stuck_since = None;
                    let before = self.written;
                    self.written += count;
                    if let Item::Run(run) = current {
                        self.purse.spend(count as u64);
                        run.finished(before, self.written, uploaded);
                    }
                    if self.written == bytes.len() {
                        self.written = 0;
                        if let Some(Item::Run(run)) = self.current.take() {
                            self.spare = Some(run);
                            return Ok(());
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // A peer that says nothing either is not looked at so often, and given up for that.
                    let since = self.stuck_since.get_or_insert_with(Instant::now);
                    return if since.elapsed() > MAX_STANDSTILL {
                        Err(unread())
                    } else {
                        Ok(())
                    };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves what is next towards the socket, and has the run after it read meanwhile if the disk is to be waited for.
    fn advance_queue(&mut self) {
        if self.current.is_none() {
            self.current = match self.next_messages() {
                Some(messages) => Some(Item::Messages(messages)),
                None => self.ready.take().map(Item::Run),
            };
            if self.current.is_none() && self.reading.is_none() {
                self.read_now();
            }
        }
        if !self.at_hand && self.reading.is_none() && self.ready.is_none() {
            self.read_ahead();
        }
    }

    fn next_messages(&mut self) -> Option<Vec<u8>> {
        (!self.messages.is_empty()).then(|| std::mem::take(&mut self.messages))
    }

    /// Reads the first run of the orders that can be read, unless the disk has to be waited for.
    fn read_now(&mut self) {
        while let Some((mut run, storage)) = self.next_run(RUN_BLOCKS) {
            let fill =
                |offset, buffers: &mut [IoSliceMut<'_>]| storage.read_at_hand(offset, buffers);
            match run.read(storage.info().geometry(), fill) {
                Ok(at_hand) => {
                    self.at_hand = at_hand;
                    if at_hand {
                        self.current = Some(Item::Run(run));
                    } else {
                        self.start_reading(run, storage);
                    }
                    return;
                }
                Err(error) => self.split_or_give_up(run, error),
            }
        }
    }

    /// A run could not be read: its blocks are tried one by one, and one that is alone is given up.
    fn split_or_give_up(&mut self, mut run: Run, error: StorageError) {
        if let [block] = run.blocks[..] {
            self.unreadable.push((block, error));
        } else {
            self.doubtful += run.blocks.len();
            for block in run.blocks.drain(..).rev() {
                self.uploads.push_front(block);
            }
        }
        self.spare = Some(run);
    }

    /// Blocks that will not be sent, each of which is owed an answer.
    pub(crate) fn take_unreadable(&mut self, into: &mut Vec<Unreadable>) {
        into.append(&mut self.unreadable);
    }

    /// Starts to read the run at the front of the orders, if there is one.
    fn read_ahead(&mut self) {
        if let Some((run, storage)) = self.next_run(AHEAD_BLOCKS) {
            self.start_reading(run, storage);
        }
    }

    fn start_reading(&mut self, mut run: Run, storage: Arc<Storage>) {
        self.reading = Some(tokio::task::spawn_blocking(move || {
            let fill = |offset, buffers: &mut [IoSliceMut<'_>]| {
                storage.read_verified(offset, buffers).map(|()| true)
            };
            let result = run.read(storage.info().geometry(), fill);
            (run, result)
        }));
    }

    /// The blocks at the front of the orders, and where they are to be read from.
    fn next_run(&mut self, most: usize) -> Option<(Run, Arc<Storage>)> {
        let storage = Arc::clone(self.content.get()?);
        // Those that were withdrawn meanwhile are nobody's doubt any more.
        self.doubtful = self.doubtful.min(self.uploads.len());
        let most = if self.doubtful > 0 {
            1
        } else if self.purse.is_limited() {
            LIMITED_RUN_BLOCKS
        } else {
            most
        };
        self.doubtful = self.doubtful.saturating_sub(1);
        let count = self.uploads.len().min(most);
        let mut run = self.spare.take().unwrap_or_default();
        run.blocks.clear();
        run.blocks.extend(self.uploads.drain(..count));
        if run.blocks.is_empty() {
            self.spare = Some(run);
            return None;
        }
        Some((run, storage))
    }
}

fn unread() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the peer does not read what it is sent",
    )
}

/// Waits for the run that is being read, if there is one.
async fn read_run(reading: &mut Option<JoinHandle<Reading>>) -> io::Result<Reading> {
    match reading {
        Some(reading) => reading.await.map_err(io::Error::other),
        None => std::future::pending().await,
    }
}

impl Run {
    /// Lays the blocks out with their headers and has the payload filled in, blocks that follow one another by one call.
    /// `false` as soon as `fill` says so.
    fn read(
        &mut self,
        geometry: Geometry,
        fill: impl Fn(u64, &mut [IoSliceMut<'_>]) -> Result<bool, StorageError>,
    ) -> Result<bool, StorageError> {
        let start = |block: &Block| geometry.piece_offset(block.piece) + u64::from(block.offset);
        let length = self
            .blocks
            .iter()
            .map(|block| HEADER + block.length as usize)
            .sum();
        self.bytes.resize(length, 0);
        let mut rest = self.bytes.as_mut_slice();
        let follows = |one: &Block, next: &Block| start(one) + u64::from(one.length) == start(next);
        for blocks in self.blocks.chunk_by(follows) {
            let mut payloads = ArrayVec::<_, AHEAD_BLOCKS>::new();
            for &block in blocks {
                let (header, after) = rest.split_at_mut(HEADER);
                let (payload, after) = after.split_at_mut(block.length as usize);
                header.copy_from_slice(&encode_piece_header(block));
                payloads.push(IoSliceMut::new(payload));
                rest = after;
            }
            if !fill(start(&blocks[0]), &mut payloads)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The blocks whose last byte lies in `before..after` of the run.
    fn finished(&self, before: usize, after: usize, uploaded: &mut Vec<Block>) {
        let mut end = 0;
        for &block in &self.blocks {
            end += HEADER + block.length as usize;
            if end > after {
                break;
            }
            if end > before {
                uploaded.push(block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::advance;
    use wire::InfoBuilder;

    use super::*;
    use crate::throttle::{Limits, Throttles};

    const FIRST: Block = Block {
        piece: 0,
        offset: 0,
        length: 1 << 14,
    };

    fn writer() -> Writer {
        Writer::new(
            Content::default(),
            Throttles::start(Limits::default()).lanes().up.purse(),
        )
    }

    fn cancelled(writer: &mut Writer, block: Block, reject: bool) -> Option<Vec<u8>> {
        let order = Order::CancelUpload { block, reject };
        writer.push(order).expect("there is room");
        writer.next_messages()
    }

    #[tokio::test]
    async fn an_upload_that_has_not_begun_is_rejected_in_its_place() {
        let mut writer = writer();
        writer.push(Order::Upload(FIRST)).expect("there is room");
        let mut expected = Vec::new();
        Message::Reject(FIRST).encode(&mut expected);
        assert_eq!(cancelled(&mut writer, FIRST, true), Some(expected));
        writer.push(Order::Upload(FIRST)).expect("there is room");
        assert_eq!(cancelled(&mut writer, FIRST, false), None);
    }

    #[tokio::test]
    async fn an_upload_that_has_begun_is_not_rejected_as_well() {
        let mut writer = writer();
        writer.push(Order::Upload(FIRST)).expect("there is room");
        // What the reading has taken off the queue will be sent.
        assert_eq!(writer.uploads.pop_front(), Some(FIRST));
        assert_eq!(cancelled(&mut writer, FIRST, true), None);
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up() {
        let mut writer = writer();
        let part = || Order::Send(vec![0; 1 << 18]);
        for _ in 0..4 {
            writer.push(part()).unwrap();
        }
        let error = writer.push(part()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_for_two_minutes_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let stream = stream.unwrap();
        let (_deaf, _) = listener.accept().await.unwrap();
        stream.writable().await.unwrap();
        let mut writer = writer();
        while !writer.wants_socket() {
            writer.push(Order::Send(vec![0; 1 << 19])).unwrap();
            writer.write(&stream, &mut Vec::new()).unwrap();
        }
        advance(Duration::from_secs(119)).await;
        writer.write(&stream, &mut Vec::new()).unwrap();
        advance(Duration::from_secs(2)).await;
        let error = writer.write(&stream, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_set_aside_and_the_rest_is_sent() {
        let film = InfoBuilder::single_file("film", 3 << 14);
        let info = Arc::new(film.piece_length(1 << 14).build(&[[0; 20]; 3]).unwrap());
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("film"), vec![7; 2 << 14]).unwrap();
        let mut writer = writer();
        let storage = Arc::new(Storage::open(info, directory.path()));
        let _ = writer.content.set(storage);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let stream = stream.unwrap();
        stream.writable().await.unwrap();

        let blocks = [2, 0, 1].map(|piece| Block { piece, ..FIRST });
        for block in blocks {
            writer.push(Order::Upload(block)).unwrap();
        }
        let (mut sent, mut unreadable) = (Vec::new(), Vec::new());
        while sent.len() + unreadable.len() < blocks.len() {
            writer.write(&stream, &mut sent).unwrap();
            writer.take_unreadable(&mut unreadable);
            if writer.reading.is_some() {
                writer.supplied().await.unwrap();
            }
        }
        assert_eq!(sent, blocks[1..]);
        let [(block, StorageError::TooShort { .. })] = &unreadable[..] else {
            panic!("{unreadable:?}")
        };
        assert_eq!(*block, blocks[0]);
    }

    #[test]
    fn a_block_counts_as_sent_with_its_last_byte() {
        let short = Block {
            length: 16,
            ..FIRST
        };
        let blocks = [
            short,
            Block {
                offset: 16,
                ..short
            },
        ];
        let run = Run {
            blocks: blocks.to_vec(),
            bytes: Vec::new(),
        };
        let sent = |before, after| {
            let mut blocks = Vec::new();
            run.finished(before, after, &mut blocks);
            blocks
        };
        let one = HEADER + 16;
        assert_eq!(sent(0, one - 1), []);
        assert_eq!(sent(one - 1, one), blocks[..1]);
        assert_eq!(sent(one, one + 5), []);
        assert_eq!(sent(0, 2 * one), blocks);
    }
}
