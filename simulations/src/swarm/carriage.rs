//! How parcels get from one peer to another.

use std::time::Duration;

use wire::{Direction, Frame, Input, Link, decode_frame};

use super::lane::{End, Lane};
use super::parcel::Parcel;
use super::promises::{Broken, Promises};
use super::{Happening, Paths, Swarm};

/// While a path is cut, what did not arrive is sent again so often.
const RETRANSMISSION: Duration = Duration::from_secs(1);

impl<P: Paths> Swarm<P> {
    /// Makes the lanes of a connection that `from` has dialled. Returns that of `to`, which accepts.
    pub(super) fn open_lanes(&mut self, from: u32, to: u32) -> u32 {
        let latency = self.latency(from, to);
        let near = Lane::new(from, to, latency, End::Opening);
        let far = Lane::new(to, from, latency, End::Open);
        let first = if let Some(first) = self.free_lanes.pop() {
            self.lanes[first as usize] = near;
            self.lanes[first as usize ^ 1] = far;
            first
        } else {
            self.lanes.extend([near, far]);
            self.lanes.len() as u32 - 2
        };
        if self.is_checked {
            self.promises
                .resize_with(self.lanes.len(), Promises::default);
            self.promises[first as usize] = Promises::default();
            self.promises[first as usize ^ 1] = Promises::default();
        }
        self.peers[from as usize].lanes.push(first);
        self.peers[to as usize].lanes.push(first ^ 1);
        first ^ 1
    }

    /// Sends a parcel, or puts it in the queue of its lane.
    pub(super) fn send(&mut self, number: u32, parcel: Parcel) {
        let now = self.now();
        let lane = &mut self.lanes[number as usize];
        if lane.end != End::Open {
            return;
        }
        let from = lane.from;
        let uplink = &mut self.peers[from as usize].uplink;
        if lane.waiting.is_empty() && !parcel.is_bulky() {
            uplink.occupy(now, parcel.bytes());
            self.depart(number, parcel);
            return;
        }
        if lane.waiting.is_empty() {
            uplink.queue(number);
        }
        lane.waiting.push_back(parcel);
        self.begin(from);
    }

    /// Begins to send what is next on the uplink of a peer, if nothing is being sent.
    fn begin(&mut self, from: u32) {
        let now = self.now();
        let uplink = &mut self.peers[from as usize].uplink;
        if let Some(lane) = uplink.begin() {
            let parcel = self.lanes[lane as usize].waiting.front();
            let at = uplink.occupy(now, parcel.map_or(0, Parcel::bytes));
            self.scheduler.schedule(at, Happening::Sent(from));
        }
    }

    /// What was on the uplink of a peer has left.
    pub(super) fn sent(&mut self, from: u32) {
        let peer = &mut self.peers[from as usize];
        let finished = peer.uplink.finish();
        if peer.is_gone {
            return;
        }
        let role = peer.role;
        if let Some(number) = finished
            && let Some(parcel) = self.lanes[number as usize].waiting.pop_front()
        {
            let block = match parcel {
                Parcel::Block(block) => Some(block),
                _ => None,
            };
            self.depart(number, parcel);
            self.flush(number);
            if !self.lanes[number as usize].waiting.is_empty() {
                self.peers[from as usize].uplink.queue(number);
            }
            if let Some(block) = block {
                self.tally.sent(role, block.length);
                let link = Link(number);
                self.act(from, Input::Uploaded { link, block });
            }
        }
        self.begin(from);
    }

    /// A waiting parcel was taken back: what waited behind it may go.
    pub(super) fn tidy(&mut self, number: u32) {
        let from = self.lanes[number as usize].from as usize;
        if !self.peers[from].uplink.is_sending(number) {
            self.flush(number);
            if self.lanes[number as usize].waiting.is_empty() {
                self.peers[from].uplink.forget(number);
            }
        }
    }

    /// Sends what waits on a lane and has nothing bulky before it.
    fn flush(&mut self, number: u32) {
        let now = self.now();
        loop {
            let lane = &mut self.lanes[number as usize];
            if lane.waiting.front().is_none_or(Parcel::is_bulky) {
                return;
            }
            if let Some(parcel) = lane.waiting.pop_front() {
                let uplink = &mut self.peers[lane.from as usize].uplink;
                uplink.occupy(now, parcel.bytes());
                self.depart(number, parcel);
            }
        }
    }

