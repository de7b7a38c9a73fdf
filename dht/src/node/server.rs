//! Answers to the queries of others. BEP 5, "DHT Queries".

use std::net::SocketAddr;

use rand::Rng;

use super::room::room;
use super::{Context, Node};
use crate::address::{Family, scope};
use crate::event::{Event, Outbox};
use crate::id::Id;
use crate::message::{
    AnnouncedPort, Body, Flag, KrpcError, Message, Method, NodeInfo, Query, Response, Sample,
    Token, TransactionId, Want, Wishes,
};
use crate::peer_store::PeerStore;

impl Node {
    pub(super) fn serve<R: Rng, O: Outbox>(
        &mut self,
        from: SocketAddr,
        transaction: &TransactionId,
        query: &Query,
        context: &mut Context<'_, R, O>,
    ) {
        // Our own query came back to us, or somebody plays that it did.
        if query.id == self.id() {
            return;
        }
        let asker = NodeInfo {
            id: query.id,
            address: from,
        };
        if !query.read_only {
            self.meet(asker, context);
        }
        // BEP 43, "Read-Only State".
        if context.config.read_only {
            return;
        }
        let body = match self.answer(&asker, query, context) {
            Ok(response) => Body::Response(response),
            Err(error) => Body::Error(error),
        };
        transmit_answer(from, transaction.clone(), body, context);
    }

    fn answer<R: Rng, O: Outbox>(
        &mut self,
        asker: &NodeInfo,
        query: &Query,
        context: &mut Context<'_, R, O>,
    ) -> Result<Response, KrpcError> {
        match &query.method {
            Method::Ping => Ok(Response::new(self.id())),
            // Who asks for a neighbourhood by a method of his own is helped on his way.
            Method::FindNode { target, want }
            | Method::Other {
                target: Some(target),
                want,
                ..
            } => Ok(self.name_nodes(asker, target, *want)),
            Method::GetPeers {
                info_hash,
                want,
                wishes,
            } => Ok(self.name_peers(asker, info_hash, *want, *wishes, context)),
            Method::AnnouncePeer {
                info_hash,
                port,
                token,
                seed,
            } => self.store_peer(asker.address, *info_hash, *port, *seed, token, context),
            Method::Get {
                target,
                newer_than,
                want,
            } => Ok(self.name_item(asker, target, *newer_than, *want, context)),
            Method::Put(put) => self.store_item(asker.address, put, context),
            Method::Other { target: None, .. } => {
                Err(KrpcError::new(KrpcError::METHOD_UNKNOWN, "Method Unknown"))
            }
            Method::SampleInfohashes { target, want } => {
                Ok(self.name_info_hashes(asker, target, *want, context))
            }
        }
    }

    /// BEP 5, "`find_node`".
    pub(super) fn name_nodes(&self, asker: &NodeInfo, target: &Id, want: Want) -> Response {
        let transport = Family::of(&asker.address);
        let mut response = Response::new(self.id());
        if want.includes(Family::V4, transport) {
            response.nodes = Some(self.tables.closest_v4(target, asker));
        }
        if want.includes(Family::V6, transport) {
            response.nodes6 = Some(Box::new(self.tables.closest_v6(target, asker)));
        }
        response
    }

    /// BEP 5, "`get_peers`", with `nodes` in every response as BEP 32 has it, and filters as BEP 33 has them.
    fn name_peers<R: Rng, O: Outbox>(
        &mut self,
        asker: &NodeInfo,
        info_hash: &Id,
        want: Want,
        wishes: Wishes,
        context: &mut Context<'_, R, O>,
    ) -> Response {
        let counted = self.peers.as_ref().filter(|_| wishes.scrape.0);
        let scrape = counted.and_then(|peers| peers.scrape(info_hash, context.now));
        // BEP 33, "New `GET_PEERS` semantics": beside filters there is room for the nodes of one family.
        let want = if scrape.is_some() { Want::UNSAID } else { want };
        let mut response = self.name_nodes(asker, info_hash, want);
        response.scrape = scrape.into();
        // Who could store nothing here goes on to the next nearest at once.
        let (from, config) = (asker.address, context.config);
        let accepts = |peers: &PeerStore| peers.accepts(info_hash, from, config);
        if self.peers.as_deref().is_none_or(accepts) {
            let token = self.tokens.issue(context.now, from.ip(), info_hash);
            response.token = Some(token);
        }
        if let Some(peers) = &mut self.peers {
            // "6:" or "18:" stands before each.
            let (family, length) = match asker.address {
                SocketAddr::V4(_) => (Family::V4, 2 + 6),
                SocketAddr::V6(_) => (Family::V6, 3 + 18),
            };
            let count = room(&response) / length;
            let no_seeds = wishes.no_seeds.0;
            let (now, rng) = (context.now, &mut *context.rng);
            response.values = peers.sample(info_hash, family, no_seeds, count, now, rng);
        }
        response
    }

