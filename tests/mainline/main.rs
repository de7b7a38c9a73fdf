//! Our nodes beside those of the crate `mainline`, in one network on loopback: what either announces or puts, the other finds, and
//! the same question gets the same answer.

mod announces;
mod items;
mod network;
mod questions;
mod read_only;
