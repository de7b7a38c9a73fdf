//! What one node saw and did, in lines for people.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    Body, Event, Id, Input, LookupReport, Message, Method, NodeInfo, Response, Step, TransactionId,
};

use crate::world::Goal;

/// Which node is watched, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The node.
    pub node: u32,
    /// From when on, counted from the start of the run.
    pub from: Duration,
    /// Until when.
    pub to: Duration,
}

/// Something that a watched node saw or did: displayed, one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// When.
    pub at: Duration,
    /// Who.
    pub node: u32,
    /// What.
    pub what: Seen,
}

/// What can be seen of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It heard this.
    Heard(SocketAddr, Message),
    /// It said this.
    Said(SocketAddr, Message),
    /// It came, and knew so many addresses to enter through.
    Came(usize),
    /// It remembered so many nodes of an earlier life.
    Remembered(usize),
    /// It went.
    Went,
    /// It began to look something up.
    Began(Goal),
    /// It reported this.
    Reported(Event),
    /// So many more things, of which there was no room to tell.
    More(u64),
}

/// Sights that are kept until somebody takes them.
const ROOM: usize = 1 << 16;

/// Keeps what a node sees and does.
pub(crate) struct Onlooker {
    watch: Watch,
    sights: Vec<Sight>,
    /// Those that there was no room for, and the time of the last one.
    more: u64,
    last: Duration,
}

impl Onlooker {
    pub(crate) fn new(watch: Watch) -> Self {
        Self {
            watch,
            sights: Vec::new(),
            more: 0,
            last: Duration::ZERO,
        }
    }

    /// The node handles an input.
    pub(crate) fn handles(&mut self, now: Duration, input: &Input<'_>) {
        match *input {
            Input::Receive { from, message } => {
                self.note(now, || Seen::Heard(from, message.clone()));
            }
            Input::Bootstrap(hosts) => self.note(now, || Seen::Came(hosts.len())),
            Input::Restore(nodes) => self.note(now, || Seen::Remembered(nodes.len())),
            Input::FindNode { target, .. } => {
                self.note(now, || Seen::Began(Goal::FindNode(target)));
            }
            Input::GetPeers { info_hash, .. } => {
                self.note(now, || Seen::Began(Goal::GetPeers(info_hash)));
            }
            Input::Announce { info_hash, .. } => {
                self.note(now, || Seen::Began(Goal::Announce(info_hash)));
            }
            // Nobody puts or gets items, keeps what others stored, or surveys anything, in a simulation.
            Input::RestoreStored { .. }
            | Input::GetItem { .. }
            | Input::PutItem { .. }
            | Input::Malformed { .. }
            | Input::Cancel { .. }
            | Input::Ping(_)
            | Input::Timeout
            | Input::Sample { .. }
            | Input::Scrape { .. }
            | Input::Probe { .. }
            | Input::NetworkChanged => {}
        }
    }

    /// It sends something.
    pub(crate) fn says(&mut self, now: Duration, to: SocketAddr, message: &Message) {
        self.note(now, || Seen::Said(to, message.clone()));
    }

    /// It reports something.
    pub(crate) fn reports(&mut self, now: Duration, event: &Event) {
        self.note(now, || Seen::Reported(event.clone()));
    }

    /// It goes.
    pub(crate) fn goes(&mut self, now: Duration) {
        self.note(now, || Seen::Went);
    }

    fn note(&mut self, now: Duration, what: impl FnOnce() -> Seen) {
        if now < self.watch.from || now > self.watch.to {
            return;
        }
        self.last = now;
        if self.sights.len() < ROOM {
            let node = self.watch.node;
            self.sights.push(Sight {
                at: now,
                node,
                what: what(),
            });
        } else {
            self.more += 1;
        }
    }

    /// What was seen since this was called last, at most 65,536 things and one that says how many more there were.
    pub(crate) fn take(&mut self) -> Vec<Sight> {
        let mut sights = std::mem::take(&mut self.sights);
        let more = std::mem::take(&mut self.more);
        if more > 0 {
            let (at, node) = (self.last, self.watch.node);
            sights.push(Sight {
                at,
                node,
                what: Seen::More(more),
            });
        }
        sights
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>13.6} s  ", self.at.as_secs_f64())?;
        match &self.what {
            Seen::Heard(from, message) => write!(f, "<- {from}  {}", Said(message)),
            Seen::Said(to, message) => write!(f, "-> {to}  {}", Said(message)),
            Seen::Came(hosts) => write!(
                f,
                "** comes online and knows {hosts} addresses to enter through"
            ),
            Seen::Remembered(nodes) => write!(f, "** remembers {nodes} nodes"),
            Seen::Went => f.write_str("** goes offline"),
            Seen::Began(Goal::FindNode(target)) => {
                write!(f, "** looks for the nodes nearest to {}", Brief(target))
            }
            Seen::Began(Goal::GetPeers(target)) => {
                write!(f, "** looks for the peers of {}", Brief(target))
            }
            Seen::Began(Goal::Announce(target)) => {
                write!(f, "** announces itself to {}", Brief(target))
            }
            Seen::Reported(event) => report(event, f),
            Seen::More(more) => write!(f, "** {more} more"),
        }
    }
}

