//! One announce from several addresses.

use std::collections::BTreeSet;
use std::time::Duration;

use dht::{AnnouncedPort, Event, LookupReport};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::identity::Identity;
use super::{LOOKUP_EVENTS, Question};

/// How long one that nobody has answered yet is waited for; an address that nobody can be reached from is no reason not to announce the others.
const PATIENCE: Duration = Duration::from_secs(5);

/// Announces by one identity after the other, so that those who are asked are not asked by all at once (BEP 45, "Mandatory"). To its owner it looks like one:
/// each peer is told once, and the end sums up.
pub(super) fn from_all(
    mut identities: Vec<Identity>,
    target: [u8; 20],
    port: AnnouncedPort,
    seed: bool,
    until: Option<Instant>,
) -> mpsc::Receiver<Event> {
    let (events, receiver) = mpsc::channel(LOOKUP_EVENTS);
    identities.sort_by_key(|identity| !identity.is_ready());
    tokio::spawn(async move {
        let mut peers_told = BTreeSet::new();
        let mut sum = None;
        for identity in identities {
            let mut entrance = identity.entrance();
            let patience = Instant::now() + PATIENCE;
            let patience = until.map_or(patience, |until| until.min(patience));
            let ready = timeout_at(patience, entrance.wait_for(|entrance| entrance.ready));
            if !matches!(ready.await, Ok(Ok(_))) {
                continue;
            }
            let own_port = identity.addresses().first().map(std::net::SocketAddr::port);
            let port = match (port, own_port) {
                (AnnouncedPort::Implied(_), Some(own)) => AnnouncedPort::Implied(own),
                (port, _) => port,
            };
            let mut one = identity.lookup(target, Question::Announce { port, seed }, until);
            loop {
                let event = tokio::select! {
                    event = one.recv() => event,
                    () = events.closed() => return,
                };
                let event = match event {
                    Some(Event::LookupEnded { lookup, mut report }) => {
                        if let Some((_, before)) = sum.take() {
                            add(&mut report, before);
                        }
                        sum = Some((lookup, *report));
                        break;
                    }
                    Some(Event::Peers {
                        lookup,
                        from,
                        mut peers,
                    }) => {
                        peers.retain(|peer| peers_told.insert(*peer));
                        if peers.is_empty() {
                            continue;
                        }
                        Event::Peers {
                            lookup,
                            from,
                            peers,
                        }
                    }
                    Some(event) => event,
                    None => break,
                };
                if events.send(event).await.is_err() {
                    return;
                }
            }
        }
        if let Some((lookup, mut report)) = sum {
            report.peers = peers_told.len();
            let report = Box::new(report);
            // Whoever asked may be gone.
            let _ = events.send(Event::LookupEnded { lookup, report }).await;
        }
    });
    receiver
}

fn add(report: &mut LookupReport, before: LookupReport) {
    report.asked += before.asked;
    report.answered += before.answered;
    report.stalled += before.stalled;
    report.failed += before.failed;
    report.announced_to += before.announced_to;
    report.hops = report.hops.max(before.hops);
    report.elapsed += before.elapsed;
    report.closest = before.closest;
}
