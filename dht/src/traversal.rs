use std::net::SocketAddr;

use crate::address::same_host;
use crate::config::Config;
use crate::id::Id;
use crate::message::{NodeInfo, Token};
use crate::security::is_id_doubtful;

mod credit;
mod detour;

use credit::Credit;
use detour::Detour;

/// Candidates that are remembered; farther ones make room.
const MAX_CANDIDATES: usize = 128;
/// Nodes at most that an announce is sent to, those that did not acknowledge it included.
const MAX_ANNOUNCES: usize = 3 * Config::K;
/// Queries at most to one IP, each at the word of somebody else and after the one before brought nothing.
const MAX_TRIES: usize = 3;

/// The walk of one lookup through one family, closer and closer to its target. BEP 5, "Overview".
///
/// It decides whom to ask next and when there is nobody left to ask; it sends nothing and knows no time. Of the candidates those nearest to the target
/// are asked, until the k nearest that live have answered. Whether that is where a walk should end is then judged by how densely these stand
/// ([`Traversal::judge`]): if somebody seems to have placed a crowd at the target, or to hide those who are there, a [`Detour`] goes on around it.
pub(crate) struct Traversal {
    target: Id,
    /// Nearest first. Of several addresses that are said to have one id those come first from which it may follow, then those that were named first.
    candidates: Vec<Candidate>,
    /// Addresses without an id, for those who know nobody yet.
    entrances: Vec<(SocketAddr, State)>,
    /// Whoever is found is told something, so he has to give a token.
    announcing: bool,
    /// What the judgement called for, if for anything.
    detour: Option<Detour>,
}

struct Candidate {
    node: NodeInfo,
    /// Answers that led to it, its own counted: 1 for a node of our table.
    hops: u8,
    /// Who named it first; `None` if it stood in our table, or came by itself.
    namer: Option<SocketAddr>,
    /// Somebody else named it, too: the same id at the same address.
    is_seconded: bool,
    state: State,
    token: Option<Token>,
    announce: Announce,
    exploration: Exploration,
}

/// Where the question of the lookup stands, at a candidate or an entrance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Asked,
    /// Somebody else is asked in its place.
    Stalled,
    /// Not waited for; may still answer.
    Late,
    Answered,
    Failed,
}

/// Where the announce that ends the lookup stands, at a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announce {
    Unsent,
    Sent,
    Acknowledged,
    /// It was refused, or takes too long: somebody else is told in its place. It may still be acknowledged.
    GivenUp,
}

/// Where the question stands who is around a candidate: [`Traversal::next_exploration`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exploration {
    Unasked,
    Asked,
    /// It was answered, or is not waited for any longer.
    Over,
}

impl Candidate {
    fn is(&self, address: &SocketAddr, id: Option<&Id>) -> bool {
        self.node.address == *address && Some(&self.node.id) == id
    }

    /// Those with its id that a row of candidates begins with.
    fn namesakes<'a>(&self, of: impl Iterator<Item = &'a Self>) -> impl Iterator<Item = &'a Self> {
        let id = self.node.id;
        of.take_while(move |other| other.node.id == id)
    }

    fn may_be_told(&self) -> bool {
        self.state == State::Answered && self.token.is_some()
    }
}

impl Traversal {
    pub(crate) fn new(target: Id) -> Self {
        Self {
            target,
            candidates: Vec::new(),
            entrances: Vec::new(),
            announcing: false,
            detour: None,
        }
    }

    /// Adds a node that might be asked, and tells whether it did: not one that is known already, nor one that is farther than all that there is room
    /// for. Its own answer will be number `hops` of the chain that led to it; `namer` is whose answer names it.
    ///
    /// A node is known by id and address: who names somebody at a false address must not keep us from those who know the right one. But nobody is
    /// heard with a second address for an id that he has named.
    pub(crate) fn add(&mut self, node: NodeInfo, hops: u8, namer: Option<SocketAddr>) -> bool {
        let distance = node.id.distance(&self.target);
        let nearer = |candidate: &Candidate| candidate.node.id.distance(&self.target) < distance;
        let nearer = self.candidates.partition_point(nearer);
        let mut place = nearer;
        let namesakes = self.candidates.iter_mut().skip(nearer);
        let mut named_before = false;
        for known in namesakes.take_while(|known| known.node.id == node.id) {
            if known.node.address == node.address {
                known.is_seconded |= namer.is_some() && namer != known.namer;
                return false;
            }
            named_before |= namer.is_some() && namer == known.namer;
            place += usize::from(is_id_doubtful(&node) || !is_id_doubtful(&known.node));
        }
        let is_taken = place < MAX_CANDIDATES && !named_before;
        if is_taken {
            self.candidates.truncate(MAX_CANDIDATES - 1);
            self.candidates.insert(
                place,
                Candidate {
                    node,
                    hops,
                    namer,
                    is_seconded: false,
                    state: State::Fresh,
                    token: None,
                    announce: Announce::Unsent,
                    exploration: Exploration::Unasked,
                },
            );
        }
        is_taken
    }

