//! The residents of one thread, and how they live through a slot.

use std::any::Any;
use std::cmp::Reverse;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use dht::{AnnouncedPort, Input, Node, NodeInfo, encoded_length};
use rand::RngExt;

use super::barrier::Barrier;
use super::desk::{Desk, Envelope, Pen};
use super::happening::{Command, Happening, Origin, Parcel, What};
use super::resident::{Enemy, Memory, Resident};
use super::{Census, Goal, PAST, Scene, clock};
use crate::Micros;
use crate::attacker::Heard;
use crate::invariant::Breach;

/// Happenings whose memory is fetched together, so that one does not wait for the other.
const BATCH: usize = 8;

/// Every so many-th resident of a world, with all that is to happen to them.
pub(super) struct Shard {
    pub(super) residents: Vec<Resident>,
    pub(super) desk: Desk,
    /// This shard's number.
    number: usize,
    /// To whom something is happening, and when.
    happening: (Micros, u32),
    /// The first thing that should never have happened.
    pub(super) breach: Option<Breach>,
}

impl Shard {
    pub(super) fn new(number: usize, residents: Vec<Resident>, desk: Desk) -> Self {
        Self {
            residents,
            desk,
            number,
            happening: (0, 0),
            breach: None,
        }
    }

    /// Lets everything happen that happens in the next slot, in the order of time; nothing more after a breach.
    ///
    /// A panic is one: the run says when it happened and to whom, and no other thread waits for this one in vain.
    pub(super) fn live(&mut self, scene: &Scene) {
        if self.breach.is_some() {
            return;
        }
        // Nobody looks at what a panic left half done: the run is over.
        let lived = catch_unwind(AssertUnwindSafe(|| self.live_through_slot(scene)));
        if let Err(panic) = lived {
            let (at, resident) = self.happening;
            self.breach = Some(Breach {
                invariant: "no node panics",
                at: Duration::from_micros(at),
                node: Some(scene.number(self.number, resident)),
                what: words(panic.as_ref()),
            });
        }
    }

    fn live_through_slot(&mut self, scene: &Scene) {
        let mut slot = self.desk.wheel.take();
        slot.sort_unstable_by_key(Happening::key);
        for batch in slot.chunks(BATCH) {
            if let Some(first) = batch.first() {
                self.happening = (first.at, first.resident);
            }
            self.fetch(batch);
            for &happening in batch {
                self.ring_until(scene, happening.at);
                self.happen(scene, happening);
            }
        }
        self.ring_until(scene, self.desk.wheel.begins());
        self.desk.wheel.recycle(slot);
    }

    /// Lets the alarms ring that were set within this slot, up to a time.
    fn ring_until(&mut self, scene: &Scene, end: Micros) {
        while let Some(&Reverse((at, resident))) = self.desk.soon.peek() {
            if at > end {
                break;
            }
            self.desk.soon.pop();
            self.happen(scene, Happening::alarm(at, resident));
        }
    }

    /// Asks for the memory that these happenings will touch. A million nodes fit no cache, and waiting for them one after the other takes most of the time.
    fn fetch(&self, batch: &[Happening]) {
        let mut nodes = [None; BATCH];
        for (place, happening) in nodes.iter_mut().zip(batch) {
            let resident = &self.residents[happening.resident as usize];
            let input = match happening.kind.what() {
                What::Parcel(place) => self.desk.parcels.get(place).map(|parcel| Input::Receive {
                    from: parcel.from.into(),
                    message: &parcel.message,
                }),
                What::Alarm => Some(Input::Timeout),
                What::Command(_) => None,
            };
            *place = resident.node.as_deref().zip(input);
        }
        for (node, _) in nodes.iter().flatten() {
            node.prefetch();
        }
        for (node, input) in nodes.iter().flatten() {
            node.prefetch_for(input);
        }
    }

