use std::collections::BTreeMap;

use bencode::Encoder;

use super::{Metainfo, MetainfoError, encode_nodes};
use crate::HostPort;

/// What is to become of something that a torrent file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays.
    #[default]
    Keep,
    /// It goes.
    Drop,
    /// It is this from now on.
    Set(T),
}

/// Changes to a .torrent file beside its info dictionary, which stays as it is to the bit: so does the info-hash.
///
/// What is not named here stays too, known or not.
///
/// ```
/// use wire::{Change, MetainfoEdit};
///
/// let info = "d6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
/// let file = format!("d8:announce9:udp://old7:comment3:old8:encoding5:UTF-84:info{info}e");
/// let edit = MetainfoEdit {
///     comment: Change::Set("new".to_owned()),
///     trackers: Change::Drop,
///     ..MetainfoEdit::default()
/// };
/// let edited = edit.apply(file.as_bytes())?;
/// assert_eq!(edited, format!("d7:comment3:new8:encoding5:UTF-84:info{info}e").into_bytes());
/// # Ok::<(), wire::MetainfoError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetainfoEdit {
    /// What the author says.
    pub comment: Change<String>,
    /// The program that made the file.
    pub created_by: Change<String>,
    /// When it was made, in seconds since 1970.
    pub creation_date: Change<i64>,
    /// DHT nodes that are near the torrent. BEP 5, "Torrent File Extensions".
    pub nodes: Change<Vec<HostPort>>,
    /// The trackers, each a tier of its own. BEP 12.
    pub trackers: Change<Vec<String>>,
}

impl MetainfoEdit {
    /// The bytes of the file with the changes made. What is no usable torrent file is refused.
    pub fn apply(&self, file: &[u8]) -> Result<Vec<u8>, MetainfoError> {
        Metainfo::from_bytes(file.to_vec())?;
        let document = bencode::decode(file)?;
        let dict = document
            .root()
            .as_dict()
            .ok_or(MetainfoError::NotADictionary("its content"))?;
        // Of a key that is there twice the first one counts, as it does for a reader.
        let mut entries = BTreeMap::new();
        for (key, value) in dict {
            entries.entry(key).or_insert_with(|| value.raw().to_vec());
        }

        change(&mut entries, b"comment", &self.comment, encode_text);
        change(&mut entries, b"created by", &self.created_by, encode_text);
        change(
            &mut entries,
            b"creation date",
            &self.creation_date,
            |value, seconds| {
                value.integer(*seconds);
            },
        );
        change(&mut entries, b"nodes", &self.nodes, |value, nodes| {
            value.list(|list| encode_nodes(list, nodes));
        });
        change(
            &mut entries,
            b"announce-list",
            &self.trackers,
            |value, trackers| {
                value.list(|tiers| {
                    for tracker in trackers {
                        tiers.list(|tier| tier.bytes(tracker.as_bytes()));
                    }
                });
            },
        );
        let first = match &self.trackers {
            Change::Keep => Change::Keep,
            Change::Drop => Change::Drop,
            Change::Set(trackers) => trackers.first().map_or(Change::Drop, Change::Set),
        };
        change(&mut entries, b"announce", &first, |value, tracker| {
            encode_text(value, tracker);
        });

        let mut bytes = Vec::with_capacity(file.len() + 256);
        Encoder::new(&mut bytes).dict(|file| {
            for (key, value) in &entries {
                file.raw(key, value);
            }
        });
        Ok(bytes)
    }
}

fn encode_text(value: &mut Encoder<'_>, text: &String) {
    value.bytes(text.as_bytes());
}

fn change<T>(
    entries: &mut BTreeMap<&[u8], Vec<u8>>,
    key: &'static [u8],
    change: &Change<T>,
    encode: impl FnOnce(&mut Encoder<'_>, &T),
) {
    match change {
        Change::Keep => {}
        Change::Drop => {
            entries.remove(key);
        }
        Change::Set(new) => {
            let mut bytes = Vec::new();
            encode(&mut Encoder::new(&mut bytes), new);
            entries.insert(key, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Unsorted, with a key that nobody knows: what other clients wrote is not repaired.
    const INFO: &str =
        "d4:name1:a6:lengthi1e12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa4:oddsi1ee";

    fn apply(edit: &MetainfoEdit, file: &str) -> String {
        let edited = edit.apply(file.as_bytes()).unwrap();
        String::from_utf8(edited).unwrap()
    }

    #[test]
    fn nothing_to_change_changes_nothing() {
        let file = format!("d8:announce1:x7:comment2:hi4:info{INFO}12:piece layersdee");
        assert_eq!(apply(&MetainfoEdit::default(), &file), file);
    }

    #[test]
    fn each_change_is_made_in_its_place_and_the_rest_stays() {
        let file = format!(
            "d8:announce1:x13:announce-listll1:xel1:yee13:creation datei7e4:info{INFO}8:url-list1:ze"
        );
        let edit = MetainfoEdit {
            comment: Change::Set("new".to_owned()),
            created_by: Change::Set("me".to_owned()),
            creation_date: Change::Drop,
            nodes: Change::Set(vec!["192.0.2.1:6881".parse().unwrap()]),
            trackers: Change::Drop,
        };
        assert_eq!(
            apply(&edit, &file),
            format!(
                "d7:comment3:new10:created by2:me4:info{INFO}5:nodesll9:192.0.2.1i6881eee8:url-list1:ze"
            )
        );
    }

    #[test]
    fn trackers_are_set_for_readers_of_both_keys() {
        let edit = |trackers: &[&str]| MetainfoEdit {
            trackers: Change::Set(trackers.iter().map(|&tracker| tracker.to_owned()).collect()),
            ..MetainfoEdit::default()
        };
        let file = format!("d8:announce3:old4:info{INFO}e");
        assert_eq!(
            apply(&edit(&["a", "b"]), &file),
            format!("d8:announce1:a13:announce-listll1:ael1:bee4:info{INFO}e")
        );
    }

    #[test]
    fn what_is_no_torrent_is_not_edited() {
        let edit = MetainfoEdit::default();
        assert!(edit.apply(b"d4:infodee").is_err());
        assert!(edit.apply(b"le").is_err());
    }

    proptest! {
        #[test]
        fn the_info_hash_survives_any_edit_and_an_edit_undone_is_none(
            comment in ".{0,20}",
            date in any::<i64>(),
            extra in "z[a-z]{0,8}",
        ) {
            let file = format!("d4:info{INFO}{}:{extra}i1ee", extra.len());
            let there = MetainfoEdit {
                comment: Change::Set(comment.clone()),
                creation_date: Change::Set(date),
                ..MetainfoEdit::default()
            };
            let edited = Metainfo::from_bytes(there.apply(file.as_bytes()).unwrap()).unwrap();
            prop_assert_eq!(edited.info.raw(), INFO.as_bytes());
            prop_assert_eq!(edited.comment.as_deref(), Some(&*comment));
            prop_assert_eq!(edited.creation_date, Some(date));
            let back = MetainfoEdit {
                comment: Change::Drop,
                creation_date: Change::Drop,
                ..MetainfoEdit::default()
            };
            prop_assert_eq!(apply(&back, std::str::from_utf8(&there.apply(file.as_bytes()).unwrap()).unwrap()), file);
        }
    }
}
