//! What a node wants sent and told, and where it goes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use dht::{Body, Event, Message, Method, Outbox, decode, encode, encoded_length};

use super::happening::{Command, Happening, Parcel, ParcelRank};
use super::resident::{Enemy, Extras, Line};
use super::slab::Slab;
use super::{Codec, Note, Scene, clock};
use crate::findings::Traffic;
use crate::network::Fate;
use crate::timing_wheel::TimingWheel;
use crate::{Digest, Micros};

/// What one thread has on its desk: what is to happen to its residents, and what they sent to those of others.
pub(super) struct Desk {
    pub(super) wheel: TimingWheel<Happening>,
    /// Alarms that ring within the slot that is being lived through.
    pub(super) soon: BinaryHeap<Reverse<(Micros, u32)>>,
    pub(super) parcels: Slab<Parcel>,
    pub(super) commands: Slab<Command>,
    /// For each shard, what is to be handed to it after the slot.
    pub(super) outgoing: Vec<Vec<Envelope>>,
    pub(super) notes: Vec<Note>,
    pub(super) tally: Tally,
}

/// A parcel on its way to another shard.
pub(super) struct Envelope {
    pub(super) at: Micros,
    pub(super) resident: u32,
    pub(super) rank: ParcelRank,
    pub(super) parcel: Parcel,
}

/// What is counted.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    pub(crate) traffic: Traffic,
    /// Messages and bytes by [`KINDS`].
    pub(crate) messages: [(u64, u64); KINDS.len()],
    /// Things that happened.
    pub(crate) events: u64,
    pub(crate) digest: Digest,
}

/// The types of message that are told apart.
pub(crate) const KINDS: [&str; 8] = [
    "ping",
    "find_node",
    "get_peers",
    "announce_peer",
    "other query",
    "answer",
    "answer with peers",
    "error",
];

fn kind(message: &Message) -> usize {
    match &message.body {
        Body::Query(query) => match query.method {
            Method::Ping => 0,
            Method::FindNode { .. } => 1,
            Method::GetPeers { .. } => 2,
            Method::AnnouncePeer { .. } => 3,
            Method::Other { .. }
            | Method::Get { .. }
            | Method::Put(_)
            | Method::SampleInfohashes { .. } => 4,
        },
        Body::Response(response) if response.values.is_empty() => 5,
        Body::Response(_) => 6,
        Body::Error(_) => 7,
    }
}

impl Desk {
    pub(super) fn new(slot: Micros, shards: usize) -> Self {
        Self {
            wheel: TimingWheel::new(slot),
            soon: BinaryHeap::new(),
            parcels: Slab::default(),
            commands: Slab::default(),
            outgoing: (0..shards).map(|_| Vec::new()).collect(),
            notes: Vec::new(),
            tally: Tally::default(),
        }
    }

    pub(super) fn schedule_alarm(&mut self, at: Option<Micros>, resident: u32) {
        match at {
            // The wheel has left the slot that is being lived through.
            Some(at) if at < self.wheel.begins() => self.soon.push(Reverse((at, resident))),
            Some(at) => self.wheel.insert(Happening::alarm(at, resident)),
            None => {}
        }
    }

    /// `number` is that of the command among all commands to this resident at this time.
    pub(super) fn schedule_command(
        &mut self,
        at: Micros,
        resident: u32,
        number: u64,
        command: Command,
    ) {
        let place = self.commands.insert(command);
        self.wheel
            .insert(Happening::command(at, resident, number, place));
    }

    pub(super) fn receive(&mut self, envelope: Envelope) {
        let place = self.parcels.insert(envelope.parcel);
        self.wheel.insert(Happening::parcel(
            envelope.at,
            envelope.resident,
            envelope.rank,
            place,
        ));
    }
}

/// The outbox of one node while it handles one input.
pub(super) struct Pen<'a> {
    pub(super) scene: &'a Scene,
    pub(super) desk: &'a mut Desk,
    pub(super) line: &'a mut Line,
    pub(super) extras: Option<&'a mut Extras>,
    /// Who writes.
    pub(super) number: u32,
    pub(super) now: Micros,
}