    /// BEP 51, "Sampling RPC". Who keeps nothing says so.
    fn name_info_hashes<R: Rng, O: Outbox>(
        &mut self,
        asker: &NodeInfo,
        target: &Id,
        want: Want,
        context: &mut Context<'_, R, O>,
    ) -> Response {
        let mut response = self.name_nodes(asker, target, want);
        let (now, config) = (context.now, context.config);
        let info_hashes = self.peers.as_mut().map_or_else(Vec::new, |peers| {
            let count = room(&response) / Id::LENGTH;
            let sample = peers.sample_info_hashes(count, now, config, context.rng);
            sample.to_vec()
        });
        let total = self.peers.as_ref().map_or(0, |peers| peers.info_hashes());
        let interval = u16::try_from(config.sample_interval.as_secs()).unwrap_or(u16::MAX);
        response.sample = Sample {
            total: total.max(info_hashes.len()) as u64,
            info_hashes,
            interval: interval.min(Sample::MAX_INTERVAL),
        }
        .into();
        response
    }

    /// BEP 5, "`announce_peer`".
    fn store_peer<R: Rng, O: Outbox>(
        &mut self,
        from: SocketAddr,
        info_hash: Id,
        port: AnnouncedPort,
        seed: Flag,
        token: &Token,
        context: &mut Context<'_, R, O>,
    ) -> Result<Response, KrpcError> {
        if !self
            .tokens
            .is_valid(token, context.now, from.ip(), &info_hash)
        {
            return Err(KrpcError::new(
                KrpcError::PROTOCOL,
                "Protocol Error: bad token",
            ));
        }
        let port = match port {
            AnnouncedPort::Given(port) => port,
            AnnouncedPort::Implied(_) => from.port(),
        };
        let peer = SocketAddr::new(from.ip(), port);
        let peers = self
            .peers
            .get_or_insert_with(|| Box::new(PeerStore::new(context.rng)));
        if !peers.announce(info_hash, peer, seed.0, context.now, context.config) {
            return Err(KrpcError::new(
                KrpcError::SERVER,
                "Server Error: too many announces from this address",
            ));
        }
        context.out.event(Event::PeerAnnounced { info_hash, peer });
        Ok(Response::new(self.id()))
    }
}

/// Tells the sender of a query that it could not be read. BEP 5, "Errors".
pub(super) fn refuse_malformed<R: Rng, O: Outbox>(
    from: SocketAddr,
    transaction: &TransactionId,
    code: i64,
    context: &mut Context<'_, R, O>,
) {
    if !context.config.read_only && scope(&from).is_some() {
        let text = match code {
            KrpcError::VALUE_TOO_BIG => "Message (v field) too big",
            KrpcError::SALT_TOO_BIG => "Salt (salt field) too big",
            _ => "Protocol Error: invalid arguments",
        };
        let error = KrpcError::new(code, text);
        transmit_answer(from, transaction.clone(), Body::Error(error), context);
    }
}

fn transmit_answer<R: Rng, O: Outbox>(
    to: SocketAddr,
    transaction: TransactionId,
    body: Body,
    context: &mut Context<'_, R, O>,
) {
    // BEP 42, "Bootstrapping": who answers tells the asker where he is seen.
    let message = Message {
        transaction,
        version: Some(context.config.version),
        external: Some(to),
        body,
    };
    context.out.transmit(to, message);
}