    /// Adds an address that might be asked who it is and whom it knows.
    pub(crate) fn add_entrance(&mut self, address: SocketAddr) {
        if !self
            .candidates
            .iter()
            .any(|candidate| candidate.node.address == address)
        {
            self.entrances.push((address, State::Fresh));
        }
    }

    pub(crate) fn has_anybody(&self) -> bool {
        !self.candidates.is_empty() || !self.entrances.is_empty()
    }

    /// Whether fewer than k are left that may answer or have answered, so that anybody is welcome.
    pub(crate) fn lacks_candidates(&self) -> bool {
        let of_use = |state| matches!(state, State::Fresh | State::Asked | State::Answered);
        let candidates = self.candidates.iter();
        let of_use = candidates.filter(|candidate| of_use(candidate.state));
        of_use.take(Config::K).count() < Config::K
    }

    /// Whom to ask now: the nearest nodes that may belong to the k nearest living ones. It counts as asked from here on.
    pub(crate) fn next(&mut self) -> Option<(SocketAddr, Option<Id>)> {
        if let Some((address, state)) = self
            .entrances
            .iter_mut()
            .find(|(_, state)| *state == State::Fresh)
        {
            *state = State::Asked;
            return Some((*address, None));
        }
        let mut alive = 0;
        let mut next = None;
        for (place, candidate) in self.candidates.iter().enumerate() {
            if candidate.state == State::Fresh && self.may_be_asked(place, candidate) {
                next = Some(place);
                break;
            }
            alive += usize::from(self.is_first(place, |candidate| self.is_hopeful(candidate)));
            if alive == self.wanted() {
                break;
            }
        }
        let candidate = self.candidates.get_mut(next?)?;
        candidate.state = State::Asked;
        if let Some(detour) = &mut self.detour {
            let distance = candidate.node.id.distance(&self.target);
            detour.spend(&candidate.node, distance);
        }
        Some((candidate.node.address, Some(candidate.node.id)))
    }

    /// How many have to answer.
    fn wanted(&self) -> usize {
        self.detour.as_ref().map_or(Config::K, Detour::wanted)
    }

    /// Whether a candidate is one of those that the walk is to find.
    fn counts(&self, candidate: &Candidate) -> bool {
        let distance = candidate.node.id.distance(&self.target);
        let detour = self.detour.as_ref();
        detour.is_none_or(|detour| detour.counts(distance))
    }

    /// Whether a candidate answered and is one of those: who is to be told something has to have given a token.
    fn is_found(&self, candidate: &Candidate) -> bool {
        candidate.state == State::Answered
            && self.counts(candidate)
            && (candidate.token.is_some() || !self.announcing)
    }

    /// Whether a candidate is one of those, or may be in a moment.
    fn is_hopeful(&self, candidate: &Candidate) -> bool {
        self.is_found(candidate) || (candidate.state == State::Asked && self.counts(candidate))
    }

    /// Whether a candidate is the first with its id of whom something is true: an id is one node, however many addresses say that it is theirs.
    fn is_first(&self, place: usize, is_true: impl Fn(&Candidate) -> bool) -> bool {
        let Some((candidate, before)) = (self.candidates.get(..=place)).and_then(<[_]>::split_last)
        else {
            return false;
        };
        is_true(candidate) && !candidate.namesakes(before.iter().rev()).any(is_true)
    }

    /// Whether a candidate that was not asked yet may be.
    fn may_be_asked(&self, place: usize, candidate: &Candidate) -> bool {
        let Candidate { node, .. } = candidate;
        let detour = self.detour.as_ref();
        detour.is_none_or(|detour| detour.admits(node, node.id.distance(&self.target)))
            && !self.is_represented(place, candidate)
            && !self.is_host_asked(candidate)
            && self.is_believed(candidate)
    }

    /// Whether another address answers for the id of a candidate, or is asked whether it does. One from which the id does not follow cannot answer for
    /// one from which it does.
    fn is_represented(&self, place: usize, candidate: &Candidate) -> bool {
        let (before, after) = self.candidates.split_at(place.min(self.candidates.len()));
        let mut namesakes = candidate
            .namesakes(before.iter().rev())
            .chain(candidate.namesakes(after.iter().skip(1)));
        namesakes.any(|other| {
            matches!(other.state, State::Asked | State::Answered)
                && (is_id_doubtful(&candidate.node) || !is_id_doubtful(&other.node))
        })
    }