impl Outbox for Pen<'_> {
    fn transmit(&mut self, to: SocketAddr, mut message: Message) {
        if let Some(extras) = &mut self.extras {
            if let Some(Enemy { attacker, rng }) = &mut extras.enemy {
                attacker.sends(to, &mut message, rng);
            }
            if let Some(auditor) = &mut extras.auditor {
                auditor.sent(clock(self.now), to, &message);
            }
        }
        self.post(to, message);
    }

    fn event(&mut self, event: Event) {
        if let Some(extras) = &mut self.extras {
            let now = Duration::from_micros(self.now);
            if let Some(auditor) = &mut extras.auditor {
                auditor.event(clock(self.now), &event);
            }
            if let Some(onlooker) = &mut extras.onlooker {
                onlooker.reports(now, &event);
            }
        }
        // What only those look at who watch a node.
        if !matches!(event, Event::Trace { .. }) {
            let at = Duration::from_micros(self.now);
            let node = self.number;
            self.desk.notes.push(Note { at, node, event });
        }
    }
}

impl Pen<'_> {
    /// Gives a message to the network.
    pub(super) fn post(&mut self, to: SocketAddr, message: Message) {
        let (scene, now) = (self.scene, self.now);
        if let Some(extras) = &mut self.extras
            && let Some(onlooker) = &mut extras.onlooker
        {
            onlooker.says(Duration::from_micros(now), to, &message);
        }
        let tally = &mut self.desk.tally;
        let bytes = encoded_length(&message) as u64;
        tally.traffic.sent += 1;
        let (messages, length) = &mut tally.messages[kind(&message)];
        *messages += 1;
        *length += bytes;
        self.line.sent += 1;
        let sequence = self.line.sent;

        let SocketAddr::V4(to) = to else {
            tally.traffic.nobody += 1;
            return;
        };
        let own = scene.network.address(self.number);
        let from = match &mut self.extras {
            Some(Extras { nat: Some(nat), .. }) => nat.outbound(&scene.nat, now, own, to),
            _ => own,
        };
        let free_at = &mut self.line.free_at;
        let Some(queued) = scene.network.leave(self.number, now, bytes as u32, free_at) else {
            tally.traffic.congested += 1;
            return;
        };
        let Some(receiver) = scene.network.resident(*to.ip()) else {
            tally.traffic.nobody += 1;
            return;
        };
        match scene.network.fate(now, self.number, receiver, sequence) {
            Fate::Lost => tally.traffic.lost += 1,
            Fate::Cut => tally.traffic.cut += 1,
            Fate::Arrives { after, again_after } => {
                let parcel = Parcel {
                    sender: self.number,
                    from,
                    to,
                    message: match scene.codec {
                        Codec::Structured => message,
                        Codec::Bytes => by_datagram(&message),
                    },
                };
                let left = now + queued;
                if let Some(after) = again_after {
                    tally.traffic.duplicated += 1;
                    let rank = ParcelRank::new(self.number, sequence, true);
                    self.hand_over(left + after, receiver, rank, parcel.clone());
                }
                let rank = ParcelRank::new(self.number, sequence, false);
                self.hand_over(left + after, receiver, rank, parcel);
            }
        }
    }

    fn hand_over(&mut self, at: Micros, receiver: u32, rank: ParcelRank, parcel: Parcel) {
        let (shard, resident) = self.scene.place(receiver);
        let envelope = Envelope {
            at,
            resident,
            rank,
            parcel,
        };
        if shard == self.scene.place(self.number).0 {
            self.desk.receive(envelope);
        } else {
            self.desk.outgoing[shard].push(envelope);
        }
    }
}

/// What is left of a message when it has been a datagram.
fn by_datagram(message: &Message) -> Message {
    let mut datagram = Vec::new();
    encode(message, &mut datagram);
    decode(&datagram).expect("nodes understand what nodes say")
}
