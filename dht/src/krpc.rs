//! The encoding of [`Message`]s as datagrams. BEP 5, "KRPC Protocol"; BEP 32; BEP 33; BEP 42; BEP 43; BEP 44; BEP 51.
//!
//! Strict where a mistake could be ours to act upon, lenient where software in use is sloppy: keys in any order, unknown keys,
//! compact lists with a broken tail, numbers written as strings, and broken optional fields pass.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use arrayvec::ArrayVec;
use bencode::{Dict, DictEncoder, Encoder, List, Value};

use crate::bloom_filter::BloomFilter;
use crate::id::Id;
use crate::message::{
    AnnouncedPort, Body, Flag, KrpcError, MAX_NODES, Message, Method, NodeInfo, Nodes, Query,
    Response, Scrape, Token, TransactionId, Want, Wishes,
};

mod items;
mod length;
mod sampling;

use sampling::SampleFields;

pub use length::encoded_length;

/// The most peers that are read from one message, whatever it holds: as many as fit a datagram of an Ethernet frame.
const MAX_VALUES: usize = 180;
/// The most bytes that are kept of the text of an error.
const MAX_ERROR_TEXT: usize = 256;

/// Why a datagram is not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not bencode.
    #[error("the datagram is not bencoded")]
    Bencode(#[from] bencode::Error),
    /// Bencode, but not KRPC: nobody can be answered.
    #[error("the datagram is no KRPC message: {0}")]
    Envelope(&'static str),
    /// A query that cannot be served. Its sender can be told so: see [`Input::Malformed`](crate::Input::Malformed).
    #[error("the query is malformed: {reason}")]
    Query {
        /// The transaction to name in the error message.
        transaction: TransactionId,
        /// The code to name there: [`KrpcError::PROTOCOL`], or one of those for items that are too big.
        code: i64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A response or an error that cannot be understood.
    #[error("the answer is malformed: {0}")]
    Answer(&'static str),
}

/// What is wrong with a query, and the code for it.
struct Defect {
    code: i64,
    reason: &'static str,
}

impl From<&'static str> for Defect {
    fn from(reason: &'static str) -> Self {
        let code = KrpcError::PROTOCOL;
        Self { code, reason }
    }
}

/// Reads a datagram. Allocates only for peers, IPv6 nodes, long tokens, items and error texts.
pub fn decode(datagram: &[u8]) -> Result<Message, DecodeError> {
    let document = bencode::decode(datagram)?;
    let fields = document
        .root()
        .as_dict()
        .ok_or(DecodeError::Envelope("it is not a dictionary"))?;
    let mut envelope = Envelope::default();
    for (key, value) in fields {
        envelope.take(key, value);
    }
    let transaction =
        envelope
            .transaction
            .and_then(TransactionId::new)
            .ok_or(DecodeError::Envelope(
                "it has no transaction id of at most 20 bytes",
            ))?;
    let body = match envelope.kind {
        Some(b"q") => match query(&envelope) {
            Ok(query) => Body::Query(query),
            Err(Defect { code, reason }) => {
                return Err(DecodeError::Query {
                    transaction,
                    code,
                    reason,
                });
            }
        },
        Some(b"r") => Body::Response(response(&envelope).map_err(DecodeError::Answer)?),
        Some(b"e") => Body::Error(error(&envelope).map_err(DecodeError::Answer)?),
        _ => return Err(DecodeError::Envelope("its type is none of q, r, e")),
    };
    Ok(Message {
        transaction,
        version: envelope.version.and_then(|bytes| bytes.try_into().ok()),
        external: envelope.external.and_then(socket_address),
        body,
    })
}

/// The top level of a message.
#[derive(Default)]
struct Envelope<'a> {
    arguments: Option<Dict<'a>>,
    error: Option<List<'a>>,
    external: Option<&'a [u8]>,
    method: Option<&'a [u8]>,
    values: Option<Dict<'a>>,
    read_only: bool,
    transaction: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
}

impl<'a> Envelope<'a> {
    fn take(&mut self, key: &[u8], value: Value<'a>) {
        match key {
            b"a" => self.arguments = value.as_dict(),
            b"e" => self.error = value.as_list(),
            b"ip" => self.external = value.as_bytes(),
            b"q" => self.method = value.as_bytes(),
            b"r" => self.values = value.as_dict(),
            b"ro" => self.read_only = value.as_integer() == Some(1),
            b"t" => self.transaction = value.as_bytes(),
            b"v" => self.version = value.as_bytes(),
            b"y" => self.kind = value.as_bytes(),
            _ => {}
        }
    }
}

fn query(envelope: &Envelope<'_>) -> Result<Query, Defect> {
    let method = envelope.method.ok_or("it names no method")?;
    let fields = envelope.arguments.ok_or("it has no arguments")?;
    let mut arguments = Arguments::default();
    for (key, value) in fields {
        arguments.take(key, value);
    }
    let want = arguments.want;
    let method = match method {
        b"ping" => Method::Ping,
        b"find_node" => Method::FindNode {
            target: arguments.target.ok_or("target is not 20 bytes")?,
            want,
        },
        b"get_peers" => Method::GetPeers {
            info_hash: arguments.info_hash.ok_or("info_hash is not 20 bytes")?,
            want,
            wishes: arguments.wishes,
        },
        b"announce_peer" => Method::AnnouncePeer {
            info_hash: arguments.info_hash.ok_or("info_hash is not 20 bytes")?,
            port: arguments.announced_port()?,
            token: arguments
                .token
                .and_then(Token::new)
                .ok_or("token is missing")?,
            seed: arguments.seed,
        },
        b"sample_infohashes" => Method::SampleInfohashes {
            target: arguments.target.ok_or("target is not 20 bytes")?,
            want,
        },
        b"get" => Method::Get {
            target: arguments.target.ok_or("target is not 20 bytes")?,
            newer_than: arguments.item.seq(),
            want,
        },
        b"put" => Method::Put(Box::new(arguments.item.put(arguments.token)?)),
        name => Method::Other {
            name: name.iter().copied().take(32).collect(),
            target: arguments.target.or(arguments.info_hash),
            want,
        },
    };
    Ok(Query {
        id: arguments.id.ok_or("id is not 20 bytes")?,
        read_only: envelope.read_only,
        method,
    })
}

/// The arguments of all methods.
#[derive(Default)]
struct Arguments<'a> {
    id: Option<Id>,
    implied_port: bool,
    info_hash: Option<Id>,
    port: Option<i64>,
    seed: Flag,
    target: Option<Id>,
    token: Option<&'a [u8]>,
    want: Want,
    item: items::Fields<'a>,
    wishes: Wishes,
}

