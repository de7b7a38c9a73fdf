use std::ops::{Index, IndexMut};

use crate::address::Family;

/// One thing of a kind for each family. BEP 32: two DHTs, and what holds in one says nothing about the other.
#[derive(Default)]
pub(crate) struct PerFamily<T> {
    v4: T,
    v6: T,
}

impl<T> PerFamily<T> {
    pub(crate) fn from_fn(mut make: impl FnMut() -> T) -> Self {
        Self {
            v4: make(),
            v6: make(),
        }
    }

    /// In the order of [`Family::ALL`].
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        [&self.v4, &self.v6].into_iter()
    }
}

impl<T> Index<Family> for PerFamily<T> {
    type Output = T;

    fn index(&self, family: Family) -> &T {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }
}

impl<T> IndexMut<Family> for PerFamily<T> {
    fn index_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}
