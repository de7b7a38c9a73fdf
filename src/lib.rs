//! placeholder
mod create;
mod error;
mod event;
mod platform;
mod state;
mod storage;
mod verify;

pub use create::{CreateError, CreateOptions, create};
pub use error::Error;
pub use event::{Event, Phase, Progress};
pub use storage::StorageError;
pub use verify::verify;