impl<'a> Arguments<'a> {
    fn take(&mut self, key: &[u8], value: Value<'a>) {
        match key {
            b"id" => self.id = id(value),
            b"implied_port" => self.implied_port = integer(value).is_some_and(|flag| flag != 0),
            b"info_hash" => self.info_hash = id(value),
            b"noseed" => self.wishes.no_seeds = flag(value),
            b"port" => self.port = integer(value),
            b"scrape" => self.wishes.scrape = flag(value),
            b"seed" => self.seed = flag(value),
            b"target" => self.target = id(value),
            b"token" => self.token = value.as_bytes(),
            b"want" => self.want = want(value),
            _ => self.item.take(key, value),
        }
    }

    fn announced_port(&self) -> Result<AnnouncedPort, &'static str> {
        let port = self.port.and_then(|port| u16::try_from(port).ok());
        match (self.implied_port, port) {
            (true, port) => Ok(AnnouncedPort::Implied(port.unwrap_or(0))),
            (false, Some(port @ 1..)) => Ok(AnnouncedPort::Given(port)),
            (false, _) => Err("port is not a number from 1 to 65535"),
        }
    }
}

fn response(envelope: &Envelope<'_>) -> Result<Response, &'static str> {
    let fields = envelope.values.ok_or("it has no return values")?;
    let mut responder = None;
    // The id is not known yet; everything else is read in the same pass.
    let mut response = Response::new(Id::new([0; Id::LENGTH]));
    let mut item = items::Fields::default();
    let mut sample = SampleFields::default();
    let (mut seeds, mut peers) = (None, None);
    for (key, value) in fields {
        match key {
            b"BFpe" => peers = filter(value),
            b"BFsd" => seeds = filter(value),
            b"id" => responder = id(value),
            b"interval" => sample.interval = value.as_integer(),
            b"nodes" => response.nodes = value.as_bytes().map(nodes_v4),
            b"nodes6" => response.nodes6 = value.as_bytes().map(nodes_v6).map(Box::new),
            b"num" => sample.num = value.as_integer(),
            b"samples" => sample.samples = value.as_bytes(),
            b"token" => response.token = value.as_bytes().and_then(Token::new),
            b"values" => {
                if let Some(peers) = value.as_list() {
                    let peers = peers
                        .iter()
                        .take(MAX_VALUES)
                        .filter_map(|peer| peer.as_bytes());
                    response.values = peers.filter_map(socket_address).collect();
                }
            }
            _ => item.take(key, value),
        }
    }
    response.item = item.holding().into();
    response.id = responder.ok_or("id is not 20 bytes")?;
    response.sample = sample.read().into();
    // One without the other does not tell seeds from others.
    response.scrape = seeds
        .zip(peers)
        .map(|(seeds, peers)| Scrape { seeds, peers })
        .into();
    Ok(response)
}

fn error(envelope: &Envelope<'_>) -> Result<KrpcError, &'static str> {
    let mut items = envelope
        .error
        .ok_or("it is an error without a list")?
        .iter();
    let code = items
        .next()
        .and_then(|code| code.as_integer())
        .ok_or("its error has no code")?;
    let text = items
        .next()
        .and_then(|text| text.as_bytes())
        .unwrap_or_default();
    let text = text.get(..MAX_ERROR_TEXT).unwrap_or(text);
    // What replaces a byte that is no UTF-8 is longer than the byte.
    let mut message = String::from_utf8_lossy(text).into_owned();
    let end = (0..=MAX_ERROR_TEXT)
        .rev()
        .find(|&end| message.is_char_boundary(end));
    message.truncate(end.unwrap_or(0));
    Ok(KrpcError {
        code,
        message: Cow::Owned(message),
    })
}

fn id(value: Value<'_>) -> Option<Id> {
    value.as_bytes()?.try_into().ok()
}

/// An integer, also one that somebody wrote as a string.
fn integer(value: Value<'_>) -> Option<i64> {
    value.as_integer().or_else(|| value.as_str()?.parse().ok())
}

/// BEP 33: any other value than 1 is none.
fn flag(value: Value<'_>) -> Flag {
    Flag(integer(value) == Some(1))
}

fn filter(value: Value<'_>) -> Option<BloomFilter> {
    let bytes: [u8; BloomFilter::LENGTH] = value.as_bytes()?.try_into().ok()?;
    Some(bytes.into())
}

fn want(value: Value<'_>) -> Want {
    let mut want = Want::UNSAID;
    for flag in value.as_list().iter().flat_map(List::iter).take(8) {
        match flag.as_bytes() {
            Some(b"n4") => want.v4 = true,
            Some(b"n6") => want.v6 = true,
            _ => {}
        }
    }
    want
}

/// Compact IP-address/port info of either family.
fn socket_address(compact: &[u8]) -> Option<SocketAddr> {
    if let Ok(compact) = compact.try_into() {
        Some(address_v4(compact).into())
    } else {
        compact
            .try_into()
            .ok()
            .map(|compact| address_v6(compact).into())
    }
}

fn address_v4([a, b, c, d, high, low]: [u8; 6]) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))
}

