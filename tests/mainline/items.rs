//! Items, put by one kind and read by the other. BEP 44.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{Item, ItemValue, Salt, SecretKey};
use mainline::{MutableItem, SigningKey};
use trackless::Publisher;

use crate::network::{First, Network, PATIENCE, address, our_node, their_node, within};

#[tokio::test]
async fn each_reads_the_immutable_items_of_the_other() {
    let network = Network::start(First::Ours).await;
    let (we, they) = (&network.ours[1], &network.theirs[1]);
    let value = ItemValue::from_bytes(b"from us").unwrap();
    let put = within(we.put_item(&Item::Immutable(value), &Salt::default(), None)).await;
    let target = put.unwrap().target;
    for seeker in &network.theirs {
        let found = within(seeker.get_immutable(mainline::Id::from(*target.as_bytes()))).await;
        assert_eq!(found.as_deref(), Some(&b"from us"[..]));
    }

    let target = within(they.put_immutable(b"from them")).await.unwrap();
    for seeker in &network.ours {
        let mut search = seeker.get_item(dht::Id::from(*target.as_bytes()), &Salt::default());
        let found = within(search.best()).await.unwrap().unwrap();
        assert_eq!(found.value().as_bytes(), Some(&b"from them"[..]));
    }
}

#[tokio::test]
async fn their_nodes_take_what_we_put() {
    let theirs = their_node(None);
    let entrance = SocketAddr::from(address(&theirs).await);
    let we = our_node(Some(entrance)).await;
    within(we.bootstrapped(PATIENCE)).await.unwrap();
    let owner = Owner::new(b"salt");
    let immutable = Item::Immutable(ItemValue::from_bytes(b"here").unwrap());
    for item in [immutable, owner.our_item(1, "signed")] {
        let receipt = within(we.put_item(&item, &owner.salt, None)).await;
        assert!(receipt.unwrap().holders.contains(&entrance), "{item:?}");
    }
}

/// One key, in the hands of both.
struct Owner {
    ours: SecretKey,
    theirs: SigningKey,
    salt: Salt,
}

impl Owner {
    fn new(salt: &[u8]) -> Self {
        let seed = [7; SecretKey::SEED_LENGTH];
        Owner {
            ours: SecretKey::from_seed(&seed),
            theirs: SigningKey::from_bytes(&seed),
            salt: Salt::new(salt).unwrap(),
        }
    }

    fn our_item(&self, seq: i64, text: &str) -> Item {
        let value = ItemValue::from_bytes(text.as_bytes()).unwrap();
        Item::Mutable(dht::MutableItem::sign(value, seq, &self.salt, &self.ours))
    }

    fn their_item(&self, seq: i64, text: &str) -> MutableItem {
        MutableItem::new(self.theirs.clone(), text.as_bytes(), seq, self.their_salt())
    }

    fn their_salt(&self) -> Option<&[u8]> {
        Some(self.salt.as_bytes()).filter(|salt| !salt.is_empty())
    }
}

/// What every node of either kind reads now.
async fn assert_all_read(network: &Network, owner: &Owner, seq: i64, text: &str) {
    for seeker in &network.ours {
        let target = owner.ours.public().target(&owner.salt);
        let found = within(seeker.get_item(target, &owner.salt).best()).await;
        let found = found.unwrap().expect("we find nothing");
        assert_eq!(found.value().as_bytes(), Some(text.as_bytes()));
        assert_eq!(found.seq(), Some(seq));
    }
    for seeker in &network.theirs {
        let key = owner.theirs.verifying_key().to_bytes();
        let found = within(seeker.get_mutable_most_recent(&key, owner.their_salt())).await;
        let found = found.expect("they find nothing");
        assert_eq!((found.value(), found.seq()), (text.as_bytes(), seq));
    }
}

async fn one_replaces_what_the_other_signed(salt: &[u8]) {
    let network = Network::start(First::Theirs).await;
    let owner = Owner::new(salt);
    let (we, they) = (&network.ours[1], &network.theirs[1]);

    within(we.put_item(&owner.our_item(1, "first"), &owner.salt, None))
        .await
        .unwrap();
    assert_all_read(&network, &owner, 1, "first").await;
    within(they.put_mutable(owner.their_item(2, "second"), Some(1)))
        .await
        .unwrap();
    assert_all_read(&network, &owner, 2, "second").await;
    within(we.put_item(&owner.our_item(3, "third"), &owner.salt, Some(2)))
        .await
        .unwrap();
    assert_all_read(&network, &owner, 3, "third").await;

    // An older one, and one that expects what is no longer there, change nothing.
    let older = within(we.put_item(&owner.our_item(2, "late"), &owner.salt, None)).await;
    assert!(older.is_err(), "{older:?}");
    let surprised = within(they.put_mutable(owner.their_item(4, "surprised"), Some(1))).await;
    assert!(surprised.is_err(), "{surprised:?}");
    assert_all_read(&network, &owner, 3, "third").await;
}

/// He asks for newer ones only, which theirs understand as well as ours do.
#[tokio::test]
async fn who_follows_a_publisher_among_their_nodes_hears_of_the_next_version() {
    let network = Network::start(First::Theirs).await;
    let (we, follower) = (&network.ours[1], &network.ours[2]);
    let owner = Owner::new(b"site");
    let publisher = Publisher {
        key: owner.ours.public(),
        salt: owner.salt.clone(),
    };
    let mut following = follower.follow(publisher, Duration::from_millis(300));
    for (seq, info_hash) in [(1, [1; 20].into()), (2, [2; 20].into())] {
        let pointer = Publisher::pointer(info_hash);
        let item = dht::MutableItem::sign(pointer, seq, &owner.salt, &owner.ours);
        within(we.put_item(&Item::Mutable(item), &owner.salt, None))
            .await
            .unwrap();
        let news = within(following.next()).await.unwrap();
        assert_eq!((news.seq, news.info_hash), (seq, info_hash));
    }
}

#[tokio::test]
async fn one_replaces_what_the_other_signed_without_salt() {
    one_replaces_what_the_other_signed(b"").await;
}

#[tokio::test]
async fn one_replaces_what_the_other_signed_with_salt() {
    one_replaces_what_the_other_signed(b"weather").await;
}
