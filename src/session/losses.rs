//! What cannot be served any more.

use std::collections::HashSet;
use std::io;

use crate::event::Event;
use crate::storage::StorageError;

/// Says of each file once what is the matter with it, however many peers ask for it.
#[derive(Debug, Default)]
pub(super) struct Losses {
    told: HashSet<String>,
}

impl Losses {
    /// A connection has ended by this error.
    pub(super) fn hear(&mut self, error: &io::Error) -> Option<Event> {
        let error = error.get_ref()?.downcast_ref::<StorageError>()?;
        let reason = error.to_string();
        self.told
            .insert(reason.clone())
            .then_some(Event::Unservable { reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_told_of_once() {
        let missing = |path: &str| io::Error::other(StorageError::Missing { path: path.into() });
        let mut losses = Losses::default();
        assert!(losses.hear(&missing("one")).is_some());
        assert!(losses.hear(&missing("one")).is_none());
        assert!(losses.hear(&missing("other")).is_some());
        assert!(
            losses
                .hear(&io::ErrorKind::ConnectionReset.into())
                .is_none()
        );
    }
}