/// The beginning of an id, which tells it from most others.
struct Brief<'a>(&'a Id);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0.as_bytes()[..4], f)?;
        f.write_str("…")
    }
}

fn hexadecimal(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// What a message says, and its transaction.
struct Said<'a>(&'a Message);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.body {
            Body::Query(query) => {
                match &query.method {
                    Method::Ping => f.write_str("ping")?,
                    Method::FindNode { target, .. } => write!(f, "find_node {}", Brief(target))?,
                    Method::GetPeers {
                        info_hash, wishes, ..
                    } => {
                        write!(f, "get_peers {}", Brief(info_hash))?;
                        if wishes.scrape.0 {
                            f.write_str(", to count")?;
                        }
                    }
                    Method::AnnouncePeer {
                        info_hash, seed, ..
                    } => {
                        write!(f, "announce_peer {}", Brief(info_hash))?;
                        if seed.0 {
                            f.write_str(", as a seed")?;
                        }
                    }
                    Method::Get { target, .. } => write!(f, "get {}", Brief(target))?,
                    Method::Put(_) => f.write_str("put")?,
                    Method::Other { name, .. } => {
                        write!(f, "{}", String::from_utf8_lossy(name).escape_debug())?;
                    }
                    Method::SampleInfohashes { target, .. } => {
                        write!(f, "sample_infohashes {}", Brief(target))?;
                    }
                }
                write!(f, " of {}", Brief(&query.id))?;
                if query.read_only {
                    f.write_str(", read-only")?;
                }
            }
            Body::Response(response) => answer(response, f)?,
            Body::Error(error) => {
                write!(f, "error {} {}", error.code, error.message.escape_debug())?;
            }
        }
        transaction(&self.0.transaction, f)
    }
}

fn answer(response: &Response, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "answer of {}", Brief(&response.id))?;
    let nodes = response.named().count();
    if nodes > 0 {
        write!(f, ", {nodes} nodes")?;
    }
    if !response.values.is_empty() {
        write!(f, ", {} peers", response.values.len())?;
    }
    if let Some(sample) = response.sample.get() {
        let (named, total) = (sample.info_hashes.len(), sample.total);
        write!(f, ", {named} of {total} info-hashes")?;
    }
    if response.scrape.get().is_some() {
        f.write_str(", filters")?;
    }
    if response.token.is_some() {
        f.write_str(", a token")?;
    }
    Ok(())
}

fn transaction(transaction: &TransactionId, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(" (t ")?;
    hexadecimal(transaction.as_bytes(), f)?;
    f.write_str(")")
}

fn report(event: &Event, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match event {
        Event::Ready => f.write_str("** somebody answered: the table is not empty any more"),
        Event::Bootstrapped { contacts } => {
            write!(f, "** found its neighbourhood, {contacts} contacts")
        }
        Event::Unreachable { attempts } => write!(f, "** nobody answers after {attempts} attempts"),
        Event::Peers {
            lookup,
            from: Some(from),
            peers,
        } => write!(
            f,
            "-- lookup {}: {} new peers from {from}",
            lookup.0,
            peers.len()
        ),
        Event::Peers {
            lookup,
            from: None,
            peers,
        } => write!(
            f,
            "-- lookup {}: {} peers of its own store",
            lookup.0,
            peers.len()
        ),
        Event::PeerAnnounced { info_hash, peer } => {
            write!(f, "** stores {peer} for {}", Brief(info_hash))
        }
        Event::Announced {
            lookup,
            node: NodeInfo { address, .. },
        } => write!(f, "-- lookup {}: {address} holds the announce", lookup.0),
        Event::Trace {
            lookup,
            address,
            id,
            step,
        } => {
            write!(f, "-- lookup {}: {address} ", lookup.0)?;
            if let Some(id) = id {
                write!(f, "{} ", Brief(id))?;
            }
            take_step(step, f)
        }
        Event::LookupEnded { lookup, report } => {
            write!(f, "-- lookup {} ends: ", lookup.0)?;
            end(report, f)
        }
        Event::ExternalAddress { ip } => write!(f, "** is seen at {ip}"),
        Event::IdChanged { id } => write!(f, "** changes its id to {id}"),
        Event::Item { lookup, from, item } => {
            write!(f, "-- lookup {}: item {:?} of ", lookup.0, item.seq())?;
            match from {
                Some(from) => write!(f, "{from}"),
                None => f.write_str("its own store"),
            }
        }
        Event::Stored { lookup, node } => {
            write!(f, "-- lookup {}: {} holds the item", lookup.0, node.address)
        }
        Event::PutRefused {
            lookup,
            node,
            error,
        } => write!(f, "-- lookup {}: {node} refuses: {error}", lookup.0),
        Event::Sampled {
            lookup,
            node,
            sample,
        } => write!(
            f,
            "-- survey {}: {} tells {} of {} info-hashes",
            lookup.0,
            node.address,
            sample.info_hashes.len(),
            sample.total
        ),
        Event::Scraped { lookup, count } => write!(
            f,
            "-- lookup {}: about {} seeds and {} others",
            lookup.0,
            count.seeds(),
            count.leechers()
        ),
        Event::Probed { lookup, outcome } => write!(f, "-- probe {}: {outcome:?}", lookup.0),
    }
}