    /// Whether somebody names it who is worth listening to: one who keeps naming dead nodes has no say alone.
    fn is_believed(&self, candidate: &Candidate) -> bool {
        if candidate.namer.is_none() || candidate.is_seconded {
            return true;
        }
        let others = self.candidates.iter();
        let of_same = others.filter(|other| other.namer == candidate.namer);
        !Credit::of(of_same.map(|other| other.state)).is_lost()
    }

    /// Who named a candidate first.
    pub(crate) fn namer(&self, address: &SocketAddr, id: Option<&Id>) -> Option<SocketAddr> {
        let mut candidates = self.candidates.iter();
        candidates
            .find(|candidate| candidate.is(address, id))?
            .namer
    }

    /// Judges the k nearest that answered, in a network of so many nodes, once. Whether the walk has to go on; `budget` queries may be spent on it then.
    pub(crate) fn judge(&mut self, network_size: u64, budget: usize) -> bool {
        let farthest = self.nearest_answered().nth(Config::K - 1);
        let Some(farthest) = farthest.filter(|_| self.detour.is_none()) else {
            return false;
        };
        let distance = farthest.node.id.distance(&self.target);
        self.detour = Detour::called_for(distance, network_size, budget);
        self.detour.is_some()
    }

    /// Whom to ask who is around it: those nearest to a crowd, who name nobody else to those who ask for its centre.
    pub(crate) fn next_exploration(&mut self) -> Option<NodeInfo> {
        self.detour.as_ref().filter(|detour| detour.explores())?;
        let mut around = 0;
        let mut next = None;
        for (place, candidate) in self.candidates.iter().enumerate() {
            if candidate.state == State::Answered && self.counts(candidate) {
                around += 1;
                if candidate.exploration == Exploration::Unasked {
                    next = Some(place);
                    break;
                }
            }
            if around == Config::K {
                break;
            }
        }
        let candidate = self.candidates.get_mut(next?)?;
        candidate.exploration = Exploration::Asked;
        if let Some(detour) = &mut self.detour {
            let distance = candidate.node.id.distance(&self.target);
            detour.spend(&candidate.node, distance);
        }
        Some(candidate.node)
    }

    /// A node that was asked who is around it has answered, or is not waited for any longer. Returns how many hops away it is.
    pub(crate) fn explored(&mut self, address: &SocketAddr, id: Option<&Id>) -> u8 {
        let Some(candidate) = self.find(address, id) else {
            return 1;
        };
        candidate.exploration = Exploration::Over;
        candidate.hops
    }

    /// Whether enough was asked at the IP of a candidate. One answer an IP: many ids behind one address have one say. After a query that brought nothing
    /// another one may go there, at somebody else's word, since the first may have named a false port or a false id.
    fn is_host_asked(&self, candidate: &Candidate) -> bool {
        let address = &candidate.node.address;
        let mut entrances = self.entrances.iter();
        if entrances.any(|(entrance, state)| *state != State::Fresh && same_host(entrance, address))
        {
            return true;
        }
        let others = self.candidates.iter();
        let asked = others
            .filter(|other| other.state != State::Fresh && same_host(&other.node.address, address));
        let mut tries = 0;
        for other in asked {
            let is_same_word = other.namer == candidate.namer && !candidate.is_seconded;
            tries += 1;
            if matches!(other.state, State::Asked | State::Answered)
                || is_same_word
                || tries == MAX_TRIES
            {
                return true;
            }
        }
        false
    }

    /// Queries that are waited for.
    pub(crate) fn in_flight(&self) -> usize {
        let candidates = self.candidates.iter();
        let exploring = candidates
            .clone()
            .filter(|candidate| candidate.exploration == Exploration::Asked);
        let entrances = self.entrances.iter().map(|(_, state)| *state);
        let questions = candidates.map(|candidate| candidate.state).chain(entrances);
        exploring.count() + questions.filter(|state| *state == State::Asked).count()
    }

    /// Takes note of an answer, and returns how many hops away it was.
    pub(crate) fn answered(&mut self, node: NodeInfo, token: Option<Token>) -> u8 {
        self.entrances
            .retain(|(address, _)| *address != node.address);
        self.add(node, 1, None);
        let Some(candidate) = self.find(&node.address, Some(&node.id)) else {
            return 1;
        };
        candidate.state = State::Answered;
        candidate.token = token;
        candidate.hops
    }

    pub(crate) fn stalled(&mut self, address: &SocketAddr, id: Option<&Id>) {
        self.mark(address, id, State::Stalled);
    }

    pub(crate) fn late(&mut self, address: &SocketAddr, id: Option<&Id>) {
        self.mark(address, id, State::Late);
    }

    pub(crate) fn failed(&mut self, address: &SocketAddr, id: Option<&Id>) {
        self.mark(address, id, State::Failed);
    }