    fn happen(&mut self, scene: &Scene, happening: Happening) {
        let (now, resident) = (happening.at, happening.resident);
        self.happening = (now, resident);
        self.desk.tally.events += 1;
        match happening.kind.what() {
            What::Alarm => match self.residents[resident as usize].alarm.ring(now) {
                Ok(()) => self.act(scene, now, resident, Input::Timeout),
                Err(again) => self.desk.schedule_alarm(again, resident),
            },
            What::Parcel(place) => {
                if let Some(parcel) = self.desk.parcels.take(place) {
                    self.deliver(scene, now, resident, parcel);
                }
            }
            What::Command(place) => {
                if let Some(command) = self.desk.commands.take(place) {
                    self.obey(scene, now, resident, command);
                }
            }
        }
    }

    /// Gives a node an input, if it is awake.
    fn act(&mut self, scene: &Scene, now: Micros, resident: u32, input: Input<'_>) {
        let number = scene.number(self.number, resident);
        let Resident {
            node,
            rng,
            alarm,
            line,
            is_read_only,
            is_frozen,
            extras,
            ..
        } = &mut self.residents[resident as usize];
        let Some(node) = node.as_deref_mut().filter(|_| !*is_frozen) else {
            return;
        };
        let config = scene.config(*is_read_only);
        let (time, clock) = (Duration::from_micros(now), clock(now));
        let mut extras = extras.as_deref_mut();
        if let Some(extras) = &mut extras {
            if let Some(auditor) = &mut extras.auditor {
                auditor.before(node, clock, &input);
            }
            if let Some(onlooker) = &mut extras.onlooker {
                onlooker.handles(time, &input);
            }
        }
        let mut pen = Pen {
            scene,
            desk: &mut self.desk,
            line,
            extras: extras.as_deref_mut(),
            number,
            now,
        };
        let deadline = node.handle(config, clock, rng, input, &mut pen);
        let mut breach = None;
        if deadline.is_some_and(|deadline| deadline <= clock) {
            breach = Some((
                "a deadline is later than now",
                format!("it named {deadline:?}"),
            ));
        }
        if let Some(extras) = extras
            && let Some(auditor) = &mut extras.auditor
        {
            breach = breach.or(auditor.after(node, clock, deadline));
        }
        let at = alarm.set(deadline.map(|deadline| deadline.saturating_sub(PAST)));
        self.desk.schedule_alarm(at, resident);
        if let Some((invariant, what)) = breach
            && self.breach.is_none()
        {
            self.breach = Some(Breach {
                invariant,
                at: time,
                node: Some(number),
                what,
            });
        }
    }

    fn deliver(&mut self, scene: &Scene, now: Micros, resident: u32, mut parcel: Parcel) {
        let number = scene.number(self.number, resident);
        let receiver = &mut self.residents[resident as usize];
        let traffic = &mut self.desk.tally.traffic;
        if !receiver.is_awake() {
            traffic.offline += 1;
            return;
        }
        let from = SocketAddr::V4(parcel.from);
        let mut extras = receiver.extras.as_deref_mut();
        let nat = extras.as_mut().and_then(|extras| extras.nat.as_mut());
        let is_let_in = match nat {
            Some(nat) => nat.admits(&scene.nat, now, parcel.to, parcel.from),
            None => parcel.to == scene.network.address(number),
        };
        if !is_let_in {
            traffic.filtered += 1;
            return;
        }
        if let Some(limiter) = extras.as_mut().and_then(|extras| extras.limiter.as_mut())
            && !limiter.admit(
                from,
                encoded_length(&parcel.message),
                Duration::from_micros(now),
            )
        {
            traffic.limited += 1;
            return;
        }
        traffic.delivered += 1;
        receiver.line.received += 1;
        let delivery = (now, parcel.sender, number, &parcel.message);
        self.desk.tally.digest.count(delivery);
        if let Some(extras) = extras
            && let (Some(enemy), Some(node)) = (&mut extras.enemy, receiver.node.as_deref())
        {
            let mut answers = Vec::new();
            let mut answer = |to, message| answers.push((to, message));
            let heard = enemy
                .attacker
                .receives(node, from, &mut parcel.message, &mut answer);
            let mut pen = Pen {
                scene,
                desk: &mut self.desk,
                line: &mut receiver.line,
                extras: Some(extras),
                number,
                now,
            };
            for (to, message) in answers {
                pen.post(to, message);
            }
            if heard == Heard::Swallowed {
                return;
            }
        }
        let message = &parcel.message;
        self.act(scene, now, resident, Input::Receive { from, message });
    }

