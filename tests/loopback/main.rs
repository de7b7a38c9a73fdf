//! The real binary on loopback: what a user starts, sees and is left with.
//!
//! Every process listens on a free port of this machine and knows nobody but those whom its test names: no test can
//! reach a public address. All waiting is for something that is said, and ends with a panic after [`support::PATIENCE`].
// Signals, limits and mounts are made with a Unix shell.
#![cfg(unix)]

mod batches;
mod changed_content;
mod crowds;
mod damaged_content;
mod demo;
mod disk;
mod downloads;
mod hostile_datagrams;
mod hostile_leechers;
mod hostile_seeds;
mod hostile_torrents;
mod interruption;
mod items;
mod kills;
mod library;
mod metadata;
mod open_files;
mod own_files;
mod padding;
mod private_torrents;
mod publishing;
mod rate_limits;
mod restart;
mod resuming;
mod selection;
mod several_addresses;
mod streaming;
mod super_seeds;
mod support;
mod surveys;
mod unreachable_network;
