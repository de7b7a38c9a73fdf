use std::net::IpAddr;

use bencode::{Dict, Encoder};

/// The most characters that are kept of what a peer calls its client.
const MAX_CLIENT: usize = 100;

/// What a peer says of the extensions that it speaks. BEP 10, "handshake message".
///
/// A connection may see more than one. An entry that is absent changes nothing;
/// one that makes no sense counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionHandshake {
    /// The ids that the sender wants extended messages to bear (`m`).
    pub ids: ExtensionIds,
    /// Bytes of the info dictionary, if the sender has it. BEP 9, "extension header".
    pub metadata_size: Option<u32>,
    /// The TCP port on which the sender takes connections (`p`).
    pub listen_port: Option<u16>,
    /// How many requests the sender keeps in its queue (`reqq`).
    pub request_queue: Option<u32>,
    /// Whether the sender wants no pieces. BEP 21.
    pub upload_only: Option<bool>,
    /// The sender's client and version (`v`), at most 100 characters.
    pub client: Option<String>,
    /// The address at which the sender sees the receiver (`yourip`).
    pub your_ip: Option<IpAddr>,
}

/// The ids of extended messages, as the one who receives them wants them; 0 is for switched off.
/// BEP 10, "handshake message".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// Metadata exchange. BEP 9.
    pub ut_metadata: Option<u8>,
    /// Peer exchange. BEP 11.
    pub ut_pex: Option<u8>,
    /// Pieces that the sender has no more. BEP 54.
    pub lt_donthave: Option<u8>,
}

impl ExtensionIds {
    /// Takes over what a later handshake says: what is absent there stays as it is.
    pub fn update(&mut self, later: Self) {
        self.ut_metadata = later.ut_metadata.or(self.ut_metadata);
        self.ut_pex = later.ut_pex.or(self.ut_pex);
        self.lt_donthave = later.lt_donthave.or(self.lt_donthave);
    }
}

/// Why the payload of an extended message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError {
    /// Not bencode.
    #[error("the extended message is damaged: {0}")]
    Bencode(#[from] bencode::Error),
    /// Bencode, but not a dictionary.
    #[error("the extended message is not a dictionary")]
    NotADictionary,
    /// A number that the message needs is missing or out of range.
    #[error("the extended message has no sensible `{0}`")]
    Field(&'static str),
}

impl ExtensionHandshake {
    /// The id of the handshake itself among extended messages.
    pub const ID: u8 = 0;

    /// Reads the payload of an extended message with the id 0.
    pub fn decode(payload: &[u8]) -> Result<Self, ExtensionError> {
        let (document, _) = bencode::decode_prefix(payload)?;
        let dict = document
            .root()
            .as_dict()
            .ok_or(ExtensionError::NotADictionary)?;
        let ids = dict
            .dict(b"m")
            .map_or_else(ExtensionIds::default, |ids| ExtensionIds {
                ut_metadata: number(ids, b"ut_metadata"),
                ut_pex: number(ids, b"ut_pex"),
                lt_donthave: number(ids, b"lt_donthave"),
            });
        Ok(Self {
            ids,
            metadata_size: number(dict, b"metadata_size").filter(|&size| size > 0),
            listen_port: number(dict, b"p").filter(|&port| port > 0),
            request_queue: number(dict, b"reqq"),
            upload_only: dict.integer(b"upload_only").map(|flag| flag != 0),
            client: dict.bytes(b"v").map(|name| {
                let name = String::from_utf8_lossy(name);
                name.chars().take(MAX_CLIENT).collect()
            }),
            your_ip: dict.bytes(b"yourip").and_then(address),
        })
    }

    /// The payload of an extended message with the id 0.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        let integer = |dict: &mut bencode::DictEncoder<'_>, key: &[u8], value: Option<u32>| {
            if let Some(value) = value {
                dict.integer(key, value.into());
            }
        };
        Encoder::new(&mut payload).dict(|dict| {
            dict.dict(b"m", |ids| {
                integer(ids, b"lt_donthave", self.ids.lt_donthave.map(u32::from));
                integer(ids, b"ut_metadata", self.ids.ut_metadata.map(u32::from));
                integer(ids, b"ut_pex", self.ids.ut_pex.map(u32::from));
            });
            integer(dict, b"metadata_size", self.metadata_size);
            integer(dict, b"p", self.listen_port.map(u32::from));
            integer(dict, b"reqq", self.request_queue);
            integer(dict, b"upload_only", self.upload_only.map(u32::from));
            if let Some(client) = &self.client {
                dict.bytes(b"v", client.as_bytes());
            }
            match self.your_ip {
                Some(IpAddr::V4(ip)) => dict.bytes(b"yourip", &ip.octets()),
                Some(IpAddr::V6(ip)) => dict.bytes(b"yourip", &ip.octets()),
                None => {}
            }
        });
        payload
    }
}