    fn obey(&mut self, scene: &Scene, now: Micros, resident: u32, command: Command) {
        match command {
            Command::Join(origin) => self.join(scene, now, resident, origin),
            Command::Leave { keeps_table } => self.leave(now, resident, keeps_table),
            Command::Freeze => self.residents[resident as usize].is_frozen = true,
            Command::Thaw => {
                self.residents[resident as usize].is_frozen = false;
                self.act(scene, now, resident, Input::Timeout);
            }
            Command::Begin { lookup, goal } => {
                let number = scene.number(self.number, resident);
                let input = match goal {
                    Goal::FindNode(target) => Input::FindNode { lookup, target },
                    Goal::GetPeers(info_hash) => Input::GetPeers { lookup, info_hash },
                    Goal::Announce(info_hash) => Input::Announce {
                        lookup,
                        info_hash,
                        port: AnnouncedPort::Implied(scene.network.address(number).port()),
                        seed: false,
                    },
                };
                self.act(scene, now, resident, input);
            }
            Command::Receive(delivery) => {
                let (from, message) = *delivery;
                let message = &message;
                self.act(scene, now, resident, Input::Receive { from, message });
            }
            Command::Enter => {
                let number = scene.number(self.number, resident);
                let hosts = scene.hosts_for(number, &scene.bootstrap);
                self.act(scene, now, resident, Input::Bootstrap(&hosts));
            }
            Command::Act => self.act_out(scene, now, resident),
        }
    }

    fn join(&mut self, scene: &Scene, now: Micros, resident: u32, origin: Origin) {
        let number = scene.number(self.number, resident);
        let newcomer = &mut self.residents[resident as usize];
        if newcomer.node.is_some() {
            return;
        }
        let extras = newcomer.extras.as_mut();
        let memory = extras.and_then(|extras| extras.memory.take());
        let (hosts, memory) = match origin {
            Origin::New(hosts) => (hosts, None),
            Origin::Returned => (Vec::new(), memory),
        };
        let hosts = scene.hosts_for(
            number,
            if hosts.is_empty() {
                &scene.bootstrap
            } else {
                &hosts
            },
        );
        let id = newcomer
            .chosen_id()
            .or(memory.as_ref().map(|memory| memory.id));
        newcomer.node = Some(Box::new(Node::new(id, &mut newcomer.rng)));
        if let Some(memory) = memory {
            let contacts: Vec<_> = memory.contacts.iter().map(NodeInfo::widen).collect();
            self.act(scene, now, resident, Input::Restore(&contacts));
        }
        self.act(scene, now, resident, Input::Bootstrap(&hosts));
        self.act_out(scene, now, resident);
    }

    /// Gives those who are online the tables of a long life.
    pub(super) fn establish_all(
        &mut self,
        scene: &Scene,
        now: Micros,
        census: &Census,
        is_online: &impl Fn(u32) -> bool,
    ) {
        let time = clock(now);
        let mut contacts = Vec::new();
        for resident in 0..self.residents.len() as u32 {
            let number = scene.number(self.number, resident);
            if !is_online(number) {
                continue;
            }
            let newcomer = &mut self.residents[resident as usize];
            let id = newcomer
                .chosen_id()
                .unwrap_or_else(|| scene.native_id(number));
            let config = scene.config(newcomer.is_read_only);
            let rng = &mut newcomer.rng;
            census.acquaintances(&id, config, time, rng, &mut contacts);
            let node = Node::established(id, contacts.iter().copied(), config, time, rng);
            newcomer.node = Some(Box::new(node));
            // They have asked the bootstrap nodes before, each at its own time, and will again.
            let pause = config.refresh_interval.mul_f64(newcomer.rng.random());
            let at = now + pause.as_micros() as Micros;
            self.desk.schedule_command(at, resident, 0, Command::Enter);
            self.act(scene, now, resident, Input::Timeout);
            self.act_out(scene, now, resident);
        }
    }