fn address_v6(compact: [u8; 18]) -> SocketAddrV6 {
    let [ip @ .., high, low] = compact;
    SocketAddrV6::new(Ipv6Addr::from(ip), u16::from_be_bytes([high, low]), 0, 0)
}

fn nodes_v4(compact: &[u8]) -> Nodes<SocketAddrV4> {
    let (nodes, _) = compact.as_chunks::<26>();
    let nodes = nodes.iter().take(MAX_NODES).filter_map(|node| {
        let (id, address) = node.split_first_chunk()?;
        Some(NodeInfo {
            id: Id::new(*id),
            address: address_v4(address.try_into().ok()?),
        })
    });
    nodes.collect()
}

fn nodes_v6(compact: &[u8]) -> Nodes<SocketAddrV6> {
    let (nodes, _) = compact.as_chunks::<38>();
    let nodes = nodes.iter().take(MAX_NODES).filter_map(|node| {
        let (id, address) = node.split_first_chunk()?;
        Some(NodeInfo {
            id: Id::new(*id),
            address: address_v6(address.try_into().ok()?),
        })
    });
    nodes.collect()
}

/// Appends the datagram of a message to `buffer`, in canonical bencode.
pub fn encode(message: &Message, buffer: &mut Vec<u8>) {
    Encoder::new(buffer).dict(|top| {
        match &message.body {
            Body::Query(query) => top.dict(b"a", |arguments| encode_arguments(query, arguments)),
            Body::Error(error) => top.list(b"e", |list| {
                list.integer(error.code);
                list.bytes(error.message.as_bytes());
            }),
            Body::Response(_) => {}
        }
        if let Some(external) = &message.external {
            top.bytes(b"ip", &compact(external));
        }
        let kind = match &message.body {
            Body::Query(query) => {
                top.bytes(b"q", method_name(&query.method));
                if query.read_only {
                    top.integer(b"ro", 1);
                }
                b"q"
            }
            Body::Response(response) => {
                top.dict(b"r", |values| encode_values(response, values));
                b"r"
            }
            Body::Error(_) => b"e",
        };
        top.bytes(b"t", message.transaction.as_bytes());
        if let Some(version) = &message.version {
            top.bytes(b"v", version);
        }
        top.bytes(b"y", kind);
    });
}

