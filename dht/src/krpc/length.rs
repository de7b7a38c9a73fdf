//! How long a datagram is, without writing it: a simulator counts bytes that it never makes.

use std::net::SocketAddr;

use super::method_name;
use crate::bloom_filter::BloomFilter;
use crate::id::Id;
use crate::item::{Item, PublicKey, Signature};
use crate::message::{AnnouncedPort, Body, Flag, Holding, Message, Method, Query, Response, Want};

/// An id as a value: `20:` and its bytes.
const ID: usize = 3 + Id::LENGTH;

/// The bytes that [`encode`](crate::encode) would append for this message, without writing them.
pub fn encoded_length(message: &Message) -> usize {
    let body = match &message.body {
        Body::Query(query) => {
            let read_only = if query.read_only {
                key("ro") + integer(1)
            } else {
                0
            };
            key("a")
                + arguments(query)
                + key("q")
                + string(method_name(&query.method).len())
                + read_only
        }
        Body::Response(response) => key("r") + values(response),
        Body::Error(error) => {
            key("e") + enclosed(integer(error.code) + string(error.message.len()))
        }
    };
    let external = message
        .external
        .as_ref()
        .map_or(0, |address| key("ip") + compact(address));
    let version = message
        .version
        .map_or(0, |version| key("v") + string(version.len()));
    let transaction = key("t") + string(message.transaction.as_bytes().len());
    enclosed(body + external + transaction + version + key("y") + string(1))
}

fn arguments(query: &Query) -> usize {
    let method = match &query.method {
        Method::Ping => 0,
        Method::FindNode { want: families, .. }
        | Method::SampleInfohashes { want: families, .. } => key("target") + ID + want(*families),
        Method::GetPeers {
            want: families,
            wishes,
            ..
        } => {
            let wishes = flag("noseed", wishes.no_seeds) + flag("scrape", wishes.scrape);
            key("info_hash") + ID + want(*families) + wishes
        }
        Method::AnnouncePeer {
            port, token, seed, ..
        } => {
            let (implied, port) = match *port {
                AnnouncedPort::Given(port) => (0, port),
                AnnouncedPort::Implied(port) => (key("implied_port") + integer(1), port),
            };
            implied
                + key("info_hash")
                + ID
                + key("port")
                + integer(port.into())
                + flag("seed", *seed)
                + key("token")
                + string(token.as_bytes().len())
        }
        Method::Other {
            target,
            want: families,
            ..
        } => target.map_or(0, |_| key("target") + ID) + want(*families),
        Method::Get {
            newer_than,
            want: families,
            ..
        } => newer_than.map_or(0, seq) + key("target") + ID + want(*families),
        Method::Put(put) => {
            let salt = match put.salt.as_bytes() {
                [] => 0,
                salt => key("salt") + string(salt.len()),
            };
            let cas = put.cas.map_or(0, |cas| key("cas") + integer(cas));
            let target = key("target") + ID;
            let token = key("token") + string(put.token.as_bytes().len());
            cas + salt + target + token + item(&put.item)
        }
    };
    enclosed(key("id") + ID + method)
}

fn flag(name: &str, flag: Flag) -> usize {
    if flag.0 { key(name) + integer(1) } else { 0 }
}

fn want(want: Want) -> usize {
    if want == Want::UNSAID {
        return 0;
    }
    key("want") + enclosed((usize::from(want.v4) + usize::from(want.v6)) * string("n4".len()))
}

fn values(response: &Response) -> usize {
    let nodes = response
        .nodes
        .as_ref()
        .map_or(0, |nodes| key("nodes") + string(nodes.len() * 26));
    let nodes6 = response
        .nodes6
        .as_ref()
        .map_or(0, |nodes| key("nodes6") + string(nodes.len() * 38));
    let token = response
        .token
        .as_ref()
        .map_or(0, |token| key("token") + string(token.as_bytes().len()));
    let peers = if response.values.is_empty() {
        0
    } else {
        key("values") + enclosed(response.values.iter().map(compact).sum())
    };
    let held = match response.item.get() {
        None => 0,
        Some(Holding::Seq(number)) => seq(*number),
        Some(Holding::Item(held)) => item(held),
    };
    let sample = response.sample.get().map_or(0, |sample| {
        let total = i64::try_from(sample.total).unwrap_or(i64::MAX);
        let interval = key("interval") + integer(sample.interval.into());
        let samples = key("samples") + string(sample.info_hashes.len() * Id::LENGTH);
        interval + key("num") + integer(total) + samples
    });
    let scrape = response.scrape.get().map_or(0, |_| {
        key("BFpe") + key("BFsd") + 2 * string(BloomFilter::LENGTH)
    });
    enclosed(key("id") + ID + nodes + nodes6 + token + peers + held + sample + scrape)
}

fn item(item: &Item) -> usize {
    let proof = match item {
        Item::Immutable(_) => 0,
        Item::Mutable(item) => {
            key("k")
                + string(PublicKey::LENGTH)
                + seq(item.seq)
                + key("sig")
                + string(Signature::LENGTH)
        }
    };
    proof + key("v") + item.value().as_bencode().len()
}

fn seq(number: i64) -> usize {
    key("seq") + integer(number)
}

fn compact(address: &SocketAddr) -> usize {
    string(if address.is_ipv4() { 6 } else { 18 })
}

/// A key of a dictionary, all of which are shorter than a hundred bytes.
const fn key(name: &str) -> usize {
    string(name.len())
}

/// A string of so many bytes, with its length before it.
const fn string(length: usize) -> usize {
    digits(length as u64) + 1 + length
}

fn integer(value: i64) -> usize {
    enclosed(usize::from(value < 0) + digits(value.unsigned_abs()))
}

/// A list or a dictionary, or the digits of an integer: what they hold between two letters.
const fn enclosed(length: usize) -> usize {
    length + 2
}

const fn digits(number: u64) -> usize {
    match number.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}