    /// A parcel is on its way.
    fn depart(&mut self, number: u32, parcel: Parcel) {
        let lane = &mut self.lanes[number as usize];
        let at = self.scheduler.now() + lane.latency;
        self.traffic.sent += parcel.bytes();
        lane.flight.push_back((at, parcel));
        if !lane.is_awaited {
            lane.is_awaited = true;
            self.scheduler.schedule(at, Happening::Arrived(number));
        }
    }

    /// The near end of a lane ends the connection. What waits is dropped, what flies arrives.
    pub(super) fn hang_up(&mut self, number: u32) {
        if self.lanes[number as usize].end != End::Closed {
            self.close_end(number);
            self.depart(number, Parcel::End);
        }
    }

    fn close_end(&mut self, number: u32) {
        let lane = &mut self.lanes[number as usize];
        lane.end = End::Closed;
        lane.waiting.clear();
        self.peers[lane.from as usize].uplink.forget(number);
    }

    /// Delivers what is due on a lane.
    pub(super) fn arrived(&mut self, number: u32) {
        let now = self.now();
        let Lane { from, to, .. } = self.lanes[number as usize];
        if self.is_cut(from, to) {
            let again = Happening::Arrived(number);
            self.scheduler.schedule(now + RETRANSMISSION, again);
            return;
        }
        while let Some(&(at, ref parcel)) = self.lanes[number as usize].flight.front() {
            if at > now {
                self.scheduler.schedule(at, Happening::Arrived(number));
                return;
            }
            let bytes = parcel.bytes();
            let downlink = &mut self.peers[to as usize].downlink;
            let lane = &mut self.lanes[number as usize];
            if !lane.is_admitted {
                lane.is_admitted = true;
                let at = downlink.occupy(now, bytes);
                if at > now {
                    lane.flight[0].0 = at;
                    continue;
                }
            }
            lane.is_admitted = false;
            if let Some((_, parcel)) = lane.flight.pop_front() {
                self.deliver(number, &parcel);
            }
        }
        self.lanes[number as usize].is_awaited = false;
        self.free(number);
    }

    fn deliver(&mut self, number: u32, parcel: &Parcel) {
        let now = self.now();
        let lane = &self.lanes[number as usize];
        let (from, to) = (lane.from, lane.to);
        let near = number ^ 1;
        let end = self.lanes[near as usize].end;
        if end == End::Closed || self.peers[to as usize].is_gone {
            self.traffic.dropped += parcel.bytes();
            if *parcel == Parcel::End {
                self.close_end(near);
            }
            return;
        }
        self.traffic.received += parcel.bytes();
        self.digest.count((now, from, to, parcel));
        let link = Link(near);
        match parcel {
            Parcel::Handshake => {
                self.lanes[near as usize].end = End::Open;
                let address = self.addresses[from as usize];
                self.connected(near, address, Direction::Outgoing);
            }
            Parcel::Message(bytes) => match decode_frame(bytes) {
                Ok(Frame::Message { message, .. }) => {
                    self.check_hearing(near, |promises| promises.hears(message));
                    self.act(to, Input::Received { link, message });
                }
                other => {
                    let what = format!("it sent {bytes:02x?}, which reads as {other:?}");
                    self.broken(from, Broken::new("what is sent can be read", what));
                }
            },
            &Parcel::Block(block) => {
                self.check_hearing(near, |promises| promises.answered(block));
                self.peers[to as usize].at_hand = Some((link, block));
                self.act(to, Input::Block { link, block });
                self.peers[to as usize].at_hand = None;
            }
            Parcel::End => {
                let lanes = &mut self.peers[to as usize].lanes;
                lanes.retain(|&lane| lane != near);
                self.close_end(near);
                self.act(to, Input::Closed { link });
            }
        }
    }

    /// Gives up the lanes of a connection that has ended at both ends and carries nothing any more.
    fn free(&mut self, number: u32) {
        let is_over = |lane: &Lane| lane.end == End::Closed && lane.flight.is_empty();
        let first = number & !1;
        if is_over(&self.lanes[first as usize]) && is_over(&self.lanes[first as usize | 1]) {
            self.free_lanes.push(first);
        }
    }
}
