//! A wire between two peers that the test can hold.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::thread;

use super::Gate;
use super::fake_peer::FakePeer;

/// Passes on every connection to an address, but not one byte before it is opened: so an honest peer can be made to come
/// later than all others.
pub(crate) struct Relay {
    entrance: FakePeer,
    gate: Gate,
}

impl Relay {
    pub(crate) fn to(address: &str) -> Self {
        let gate = Gate::default();
        let (address, held) = (address.to_owned(), gate.clone());
        let entrance = FakePeer::start(move |conversation| {
            if !held.pass() {
                return Ok(());
            }
            let here = conversation.stream();
            let there = TcpStream::connect(&address)?;
            let (mut from, mut to) = (there.try_clone()?, here.try_clone()?);
            let back = thread::spawn(move || {
                let copied = io::copy(&mut from, &mut to);
                to.shutdown(Shutdown::Both).and(copied)
            });
            let copied = io::copy(&mut &*here, &mut &there);
            there.shutdown(Shutdown::Both)?;
            let _ = back.join();
            copied.map(drop)
        });
        Self { entrance, gate }
    }

    pub(crate) fn address(&self) -> String {
        self.entrance.address()
    }

    pub(crate) fn open(&self) {
        self.gate.open();
    }
}
