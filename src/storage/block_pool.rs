use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wire::BLOCK_LENGTH;

/// Buffers of one block each, used again and again.
///
/// Clones share the same buffers. The most recently returned one is taken first, because it is still in the cache.
#[derive(Clone)]
pub(crate) struct BlockPool(Arc<Shared>);

struct Shared {
    limit: usize,
    buffers: Mutex<Buffers>,
}

#[derive(Default)]
struct Buffers {
    free: Vec<Box<[u8]>>,
    in_use: usize,
}

/// [`BLOCK_LENGTH`] bytes of whatever was last in them. Goes back to its pool when it is dropped.
pub(crate) struct BlockBuffer {
    bytes: Box<[u8]>,
    pool: BlockPool,
}

impl BlockPool {
    /// A pool that keeps at most `limit` buffers for later. It allocates them as they are needed.
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Shared {
            limit,
            buffers: Mutex::default(),
        }))
    }

    /// A buffer, always. Whoever takes them watches [`in_use`](Self::in_use): what is taken beyond the limit is
    /// allocated, and freed when it comes back.
    pub(crate) fn take(&self) -> BlockBuffer {
        let recycled = {
            let mut buffers = self.buffers();
            buffers.in_use += 1;
            buffers.free.pop()
        };
        BlockBuffer {
            bytes: recycled.unwrap_or_else(|| vec![0; BLOCK_LENGTH as usize].into()),
            pool: self.clone(),
        }
    }

    /// Buffers that somebody holds.
    pub(crate) fn in_use(&self) -> usize {
        self.buffers().in_use
    }

    /// Buffers that the pool is meant to get by with.
    pub(crate) fn limit(&self) -> usize {
        self.0.limit
    }

    fn give_back(&self, bytes: Box<[u8]>) {
        let mut buffers = self.buffers();
        buffers.in_use -= 1;
        if buffers.in_use + buffers.free.len() < self.0.limit {
            buffers.free.push(bytes);
        }
    }

    fn buffers(&self) -> MutexGuard<'_, Buffers> {
        // Nothing in here panics half way, so the counts are right even then.
        self.0
            .buffers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BlockBuffer {
    fn drop(&mut self) {
        self.pool.give_back(mem::take(&mut self.bytes));
    }
}

impl Deref for BlockBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for BlockBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for BlockBuffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for BlockBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl fmt::Debug for BlockBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockBuffer")
    }
}

impl fmt::Debug for BlockPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockPool({} of {})", self.in_use(), self.limit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_returned_buffer_is_the_next_one_taken() {
        let pool = BlockPool::new(4);
        let mut buffer = pool.take();
        assert_eq!(buffer.len(), BLOCK_LENGTH as usize);
        buffer[0] = 42;
        drop(buffer);
        assert_eq!(pool.take()[0], 42);
    }

    #[test]
    fn use_is_counted_through_every_clone() {
        let pool = BlockPool::new(4);
        let (one, two) = (pool.take(), pool.clone().take());
        assert_eq!(pool.in_use(), 2);
        drop(one);
        assert_eq!(pool.in_use(), 1);
        drop(two);
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn buffers_beyond_the_limit_are_given_but_not_kept() {
        let pool = BlockPool::new(2);
        let taken: Vec<_> = (0..5).map(|_| pool.take()).collect();
        assert_eq!(pool.in_use(), 5);
        drop(taken);
        assert_eq!(pool.in_use(), 0);
        assert_eq!(pool.buffers().free.len(), 2);
    }
}
