//! Any course of events around a torrent: the engine never asks for nonsense, and when honest times come the download ends.
//!
//! The input is a script: the torrent and the limits first, then one event after the other.
#![no_main]

mod driver;
mod script;
mod world;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use world::World;

fuzz_target!(|script: &[u8]| {
    let mut script = Unstructured::new(script);
    if let Ok(mut world) = World::new(&mut script) {
        while !script.is_empty() && world.step(&mut script).is_ok() {}
        world.converge();
    }
});
