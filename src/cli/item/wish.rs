//! Putting a value, once or for as long as the command runs.

use std::time::SystemTime;

use dht::{Item, ItemValue, MutableItem, Salt, SecretKey};
use trackless::{Node, Receipt};

use super::super::failure::Failure;
use super::super::output::{Output, field};
use super::super::report::Report;
use super::super::units;
use super::public_key;

/// A value that a command puts into the DHT.
pub(crate) struct Wish {
    pub(crate) value: ItemValue,
    pub(crate) salt: Salt,
    /// Without one the value is named by its hash.
    pub(crate) key: Option<SecretKey>,
    /// The version; `None` is one that is newer than any before.
    pub(crate) seq: Option<i64>,
    /// The version to be replaced.
    pub(crate) cas: Option<i64>,
}

/// Seconds since 1970. What they number is newer than what was published earlier, though nobody may have kept that: who followed the publisher still knows its
/// number, and takes nothing lower.
fn clock() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

impl Wish {
    pub(crate) async fn put(&self, node: &Node, output: &Output) -> Result<(), Failure> {
        let item = self.item(node).await?;
        let receipt = node.put_item(&item, &self.salt, self.cas).await?;
        self.say(&item, &receipt, output);
        Ok(())
    }

    /// Puts it for ever; ends by an error alone.
    pub(crate) async fn keep(&self, node: &Node, output: &Output) -> Result<(), Failure> {
        let item = self.item(node).await?;
        let mut kept = node.keep_item(&item, &self.salt);
        while let Some(result) = kept.next().await {
            match result {
                Ok(receipt) => self.say(&item, &receipt, output),
                Err(
                    error @ (trackless::Error::NotStored { .. }
                    | trackless::Error::Unanswered { .. }),
                ) => {
                    output.note(format_args!("{error}; trying again"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(trackless::Error::ShutDown.into())
    }

    /// The item, signed if there is a key: as the next version, or again as the newest one if that has this very value.
    async fn item(&self, node: &Node) -> Result<Item, Failure> {
        let Some(key) = &self.key else {
            return Ok(Item::Immutable(self.value.clone()));
        };
        let seq = match self.seq {
            Some(seq) => seq,
            None => self.next_seq(node, key).await?,
        };
        let item = MutableItem::sign(self.value.clone(), seq, &self.salt, key);
        Ok(Item::Mutable(item))
    }

    async fn next_seq(&self, node: &Node, key: &SecretKey) -> Result<i64, Failure> {
        let target = key.public().target(&self.salt);
        let newest = node.get_item(target, &self.salt).best().await?;
        let Some((seq, newest)) = newest.as_ref().and_then(|item| item.seq().zip(Some(item)))
        else {
            return Ok(clock());
        };
        if *newest.value() == self.value {
            return Ok(seq);
        }
        let next = seq.checked_add(1).ok_or_else(|| {
            Failure::Usage("this key has used up its versions: take another salt".to_owned())
        })?;
        Ok(next.max(clock()))
    }

    fn say(&self, item: &Item, receipt: &Receipt, output: &Output) {
        let target = receipt.target.to_string();
        let public_key = public_key(item);
        output.result(field("target", &target));
        if let (Some(key), Some(seq)) = (&public_key, item.seq()) {
            output.result(field("key", key));
            output.result(field("version", seq));
        }
        output.result(field(
            "stored by",
            units::count(receipt.holders.len(), "node"),
        ));
        for (node, error) in &receipt.refusals {
            output.note(format_args!("{node} refused: {error}"));
        }
        output.event(&Report::ItemStored {
            target,
            public_key,
            salt: hex::encode(self.salt.as_bytes()),
            seq: item.seq(),
            nodes: &receipt.holders,
            refused: receipt.refusals.len(),
            seconds: receipt.elapsed.as_secs_f64(),
        });
    }
}
