use std::hash::{Hash, Hasher};

/// A part that few messages have. Where it is missing it takes a word, and leaves no trace in a hash: the digest of a simulated run
/// stays the same when messages learn to say more than was said in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rare<T>(Option<Box<T>>);

impl<T> Rare<T> {
    /// The part is not there.
    pub const MISSING: Self = Self(None);

    /// The part, if it is there.
    pub fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }
}

impl<T> From<T> for Rare<T> {
    fn from(part: T) -> Self {
        Self(Some(Box::new(part)))
    }
}

impl<T> From<Option<T>> for Rare<T> {
    fn from(part: Option<T>) -> Self {
        Self(part.map(Box::new))
    }
}

impl<T: Hash> Hash for Rare<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(part) = &self.0 {
            part.hash(state);
        }
    }
}