/// An integer in the range of `T`.
fn number<T: TryFrom<i64>>(dict: Dict<'_>, key: &[u8]) -> Option<T> {
    T::try_from(dict.integer(key)?).ok()
}

fn address(compact: &[u8]) -> Option<IpAddr> {
    match compact.len() {
        4 => <[u8; 4]>::try_from(compact).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(compact).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_bep_10_is_read() {
        let payload = b"d1:md11:LT_metadatai1e6:ut_pexi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e";
        let expected = ExtensionHandshake {
            ids: ExtensionIds {
                ut_pex: Some(2),
                ..ExtensionIds::default()
            },
            listen_port: Some(6881),
            client: Some("µTorrent 1.2".into()),
            ..ExtensionHandshake::default()
        };
        assert_eq!(ExtensionHandshake::decode(payload), Ok(expected));
    }

    #[test]
    fn entries_that_make_no_sense_count_as_absent() {
        let payload = b"d1:md11:ut_metadatai256e6:ut_pexi-1ee13:metadata_sizei-5e1:pi0e4:reqq1:x1:vi3e6:yourip3:abce";
        assert_eq!(
            ExtensionHandshake::decode(payload),
            Ok(ExtensionHandshake::default())
        );
        assert_eq!(
            ExtensionHandshake::decode(b"le"),
            Err(ExtensionError::NotADictionary)
        );
        assert!(matches!(
            ExtensionHandshake::decode(b"d1:m"),
            Err(ExtensionError::Bencode(_))
        ));
    }

    #[test]
    fn the_name_of_a_client_is_cut_to_what_can_be_shown() {
        let payload = [b"d1:v201:".as_slice(), &[0xff; 201], b"e"].concat();
        let client = ExtensionHandshake::decode(&payload)
            .unwrap()
            .client
            .unwrap();
        assert_eq!(client, "\u{fffd}".repeat(100));
    }

    #[test]
    fn later_handshakes_add_and_switch_off() {
        let mut ids = ExtensionIds {
            ut_metadata: Some(1),
            ut_pex: Some(2),
            ..ExtensionIds::default()
        };
        ids.update(
            ExtensionHandshake::decode(b"d1:md6:ut_pexi0eee")
                .unwrap()
                .ids,
        );
        assert_eq!((ids.ut_metadata, ids.ut_pex), (Some(1), Some(0)));
    }

    proptest! {
        #[test]
        fn a_handshake_reads_back_as_it_was_written(
            ut_metadata: Option<u8>,
            ut_pex: Option<u8>,
            lt_donthave: Option<u8>,
            metadata_size in prop::option::of(1u32..),
            listen_port in prop::option::of(1u16..),
            request_queue: Option<u32>,
            upload_only: Option<bool>,
            client in prop::option::of("[a-zé ]{0,50}"),
            your_ip: Option<IpAddr>,
        ) {
            let handshake = ExtensionHandshake {
                ids: ExtensionIds { ut_metadata, ut_pex, lt_donthave },
                metadata_size,
                listen_port,
                request_queue,
                upload_only,
                client,
                your_ip,
            };
            let payload = handshake.encode();
            prop_assert!(bencode::decode(&payload).is_ok_and(|document| document.is_canonical()));
            prop_assert_eq!(ExtensionHandshake::decode(&payload), Ok(handshake));
        }

        #[test]
        fn no_payload_makes_the_reader_panic(payload: Vec<u8>) {
            let _ = ExtensionHandshake::decode(&payload);
        }
    }
}