fn take_step(step: &Step, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match step {
        Step::Asked { named_by: None } => f.write_str("is asked"),
        Step::Asked {
            named_by: Some(namer),
        } => write!(f, "is asked, whom {namer} named"),
        Step::Answered {
            round_trip,
            nodes,
            peers,
        } => {
            write!(
                f,
                "answered after {round_trip:?} with {nodes} nodes and {peers} peers"
            )
        }
        Step::Stalled => f.write_str("is waited for no longer"),
        Step::TimedOut => f.write_str("never answered"),
        Step::Impostor { id } => write!(f, "is somebody else: {}", Brief(id)),
        Step::Refused { code } => write!(f, "refused with error {code}"),
    }
}

fn end(report: &LookupReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let LookupReport {
        outcome,
        asked,
        answered,
        stalled,
        failed,
        peers,
        announced_to,
        elapsed,
        ..
    } = report;
    write!(
        f,
        "{outcome:?} after {elapsed:?}: {asked} asked, {answered} answered, {stalled} slow, {failed} failed, {peers} peers"
    )?;
    if *announced_to > 0 {
        write!(f, ", announced to {announced_to}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dht::{Query, Wishes};

    use super::*;

    const WATCH: Watch = Watch {
        node: 3,
        from: Duration::from_secs(10),
        to: Duration::from_secs(20),
    };

    fn message(body: Body) -> Message {
        Message {
            transaction: 0x0a1b_2c3d.into(),
            version: None,
            external: None,
            body,
        }
    }

    fn get_peers() -> Message {
        let method = Method::GetPeers {
            info_hash: Id::new([0x5f; 20]),
            want: dht::Want::UNSAID,
            wishes: Wishes::NONE,
        };
        message(Body::Query(Query {
            id: Id::new([1; 20]),
            read_only: false,
            method,
        }))
    }

    #[test]
    fn a_sight_is_a_line_that_people_read() {
        let (asker, at) = (
            "20.3.4.7:6881".parse().unwrap(),
            Duration::from_micros(12_345_678),
        );
        let line = |what| Sight { at, node: 3, what }.to_string();
        assert_eq!(
            line(Seen::Heard(asker, get_peers())),
            "    12.345678 s  <- 20.3.4.7:6881  get_peers 5f5f5f5f… of 01010101… (t 0a1b2c3d)"
        );
        let mut response = Response::new(Id::new([2; 20]));
        response.token = Some([1; 8].into());
        response.values = vec![asker; 3];
        assert_eq!(
            line(Seen::Said(asker, message(Body::Response(response)))),
            "    12.345678 s  -> 20.3.4.7:6881  answer of 02020202…, 3 peers, a token (t 0a1b2c3d)"
        );
        let step = Event::Trace {
            lookup: dht::LookupId(4),
            address: asker,
            id: None,
            step: Step::Stalled,
        };
        assert_eq!(
            line(Seen::Reported(step)),
            "    12.345678 s  -- lookup 4: 20.3.4.7:6881 is waited for no longer"
        );
    }

    #[test]
    fn what_there_is_no_room_for_is_counted_and_what_is_out_of_time_is_not_seen() {
        let mut onlooker = Onlooker::new(WATCH);
        let asker = "20.3.4.7:6881".parse().unwrap();
        for second in [9, 10, 20, 21] {
            onlooker.says(Duration::from_secs(second), asker, &get_peers());
        }
        let at: Vec<_> = onlooker
            .take()
            .iter()
            .map(|sight| sight.at.as_secs())
            .collect();
        assert_eq!(at, [10, 20]);
        for _ in 0..ROOM + 5 {
            onlooker.goes(Duration::from_secs(15));
        }
        let sights = onlooker.take();
        assert_eq!(sights.len(), ROOM + 1);
        assert_eq!(sights.last().map(|sight| &sight.what), Some(&Seen::More(5)));
        assert!(onlooker.take().is_empty());
    }
}
