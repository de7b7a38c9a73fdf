//! Swarms of engines in virtual time: what a user would see of them.

mod agenda;
mod fetching;
mod hostile;
mod limits;
mod losses;
mod metadata;
mod network;
mod selection;
mod serving;
mod urgency;
mod wishes;
