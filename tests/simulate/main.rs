//! The real binary simulates: what a user is left with, gets to see again, and is told when something is wrong.
//!
//! Worlds are small, and their time is virtual; all waiting is for something that is said.
// Signals and mounts are made with a Unix shell.
#![cfg(unix)]

mod desk;
#[path = "../loopback/support/file_system.rs"]
mod file_system;
mod interruption;
mod refusals;
mod repetition;
mod run_folder;
mod sweep;