fn method_name(method: &Method) -> &[u8] {
    match method {
        Method::Ping => b"ping",
        Method::FindNode { .. } => b"find_node",
        Method::GetPeers { .. } => b"get_peers",
        Method::AnnouncePeer { .. } => b"announce_peer",
        Method::Get { .. } => b"get",
        Method::Put(_) => b"put",
        Method::Other { name, .. } => name,
        Method::SampleInfohashes { .. } => b"sample_infohashes",
    }
}

fn encode_arguments(query: &Query, arguments: &mut DictEncoder<'_>) {
    if let Method::Put(put) = &query.method
        && let Some(cas) = put.cas
    {
        arguments.integer(b"cas", cas);
    }
    arguments.bytes(b"id", query.id.as_bytes());
    match &query.method {
        Method::Ping => {}
        Method::FindNode { target, want } | Method::SampleInfohashes { target, want } => {
            arguments.bytes(b"target", target.as_bytes());
            encode_want(*want, arguments);
        }
        Method::GetPeers {
            info_hash,
            want,
            wishes,
        } => {
            arguments.bytes(b"info_hash", info_hash.as_bytes());
            encode_flag(b"noseed", wishes.no_seeds, arguments);
            encode_flag(b"scrape", wishes.scrape, arguments);
            encode_want(*want, arguments);
        }
        Method::AnnouncePeer {
            info_hash,
            port,
            token,
            seed,
        } => {
            let port = match port {
                AnnouncedPort::Given(port) => port,
                AnnouncedPort::Implied(port) => {
                    arguments.integer(b"implied_port", 1);
                    port
                }
            };
            arguments.bytes(b"info_hash", info_hash.as_bytes());
            arguments.integer(b"port", (*port).into());
            encode_flag(b"seed", *seed, arguments);
            arguments.bytes(b"token", token.as_bytes());
        }
        Method::Other { target, want, .. } => {
            if let Some(target) = target {
                arguments.bytes(b"target", target.as_bytes());
            }
            encode_want(*want, arguments);
        }
        Method::Get {
            target,
            newer_than,
            want,
        } => {
            if let Some(seq) = newer_than {
                arguments.integer(b"seq", *seq);
            }
            arguments.bytes(b"target", target.as_bytes());
            encode_want(*want, arguments);
        }
        Method::Put(put) => items::encode_put(put, arguments),
    }
}

fn encode_flag(key: &[u8], flag: Flag, arguments: &mut DictEncoder<'_>) {
    if flag.0 {
        arguments.integer(key, 1);
    }
}

fn encode_want(want: Want, arguments: &mut DictEncoder<'_>) {
    if want != Want::UNSAID {
        arguments.list(b"want", |flags| {
            if want.v4 {
                flags.bytes(b"n4");
            }
            if want.v6 {
                flags.bytes(b"n6");
            }
        });
    }
}

fn encode_values(response: &Response, values: &mut DictEncoder<'_>) {
    if let Some(scrape) = response.scrape.get() {
        values.bytes(b"BFpe", scrape.peers.as_bytes());
        values.bytes(b"BFsd", scrape.seeds.as_bytes());
    }
    values.bytes(b"id", response.id.as_bytes());
    let sample = response.sample.get();
    if let Some(sample) = sample {
        values.integer(b"interval", sample.interval.into());
    }
    let item = response.item.get();
    items::encode_key(item, values);
    if let Some(nodes) = &response.nodes {
        let mut list = ArrayVec::<u8, { MAX_NODES * 26 }>::new();
        for node in nodes {
            list.extend(*node.id.as_bytes());
            list.extend(node.address.ip().octets());
            list.extend(node.address.port().to_be_bytes());
        }
        values.bytes(b"nodes", &list);
    }
    if let Some(nodes) = &response.nodes6 {
        let mut list = ArrayVec::<u8, { MAX_NODES * 38 }>::new();
        for node in nodes.iter() {
            list.extend(*node.id.as_bytes());
            list.extend(node.address.ip().octets());
            list.extend(node.address.port().to_be_bytes());
        }
        values.bytes(b"nodes6", &list);
    }
    if let Some(sample) = sample {
        sampling::encode(sample, values);
    }
    items::encode_proof(item, values);
    if let Some(token) = &response.token {
        values.bytes(b"token", token.as_bytes());
    }
    items::encode_value(item, values);
    if !response.values.is_empty() {
        values.list(b"values", |peers| {
            for peer in &response.values {
                peers.bytes(&compact(peer));
            }
        });
    }
}

fn compact(address: &SocketAddr) -> ArrayVec<u8, 18> {
    let mut compact = ArrayVec::new();
    match address.ip() {
        std::net::IpAddr::V4(ip) => compact.extend(ip.octets()),
        std::net::IpAddr::V6(ip) => compact.extend(ip.octets()),
    }
    compact.extend(address.port().to_be_bytes());
    compact
}

#[cfg(test)]
mod malformed;
#[cfg(test)]
mod tests;
