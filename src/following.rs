//! Following a publisher: its newest torrent, and the next ones as they are published. BEP 46.

use std::future::pending;
use std::time::Duration;

use dht::Item;
use rand::RngExt;
use tokio::sync::mpsc;
use tokio::time::sleep;
use wire::InfoHash;

use crate::dht_driver::Dht;
use crate::item::{ItemSearch, KeptItem};
use crate::{Error, Publisher};

/// What a publisher has published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Publication {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Which of the publisher's versions it is.
    pub seq: i64,
}

/// A publisher that is followed. Meanwhile what was found last is put again about once an hour, so that it can be found while its publisher is away
/// (BEP 44, "Expiration", and BEP 46 ask that of subscribers). Dropping it ends it.
#[derive(Debug)]
pub struct Following {
    news: mpsc::Receiver<Publication>,
}

impl Following {
    pub(crate) fn start(dht: Dht, publisher: Publisher, interval: Duration) -> Self {
        let (sender, news) = mpsc::channel(1);
        let watch = Watch {
            dht,
            publisher,
            newest: None,
            kept: None,
        };
        tokio::spawn(watch.run(interval, sender));
        Following { news }
    }

    /// The newest torrent, and then each that is found to be newer; `None` if the node has shut down. Cancel safe.
    pub async fn next(&mut self) -> Option<Publication> {
        self.news.recv().await
    }
}

struct Watch {
    dht: Dht,
    publisher: Publisher,
    /// The number of the newest item.
    newest: Option<i64>,
    kept: Option<KeptItem>,
}

impl Watch {
    async fn run(mut self, interval: Duration, news: mpsc::Sender<Publication>) {
        loop {
            let (target, salt) = (self.publisher.target(), self.publisher.salt.clone());
            let events = self.dht.get_item(target, salt, self.newest);
            let mut search = ItemSearch::new(events);
            let found = tokio::select! {
                found = search.best() => found,
                () = news.closed() => return,
            };
            let found = match found {
                Err(Error::Unanswered { .. }) => None,
                Err(_) => return,
                Ok(found) => found,
            };
            if let Some(publication) = found.and_then(|item| self.take(&item))
                && news.send(publication).await.is_err()
            {
                return;
            }
            // Not all followers at the same time.
            let pause = interval.mul_f64(rand::rng().random_range(0.8..1.2));
            tokio::select! {
                () = sleep(pause) => {}
                () = superseded(&mut self.kept) => {}
                () = news.closed() => return,
            }
        }
    }

    /// Keeps an item that is newer than what was known. What it publishes, if it names a torrent.
    fn take(&mut self, item: &Item) -> Option<Publication> {
        let seq = item.seq().filter(|&seq| self.newest < Some(seq))?;
        self.newest = Some(seq);
        let salt = self.publisher.salt.clone();
        self.kept = Some(KeptItem::start(self.dht.clone(), item.clone(), salt));
        let info_hash = Publisher::info_hash(item.value())?;
        Some(Publication { info_hash, seq })
    }
}

/// Returns when an item that is kept was found to be replaced by a newer one.
async fn superseded(kept: &mut Option<KeptItem>) {
    if let Some(item) = kept {
        while item.next().await.is_some() {}
        *kept = None;
    } else {
        pending::<()>().await;
    }
}
