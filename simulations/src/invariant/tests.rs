//! An auditor beside a node that is not the one it is told about.

use dht::{Id, LookupId, Outbox, Response, TransactionId};
use rand::SeedableRng;

use super::*;
use crate::network::Generator;

/// A node, its auditor, and what it sent.
struct Office {
    node: Node,
    auditor: Auditor,
    rng: Generator,
    sent: Vec<(SocketAddr, Message)>,
}

/// Lets an auditor see what a node does.
struct Desk<'a> {
    auditor: Option<&'a mut Auditor>,
    now: Duration,
    sent: &'a mut Vec<(SocketAddr, Message)>,
}

impl Outbox for Desk<'_> {
    fn transmit(&mut self, to: SocketAddr, message: Message) {
        if let Some(auditor) = &mut self.auditor {
            auditor.sent(self.now, to, &message);
        }
        self.sent.push((to, message));
    }

    fn event(&mut self, event: Event) {
        if let Some(auditor) = &mut self.auditor {
            auditor.event(self.now, &event);
        }
    }
}

impl Office {
    fn new() -> Self {
        let mut rng = Generator::seed_from_u64(1);
        Self {
            node: Node::new(None, &mut rng),
            auditor: Auditor::new(Config::default()),
            rng,
            sent: Vec::new(),
        }
    }

    /// Gives the node an input before the eyes of its auditor.
    fn handle(&mut self, at: u64, input: Input<'_>) -> Option<&'static str> {
        let now = Duration::from_secs(at);
        self.auditor.before(&self.node, now, &input);
        let deadline = self.act(now, input, true);
        let fault = self.auditor.after(&mut self.node, now, deadline);
        fault.map(|(invariant, _)| invariant)
    }

    fn act(&mut self, now: Duration, input: Input<'_>, is_seen: bool) -> Option<Duration> {
        let mut desk = Desk {
            auditor: is_seen.then_some(&mut self.auditor),
            now,
            sent: &mut self.sent,
        };
        self.node
            .handle(&Config::default(), now, &mut self.rng, input, &mut desk)
    }

    /// The answer to the last thing that it sent.
    fn answer(&self) -> (SocketAddr, Message) {
        let (to, query) = self.sent.last().expect("it has asked");
        let body = Body::Response(Response::new(Id::new([9; 20])));
        (
            *to,
            Message {
                body,
                ..query.clone()
            },
        )
    }
}

fn host() -> SocketAddr {
    SocketAddr::from(([20, 0, 0, 1], 6881))
}

#[test]
fn an_honest_course_of_events_is_no_breach() {
    let mut office = Office::new();
    assert_eq!(office.handle(0, Input::Bootstrap(&[host()])), None);
    let (from, message) = office.answer();
    assert_eq!(
        office.handle(
            1,
            Input::Receive {
                from,
                message: &message
            }
        ),
        None
    );
    assert_eq!(office.node.stats().contacts_v4, 1);
    let stranger = SocketAddr::from(([20, 0, 0, 2], 6881));
    assert_eq!(
        office.handle(
            1,
            Input::Receive {
                from: stranger,
                message: &message
            }
        ),
        None
    );
    assert_eq!(office.handle(30, Input::Timeout), None);
}

#[test]
fn a_query_that_was_sent_in_secret_is_noticed() {
    let mut office = Office::new();
    assert_eq!(office.handle(0, Input::Timeout), None);
    office.act(Duration::from_secs(1), Input::Bootstrap(&[host()]), false);
    assert_eq!(
        office.handle(2, Input::Timeout),
        Some("every query ends exactly once")
    );
}

#[test]
fn a_contact_that_entered_in_secret_is_noticed() {
    let mut office = Office::new();
    assert_eq!(office.handle(0, Input::Bootstrap(&[host()])), None);
    let (from, message) = office.answer();
    office.act(
        Duration::from_secs(1),
        Input::Receive {
            from,
            message: &message,
        },
        false,
    );
    assert!(office.auditor.queries.end(from, &message.transaction));
    // It asks more by now, of which the auditor knows as little.
    office.auditor.queries = Queries::default();
    for (to, message) in &office.sent[1..] {
        let begun =
            office
                .auditor
                .queries
                .begin(*to, &message.transaction, false, Duration::from_secs(1));
        assert_eq!(begun, Ok(()));
    }
    assert_eq!(
        office.handle(1, Input::Timeout),
        Some("only who answered enters the table")
    );
}

#[test]
fn a_node_that_believes_a_foreign_response_is_noticed() {
    let mut office = Office::new();
    assert_eq!(office.handle(0, Input::Bootstrap(&[host()])), None);
    let (_, query) = office.sent[0].clone();
    // To the auditor somebody else was asked, so that the answer of the one who was is a foreign one.
    let mut other = host();
    other.set_port(host().port() ^ 1);
    let mut queries = Queries::default();
    queries
        .begin(other, &query.transaction, false, Duration::ZERO)
        .expect("it is the first");
    let now = Duration::from_millis(1);
    let deadline = office.auditor.deadline;
    let verdict = forge(
        &mut office.node,
        deadline,
        now,
        &Config::default(),
        queries.last(),
    );
    assert_eq!(
        verdict.map_err(|(invariant, _)| invariant),
        Err("a foreign response changes nothing")
    );
}

#[test]
fn a_deadline_that_moves_by_a_foreign_response_is_noticed() {
    let mut office = Office::new();
    assert_eq!(office.handle(0, Input::Bootstrap(&[host()])), None);
    let transaction = TransactionId::new(b"never").expect("five bytes are few");
    let message = Message {
        transaction,
        ..office.answer().1
    };
    let now = Duration::from_millis(1);
    office.auditor.before(
        &office.node,
        now,
        &Input::Receive {
            from: host(),
            message: &message,
        },
    );
    let fault = office
        .auditor
        .after(&mut office.node, now, Some(Duration::from_secs(99)));
    assert_eq!(
        fault.map(|(invariant, _)| invariant),
        Some("a foreign response changes nothing")
    );
}

#[test]
fn an_event_without_a_cause_is_noticed() {
    let mut office = Office::new();
    let now = Duration::ZERO;
    for event in [
        Event::PeerAnnounced {
            info_hash: Id::new([1; 20]),
            peer: host(),
        },
        Event::Peers {
            lookup: LookupId(1),
            from: None,
            peers: vec![host()],
        },
    ] {
        office.auditor.before(&office.node, now, &Input::Timeout);
        office.auditor.event(now, &event);
        assert!(
            office.auditor.after(&mut office.node, now, None).is_some(),
            "{event:?}"
        );
    }
}
