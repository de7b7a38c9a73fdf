//! Small values in the DHT: putting them there, finding them, keeping them alive. BEP 44.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use dht::{Event, Id, Item, KrpcError, LookupReport, Salt};
use rand::RngExt;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::Error;
use crate::dht_driver::Dht;

/// When an item is put again, in seconds: about once an hour, since nodes forget it after two, and not all of those that keep
/// one at the same time. BEP 44, "Expiration".
const REPUBLISH: Range<u64> = 50 * 60..65 * 60;
/// The same after a put that nobody took.
const RETRY: Range<u64> = 60..120;

/// A search for an item: each better version as it is found. Dropping it ends it.
#[derive(Debug)]
pub struct ItemSearch {
    events: mpsc::Receiver<Event>,
    ended: bool,
}

/// A step of a search for an item.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ItemEvent {
    /// The item, verified. Of a mutable one more may follow, each newer than the one before.
    Found {
        /// The item.
        item: Item,
        /// Who has it; `None` if it was put to this node itself.
        from: Option<SocketAddr>,
    },
    /// The last event.
    Ended {
        /// Nodes that had the best version.
        copies: usize,
        /// Nodes asked.
        queried: usize,
        /// Nodes that answered.
        responded: usize,
        /// How long it took.
        elapsed: Duration,
    },
}

impl ItemSearch {
    pub(crate) fn new(events: mpsc::Receiver<Event>) -> Self {
        ItemSearch {
            events,
            ended: false,
        }
    }

    /// The next step; `None` after [`ItemEvent::Ended`], or when the node has shut down. Cancel safe.
    pub async fn next(&mut self) -> Option<ItemEvent> {
        while !self.ended {
            match self.events.recv().await? {
                Event::Item { from, item, .. } => {
                    return Some(ItemEvent::Found { item: *item, from });
                }
                Event::LookupEnded { report, .. } => {
                    self.ended = true;
                    return Some(ItemEvent::Ended {
                        copies: report.copies,
                        queried: report.asked,
                        responded: report.answered,
                        elapsed: report.elapsed,
                    });
                }
                _ => {}
            }
        }
        None
    }

    /// The best version, once no better one can be found; `None` if nobody has the item.
    ///
    /// # Errors
    /// Nobody answered, or the node was shut down.
    pub async fn best(&mut self) -> Result<Option<Item>, Error> {
        let mut best = None;
        while let Some(event) = self.next().await {
            match event {
                ItemEvent::Found { item, .. } => best = Some(item),
                ItemEvent::Ended {
                    responded: 0,
                    elapsed: after,
                    ..
                } if best.is_none() => return Err(Error::Unanswered { after }),
                ItemEvent::Ended { .. } => return Ok(best),
            }
        }
        Err(Error::ShutDown)
    }
}

/// Who holds an item that was put.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Where to ask for it.
    pub target: Id,
    /// Those who acknowledged it.
    pub holders: Vec<SocketAddr>,
    /// Those who did not take it, and why.
    pub refusals: Vec<(SocketAddr, KrpcError)>,
    /// How long it took.
    pub elapsed: Duration,
}

/// What happens while an item is put.
#[derive(Default)]
struct Putting {
    holders: Vec<SocketAddr>,
    refusals: Vec<(SocketAddr, KrpcError)>,
    newest: Option<Item>,
}

impl Putting {
    fn end(self, item: &Item, report: &LookupReport) -> Result<Receipt, Error> {
        let target = report.target;
        if !self.holders.is_empty() {
            return Ok(Receipt {
                target,
                holders: self.holders,
                refusals: self.refusals,
                elapsed: report.elapsed,
            });
        }
        match self.newest.and_then(|newest| newest.seq()) {
            Some(current) if item.seq().is_some_and(|seq| seq <= current) => {
                Err(Error::ItemSuperseded { target, current })
            }
            None if report.answered == 0 => Err(Error::Unanswered {
                after: report.elapsed,
            }),
            _ => Err(Error::NotStored {
                target,
                answered: report.answered,
                refusal: self.refusals.into_iter().next().map(|(_, error)| error),
            }),
        }
    }
}

/// Puts an item once.
pub(crate) async fn put(
    dht: &Dht,
    item: &Item,
    salt: &Salt,
    cas: Option<i64>,
) -> Result<Receipt, Error> {
    let mut events = dht.put_item(item.clone(), salt.clone(), cas);
    let mut putting = Putting::default();
    while let Some(event) = events.recv().await {
        match event {
            Event::Stored { node, .. } => putting.holders.push(node.address),
            Event::PutRefused { node, error, .. } => putting.refusals.push((node, error)),
            Event::Item { item, .. } => putting.newest = Some(*item),
            Event::LookupEnded { report, .. } => return putting.end(item, &report),
            _ => {}
        }
    }
    Err(Error::ShutDown)
}

/// An item that is put again before it is forgotten. It ends when it is dropped.
#[derive(Debug)]
pub struct KeptItem {
    receipts: mpsc::Receiver<Result<Receipt, Error>>,
}

impl KeptItem {
    /// Puts an item, and goes on doing so about once an hour.
    pub(crate) fn start(dht: Dht, item: Item, salt: Salt) -> Self {
        let (sender, receipts) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let result = put(&dht, &item, &salt, None).await;
                let is_over = matches!(result, Err(Error::ItemSuperseded { .. } | Error::ShutDown));
                let pause = if result.is_ok() { REPUBLISH } else { RETRY };
                if sender.send(result).await.is_err() || is_over {
                    return;
                }
                let pause = Duration::from_secs(rand::rng().random_range(pause));
                tokio::select! {
                    () = sleep(pause) => {}
                    () = sender.closed() => return,
                }
            }
        });
        KeptItem { receipts }
    }

    /// How the next put went; `None` after one that ended it: a newer version was found, or the node shut down. Cancel safe.
    pub async fn next(&mut self) -> Option<Result<Receipt, Error>> {
        self.receipts.recv().await
    }
}
