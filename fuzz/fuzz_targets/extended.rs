//! Any payload of an extended message: what can be read survives being written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{ExtensionHandshake, MetadataMessage};

fuzz_target!(|payload: &[u8]| {
    if let Ok(handshake) = ExtensionHandshake::decode(payload) {
        assert_eq!(
            ExtensionHandshake::decode(&handshake.encode()),
            Ok(handshake)
        );
    }
    if let Ok(Some(message)) = MetadataMessage::decode(payload) {
        assert_eq!(
            MetadataMessage::decode(&message.encode()),
            Ok(Some(message))
        );
    }
});
