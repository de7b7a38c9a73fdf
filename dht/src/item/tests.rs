use proptest::prelude::*;

use super::*;

/// The private key of BEP 44, "Test Vectors".
const EXPANDED: &str = "e06d3183d14159228433ed599221b80bd0a5ce8352e4bdf0262f76786ef1c74d\
                        b7e7a9fea2c0eb269d61e3b38e450a22e754941ac78479d6c54e1faf6037881d";
const PUBLIC: &str = "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548";

fn key() -> SecretKey {
    let expanded = hex::decode(EXPANDED).unwrap();
    SecretKey::from_expanded(&expanded.try_into().unwrap())
}

fn hello() -> ItemValue {
    ItemValue::from_bencode(b"12:Hello World!").unwrap()
}

/// Vectors 1 and 2: salt, what is signed, target, signature.
const MUTABLE: [(&str, &str, &str, &str); 2] = [
    (
        "",
        "3:seqi1e1:v12:Hello World!",
        "4a533d47ec9c7d95b1ad75f576cffc641853b750",
        "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff\
         1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01",
    ),
    (
        "foobar",
        "4:salt6:foobar3:seqi1e1:v12:Hello World!",
        "411eba73b6f087ca51a3795d9c8c938d365e32c1",
        "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d\
         df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08",
    ),
];

#[test]
fn mutable_items_of_bep_44_are_signed_named_and_verified() {
    assert_eq!(key().public().to_string(), PUBLIC);
    for (salt, signed, target, signature) in MUTABLE {
        let salt = Salt::new(salt.as_bytes()).unwrap();
        assert_eq!(signed_bytes(&hello(), 1, &salt), signed.as_bytes());
        let item = MutableItem::sign(hello(), 1, &salt, &key());
        assert_eq!(hex::encode(item.signature.as_bytes()), signature);
        let item = Item::Mutable(item);
        let target = target.parse().unwrap();
        assert_eq!(item.target(&salt), target);
        assert!(item.is_genuine(&target, &salt));
    }
}

#[test]
fn the_immutable_item_of_bep_44_is_named_by_its_hash() {
    let item = Item::Immutable(hello());
    let target = "e5f96f6f38320f0f33959cb4d3d656452117aadb".parse().unwrap();
    assert_eq!(item.target(&Salt::default()), target);
    assert!(item.is_genuine(&target, &Salt::default()));
    let other = Item::Immutable(ItemValue::from_bytes(b"Hello world!").unwrap());
    assert!(!other.is_genuine(&target, &Salt::default()));
    assert_eq!(item.value().as_bytes(), Some(&b"Hello World!"[..]));
}

#[test]
fn whatever_is_changed_breaks_the_signature() {
    let salt = Salt::new(b"foobar").unwrap();
    let genuine = MutableItem::sign(hello(), 1, &salt, &key());
    assert!(genuine.is_signed(&salt));
    assert!(!genuine.is_signed(&Salt::default()));
    let newer = MutableItem {
        seq: 2,
        ..genuine.clone()
    };
    let other_value = MutableItem {
        value: ItemValue::from_bytes(b"Hello World?").unwrap(),
        ..genuine.clone()
    };
    let other_key = MutableItem {
        key: SecretKey::from_seed(&[1; 32]).public(),
        ..genuine.clone()
    };
    let mut bytes = *genuine.signature.as_bytes();
    bytes[40] ^= 1;
    let other_signature = MutableItem {
        signature: Signature::new(bytes),
        ..genuine
    };
    for forged in [newer, other_value, other_key, other_signature] {
        assert!(!forged.is_signed(&salt), "{forged:?}");
    }
}

#[test]
fn a_key_that_belongs_to_everybody_signs_nothing() {
    // The neutral element as key and a zero signature: a lax verifier finds them right for every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let item = MutableItem {
        key: PublicKey::new(neutral),
        seq: 1,
        signature: Signature::new(signature),
        value: hello(),
    };
    assert!(!item.is_signed(&Salt::default()));
    let no_point = PublicKey::new([2; 32]);
    assert!(
        !MutableItem {
            key: no_point,
            ..item
        }
        .is_signed(&Salt::default())
    );
}

#[test]
fn a_value_has_a_thousand_bytes_at_most_and_is_canonical_bencode() {
    assert_eq!(
        ItemValue::from_bytes(&[b'x'; 996])
            .unwrap()
            .as_bencode()
            .len(),
        1000
    );
    let too_long = ItemValue::from_bytes(&[b'x'; 997]);
    assert_eq!(too_long, Err(ItemError::ValueTooLong { length: 1001 }));
    for canonical in [&b"i-5e"[..], b"0:", b"le", b"d1:ai1e1:bl1:cee"] {
        assert!(ItemValue::from_bencode(canonical).is_ok());
    }
    for other in [&b"i05e"[..], b"d1:bi1e1:ai1ee", b"d1:ai1e1:ai1ee"] {
        assert_eq!(ItemValue::from_bencode(other), Err(ItemError::NotCanonical));
    }
    // The last would close what stands around it.
    for none in [&b""[..], b"x", b"i1ei2e", b"5:abc", b"1:ae1:b", b"i1eeli2e"] {
        assert!(matches!(
            ItemValue::from_bencode(none),
            Err(ItemError::NotBencoded(_))
        ));
    }
    let nested = |depth: usize| ["l".repeat(depth), "e".repeat(depth)].concat();
    assert!(ItemValue::from_bencode(nested(30).as_bytes()).is_ok());
    assert!(ItemValue::from_bencode(nested(31).as_bytes()).is_err());
}

#[test]
fn a_salt_has_64_bytes_at_most() {
    assert!(Salt::new(&[7; 64]).is_ok());
    assert_eq!(
        Salt::new(&[7; 65]),
        Err(ItemError::SaltTooLong { length: 65 })
    );
}

#[test]
fn a_public_key_is_written_in_hexadecimal() {
    assert_eq!(PUBLIC.parse(), Ok(key().public()));
    for wrong in ["", "77ff", &PUBLIC.replace('7', "x")] {
        assert_eq!(wrong.parse::<PublicKey>(), Err(ParsePublicKeyError));
    }
    assert!(!format!("{:?}", key()).contains(&EXPANDED[..8]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_a_key_signs_is_genuine_under_its_salt_alone(
        seed in any::<[u8; 32]>(), seq in any::<i64>(),
        content in proptest::collection::vec(any::<u8>(), 0..=996),
        salt in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let key = SecretKey::from_seed(&seed);
        let value = ItemValue::from_bytes(&content).unwrap();
        let longer = Salt::new(&[&salt[..], b"x"].concat()).unwrap();
        let salt = Salt::new(&salt).unwrap();
        let item = Item::Mutable(MutableItem::sign(value, seq, &salt, &key));
        prop_assert!(item.is_genuine(&key.public().target(&salt), &salt));
        prop_assert!(!item.is_genuine(&key.public().target(&longer), &salt));
        prop_assert!(!item.is_genuine(&key.public().target(&longer), &longer));
    }
}
