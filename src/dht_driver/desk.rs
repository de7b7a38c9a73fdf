use std::net::SocketAddr;

use dht::{Body, Event, Limiter, Message, Outbox};

use super::sockets::Sockets;

/// Where the node's output goes: datagrams when the turn ends, events after the call.
pub(super) struct Desk {
    pub(super) sockets: Sockets,
    pub(super) limiter: Option<Limiter>,
    pub(super) events: Vec<Event>,
    pub(super) answered: u64,
}

impl Desk {
    pub(super) fn new(sockets: Sockets, limiter: Option<Limiter>) -> Self {
        Self {
            sockets,
            limiter,
            events: Vec::new(),
            answered: 0,
        }
    }
}

impl Outbox for Desk {
    fn transmit(&mut self, to: SocketAddr, message: Message) {
        match (&message.body, &mut self.limiter) {
            (Body::Query(_), Some(limiter)) => limiter.expect(to),
            (Body::Response(_), _) => self.answered += 1,
            _ => {}
        }
        self.sockets
            .post(to, |datagram| dht::encode(&message, datagram));
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}