    fn mark(&mut self, address: &SocketAddr, id: Option<&Id>, to: State) {
        let state = match id {
            Some(_) => self.find(address, id).map(|candidate| &mut candidate.state),
            None => self
                .entrances
                .iter_mut()
                .find(|(entrance, _)| entrance == address)
                .map(|(_, state)| state),
        };
        if let Some(state) = state
            && matches!(*state, State::Asked | State::Stalled | State::Late)
        {
            *state = to;
        }
    }

    fn find(&mut self, address: &SocketAddr, id: Option<&Id>) -> Option<&mut Candidate> {
        self.candidates
            .iter_mut()
            .find(|candidate| candidate.is(address, id))
    }

    /// Whether the k nearest living nodes have answered, or all there are; as far as can be known without waiting for those that stall.
    pub(crate) fn is_settled(&self) -> bool {
        self.has_answers(|state| state == State::Asked)
    }

    /// Whether the k nearest living nodes have answered, or all there are.
    pub(crate) fn is_converged(&self) -> bool {
        self.has_answers(|state| matches!(state, State::Asked | State::Stalled))
    }

    /// Whether nobody who may be one of the k nearest is left to ask or `awaited`. Entrances are waited for only where there are not so many.
    fn has_answers(&self, awaited: impl Fn(State) -> bool) -> bool {
        let mut answers = 0;
        for (place, candidate) in self.candidates.iter().enumerate() {
            let state = candidate.state;
            let is_unasked = state == State::Fresh && self.may_be_asked(place, candidate);
            let is_exploring = candidate.exploration == Exploration::Asked;
            if is_unasked || awaited(state) || is_exploring {
                return false;
            }
            answers += usize::from(self.is_first(place, |candidate| self.is_found(candidate)));
            if answers == self.wanted() {
                return true;
            }
        }
        let mut entrances = self.entrances.iter();
        !entrances.any(|(_, state)| *state == State::Fresh || awaited(*state))
    }

    /// The nearest nodes that answered.
    pub(crate) fn closest(&self) -> impl Iterator<Item = NodeInfo> + '_ {
        self.nearest_answered().map(|candidate| candidate.node)
    }

    /// The longest chain of answers that led to one of them.
    pub(crate) fn hops(&self) -> u8 {
        let hops = self.nearest_answered().map(|candidate| candidate.hops);
        hops.max().unwrap_or(0)
    }

    fn nearest_answered(&self) -> impl Iterator<Item = &Candidate> + '_ {
        let has_answered = |candidate: &Candidate| candidate.state == State::Answered;
        let candidates = self.candidates.iter().enumerate();
        let answered = candidates.filter(move |(place, _)| self.is_first(*place, has_answered));
        answered.map(|(_, candidate)| candidate).take(Config::K)
    }

    /// Turns from asking to telling.
    pub(crate) fn start_announcing(&mut self) {
        self.announcing = true;
    }

    pub(crate) fn is_announcing(&self) -> bool {
        self.announcing
    }

    /// Whom to tell now: one of the k nearest that gave a token and did not fail to acknowledge, and of as many around a crowd. It counts as told from here on.
    pub(crate) fn next_announce(&mut self) -> Option<(NodeInfo, Token)> {
        let told = |candidate: &&Candidate| candidate.announce != Announce::Unsent;
        if self.candidates.iter().filter(told).count() >= MAX_ANNOUNCES {
            return None;
        }
        let (mut in_crowd, mut around) = (0, 0);
        let mut next = None;
        for (place, candidate) in self.candidates.iter().enumerate() {
            if !self.is_first(place, Candidate::may_be_told) {
                continue;
            }
            let hopeful = if self.counts(candidate) {
                &mut around
            } else {
                &mut in_crowd
            };
            match candidate.announce {
                Announce::Unsent if *hopeful < Config::K => {
                    next = Some(place);
                    break;
                }
                Announce::Sent | Announce::Acknowledged => *hopeful += 1,
                Announce::Unsent | Announce::GivenUp => {}
            }
            if around == Config::K {
                break;
            }
        }
        let candidate = self.candidates.get_mut(next?)?;
        candidate.announce = Announce::Sent;
        Some((candidate.node, candidate.token.clone()?))
    }

    pub(crate) fn announce_acknowledged(&mut self, node: &NodeInfo) {
        self.mark_announce(node, Announce::Acknowledged);
    }

    /// A node refused what it was told, or takes too long, or is not to be told after all.
    pub(crate) fn announce_given_up(&mut self, node: &NodeInfo) {
        self.mark_announce(node, Announce::GivenUp);
    }

    fn mark_announce(&mut self, node: &NodeInfo, to: Announce) {
        if let Some(candidate) = self.find(&node.address, Some(&node.id)) {
            candidate.announce = to;
        }
    }

    /// Whether no acknowledgement is waited for.
    pub(crate) fn is_announced(&self) -> bool {
        self.candidates
            .iter()
            .all(|candidate| candidate.announce != Announce::Sent)
    }
}

#[cfg(test)]
mod tests;
