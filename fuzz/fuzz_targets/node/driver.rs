//! A driver that notices when what the node wants makes no sense.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use dht::{
    Body, Event, Id, LookupId, LookupReport, Message, Method, Outbox, Query, Token,
};

/// Peers reported by each lookup that has not ended.
type Reported = BTreeMap<LookupId, BTreeSet<SocketAddr>>;

pub struct Driver {
    pub id: Id,
    pub read_only: bool,
    /// Whose message is being handled.
    pub at_hand: Option<SocketAddr>,
    /// Queries that were sent and not answered, and what they ask.
    pub queries: Vec<(SocketAddr, Message)>,
    pub lookups: Reported,
    pub ended: Vec<(LookupId, BTreeSet<SocketAddr>, LookupReport)>,
    /// What the node gave to those who asked for peers.
    pub tokens: Vec<Token>,
}

/// The longest datagram that we send, in bytes: with an item, and without.
const MAX_WITH_ITEM: usize = 1400;
const MAX_DATAGRAM: usize = 1200;

impl Outbox for Driver {
    fn transmit(&mut self, to: SocketAddr, message: Message) {
        assert!(is_host(&to), "{to} is nobody's address");
        let mut datagram = Vec::new();
        dht::encode(&message, &mut datagram);
        let longest = match &message.body {
            Body::Response(response) if response.item.get().is_some() => MAX_WITH_ITEM,
            // Whoever gave a long token gets it back.
            Body::Query(Query {
                method: Method::Put(put),
                ..
            }) => MAX_WITH_ITEM + put.token.as_bytes().len(),
            _ => MAX_DATAGRAM,
        };
        assert!(datagram.len() <= longest, "{} bytes", datagram.len());
        assert_eq!(
            dht::decode(&datagram).as_ref(),
            Ok(&message),
            "what is sent can be read"
        );

        match &message.body {
            Body::Query(Query { id, read_only, .. }) => {
                assert_eq!((*id, *read_only), (self.id, self.read_only));
                self.queries.push((to, message));
            }
            body => {
                assert!(!self.read_only, "a read-only node answers");
                assert_eq!(
                    self.at_hand.take(),
                    Some(to),
                    "one answer for one query, to who asked"
                );
                if let Body::Response(response) = body {
                    self.tokens.extend(response.token.clone());
                }
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Peers { lookup, peers, .. } => {
                assert!(!peers.is_empty());
                let reported = self.lookups.get_mut(&lookup).expect("the lookup goes on");
                for peer in peers {
                    assert!(is_host(&peer), "{peer} is nobody's address");
                    assert!(reported.insert(peer), "{peer} is reported twice");
                }
            }
            Event::LookupEnded { lookup, report } => {
                let reported = self.lookups.remove(&lookup).expect("a lookup ends once");
                assert_eq!(report.peers, reported.len());
                self.ended.push((lookup, reported, *report));
            }
            Event::IdChanged { id } => self.id = id,
            Event::PeerAnnounced { peer, .. } => {
                assert!(is_host(&peer), "{peer} is nobody's address")
            }
            event => {
                if let Some(lookup) = event.lookup() {
                    assert!(self.lookups.contains_key(&lookup), "the lookup goes on");
                }
            }
        }
    }
}

/// Whether a datagram can go there.
fn is_host(address: &SocketAddr) -> bool {
    let ip = address.ip();
    let is_reserved = match ip {
        IpAddr::V4(ip) => ip.is_broadcast(),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_some(),
    };
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_reserved
}