    /// Lives through `slots` slots beside others.
    pub(super) fn live_beside(
        &mut self,
        scene: &Scene,
        slots: u64,
        post: &[Mutex<Vec<Envelope>>],
        barrier: &Barrier,
    ) {
        let shards = self.desk.outgoing.len();
        let box_of = |from: usize, to: usize| {
            post[from * shards + to]
                .lock()
                .expect("a thread that fails ends the program")
        };
        for _ in 0..slots {
            self.live(scene);
            for (to, envelopes) in self
                .desk
                .outgoing
                .iter_mut()
                .enumerate()
                .filter(|(_, envelopes)| !envelopes.is_empty())
            {
                box_of(self.number, to).append(envelopes);
            }
            barrier.wait();
            // Somebody who is ahead may have added what belongs to the next slot: it arrives later than that, so it does not matter.
            for from in (0..shards).filter(|&from| from != self.number) {
                let mut envelopes = std::mem::take(&mut *box_of(from, self.number));
                envelopes
                    .drain(..)
                    .for_each(|envelope| self.desk.receive(envelope));
                let mut emptied = box_of(from, self.number);
                if emptied.is_empty() {
                    *emptied = envelopes;
                }
            }
        }
    }

    fn leave(&mut self, now: Micros, resident: u32, keeps_table: bool) {
        let resident = &mut self.residents[resident as usize];
        if let Some(node) = resident.node.take() {
            if keeps_table {
                resident.extras_mut().memory = Some(Memory::of(&node));
            }
            if let Some(extras) = &mut resident.extras {
                if let Some(auditor) = &mut extras.auditor {
                    auditor.forget();
                }
                if let Some(onlooker) = &mut extras.onlooker {
                    onlooker.goes(Duration::from_micros(now));
                }
            }
        }
    }

    /// Lets an enemy do what it does by itself, and schedules the next time.
    fn act_out(&mut self, scene: &Scene, now: Micros, resident: u32) {
        let number = scene.number(self.number, resident);
        let Resident {
            node,
            line,
            extras,
            is_frozen,
            ..
        } = &mut self.residents[resident as usize];
        let (Some(node), Some(extras), false) =
            (node.as_deref(), extras.as_deref_mut(), *is_frozen)
        else {
            return;
        };
        let Some(Enemy { attacker, rng }) = &mut extras.enemy else {
            return;
        };
        let mut messages = Vec::new();
        let mut send = |to, message| messages.push((to, message));
        let next = attacker.act(Duration::from_micros(now), node, rng, &mut send);
        let mut pen = Pen {
            scene,
            desk: &mut self.desk,
            line,
            extras: Some(extras),
            number,
            now,
        };
        for (to, message) in messages {
            pen.post(to, message);
        }
        if let Some(next) = next {
            let at = (next.as_micros() as Micros).max(now + 1);
            self.desk.schedule_command(at, resident, 1, Command::Act);
        }
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it does not say why").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plan;
    use crate::world::{Means, World};

    #[test]
    fn a_panic_is_a_breach_and_no_thread_waits_for_the_one_that_panicked() {
        for threads in [1, 2] {
            let means = Means {
                threads,
                ..Means::default()
            };
            let mut world = World::new(&Plan::default(), 20, means);
            // There is no such resident.
            let alarm = Happening::alarm(1_000_000, 4_000);
            world.shards[threads - 1].desk.wheel.insert(alarm);
            world.run_for(Duration::from_secs(2));
            let breach = world.breach().expect("somebody panicked");
            assert_eq!(breach.invariant, "no node panics");
            assert_eq!(breach.at, Duration::from_secs(1));
            assert!(breach.what.contains("out of bounds"), "{}", breach.what);
        }
    }
}
