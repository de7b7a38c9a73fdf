//! Any datagram: decoding ends in an error or in a message, and the message survives being written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let Ok(message) = dht::decode(datagram) else {
        return;
    };
    let mut written = Vec::new();
    dht::encode(&message, &mut written);
    let document = bencode::decode(&written).expect("what is written is bencode");
    assert_eq!(document.defect(), None, "{}", written.escape_ascii());
    assert_eq!(
        dht::decode(&written),
        Ok(message),
        "{}",
        written.escape_ascii()
    );
});
