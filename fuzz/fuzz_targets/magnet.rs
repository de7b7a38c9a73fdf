//! Any text where a magnet link, an info-hash or an address is expected: what is accepted reads back as it is shown.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use wire::{HostPort, InfoHash, Magnet};

fuzz_target!(|text: &str| {
    check::<Magnet>(text);
    check::<InfoHash>(text);
    check::<HostPort>(text);
});

fn check<T: FromStr<Err: Display> + Display + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => assert!(
            value
                .to_string()
                .parse::<T>()
                .is_ok_and(|again| again == value),
            "{value}"
        ),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
