//! What an enemy does. It is an ordinary `dht::Node`, so that it joins, is verified and gets into tables like everybody; an [`Attacker`]
//! stands between it and the network, and tampers with what it says and hears.

mod errand;
mod flood;
mod forgery;
mod naming;
mod part;
mod scene;
mod tally;

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use dht::{Body, Id, Message, Method, Node, Response, TransactionId};
use rand::Rng;

use self::errand::Errand;
use self::flood::Flood;
use self::forgery::Forgery;
pub(crate) use self::part::{Part, Parts};
pub(crate) use self::scene::Scene;
pub(crate) use self::tally::{Harm, Tally, rows};

/// The enemy in a node. Honest nodes have none.
#[derive(Debug)]
pub(crate) struct Attacker {
    part: Part,
    scene: Arc<Scene>,
    address: SocketAddrV4,
    id: Option<Id>,
    /// What the node is about to answer: a response alone does not say what was asked.
    question: Option<Question>,
    campaign: Campaign,
    tally: Tally,
}

#[derive(Debug)]
struct Question {
    from: SocketAddr,
    transaction: TransactionId,
    target: Id,
    /// Its answer carries a token.
    gives_token: bool,
}

/// What an enemy is at unasked.
#[derive(Debug)]
enum Campaign {
    None,
    Forgery(Forgery),
    Flood(Flood),
}

/// What becomes of a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The node gets it.
    Passed,
    /// The node never learns of it.
    Swallowed,
}

impl Attacker {
    /// The enemy in resident `node`, which others see at `address`. `None` for honest parts.
    pub(crate) fn new(
        part: Part,
        scene: Arc<Scene>,
        node: u32,
        address: SocketAddrV4,
    ) -> Option<Box<Self>> {
        let campaign = match part {
            Part::Forger => Campaign::Forgery(Forgery::default()),
            Part::Flooder => Campaign::Flood(Flood::default()),
            _ => Campaign::None,
        };
        part.is_enemy().then(|| {
            Box::new(Self {
                part,
                id: scene.chosen_id(part, node, address),
                scene,
                address,
                question: None,
                campaign,
                tally: Tally::default(),
            })
        })
    }

    /// What it is.
    pub(crate) const fn part(&self) -> Part {
        self.part
    }

    /// The id for [`Node::new`].
    pub(crate) const fn id(&self) -> Option<Id> {
        self.id
    }

    /// What it tried and achieved so far.
    pub(crate) const fn tally(&self) -> Tally {
        self.tally
    }

    /// Tampers with what came for `node`, before the node gets it, or answers it in its stead.
    pub(crate) fn receives(
        &mut self,
        node: &Node,
        from: SocketAddr,
        message: &mut Message,
        out: &mut impl FnMut(SocketAddr, Message),
    ) -> Heard {
        self.question = None;
        let errand = Errand::of(message);
        match &message.body {
            Body::Query(query) => {
                let (target, gives_token) = match &query.method {
                    // Enemies do not fool one another: a forgery that another one swallowed would count as believed.
                    Method::AnnouncePeer { .. } | Method::Put(_)
                        if self.swallows() && errand.is_none() =>
                    {
                        self.tally.succeeded += 1;
                        out(from, acknowledgement(node.id(), from, message));
                        return Heard::Swallowed;
                    }
                    Method::FindNode { target, .. }
                    | Method::SampleInfohashes { target, .. }
                    | Method::Other {
                        target: Some(target),
                        ..
                    } => (*target, false),
                    Method::GetPeers { info_hash, .. } => (*info_hash, true),
                    Method::Get { target, .. } => (*target, true),
                    Method::Ping
                    | Method::AnnouncePeer { .. }
                    | Method::Other { .. }
                    | Method::Put(_) => {
                        return Heard::Passed;
                    }
                };
                self.question = Some(Question {
                    from,
                    transaction: message.transaction.clone(),
                    target,
                    gives_token,
                });
            }
            Body::Response(_) | Body::Error(_) => {
                if let Some(errand) = errand {
                    self.take_answer(errand, from, message);
                    return Heard::Swallowed;
                }
                // An id that was chosen is kept, whatever BEP 42 says about the address that others see.
                if self.id.is_some() {
                    message.external = None;
                }
            }
        }
        Heard::Passed
    }

    /// Tampers with what the node sends, before the network gets it.
    pub(crate) fn sends(&mut self, to: SocketAddr, message: &mut Message, rng: &mut impl Rng) {
        let Body::Response(response) = &mut message.body else {
            return;
        };
        let answered = self
            .question
            .take_if(|question| question.from == to && question.transaction == message.transaction);
        let Some(question) = answered else { return };
        if self.swallows() {
            response.values.clear();
            self.tally.tried += u64::from(question.gives_token);
        }
        // Enemies live on IPv4.
        if let Some(nodes) = &mut response.nodes
            && let Some(named) =
                naming::named(self.part, &self.scene, self.address, &question.target, rng)
        {
            if !self.part.is_sybil() {
                self.tally.tried += named.len() as u64;
            }
            *nodes = named;
        }
    }

    /// Sends what it wants to send by itself. Returns when it wants to be called again; `None`: never.
    pub(crate) fn act(
        &mut self,
        now: Duration,
        node: &Node,
        rng: &mut impl Rng,
        out: &mut impl FnMut(SocketAddr, Message),
    ) -> Option<Duration> {
        let (tried, next) = match &mut self.campaign {
            Campaign::None => (0, None),
            Campaign::Forgery(forgery) => {
                let (tried, next) = forgery.act(now, node, &self.scene, rng, out);
                (tried, Some(next))
            }
            Campaign::Flood(flood) => flood.act(now, node, self.scene.flood_rate(), rng, out),
        };
        self.tally.tried += tried;
        next
    }

    /// An answer to what it asked by itself.
    fn take_answer(&mut self, errand: Errand, from: SocketAddr, message: &Message) {
        match (errand, &mut self.campaign, &message.body) {
            (Errand::Bait, Campaign::Forgery(forgery), Body::Response(response)) => {
                forgery.take_token(from, response.token.clone());
            }
            (Errand::Forgery | Errand::Flood, _, Body::Response(_)) => self.tally.succeeded += 1,
            _ => {}
        }
    }

    /// Whether it takes announces and stores nothing.
    const fn swallows(&self) -> bool {
        self.part.is_sybil() || matches!(self.part, Part::Swallower)
    }
}

/// What a node says that has stored what it was told.
fn acknowledgement(own: Id, to: SocketAddr, query: &Message) -> Message {
    Message {
        transaction: query.transaction.clone(),
        version: None,
        external: Some(to),
        body: Body::Response(Response::new(own)),
    }
}

#[cfg(test)]
mod tests;
