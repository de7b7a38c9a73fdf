//! What one peer does to an engine, message by message.

mod connections;
mod engine;
mod losses;
mod metadata;
mod opening;
mod requests_of_ours;
mod requests_of_the_peer;
