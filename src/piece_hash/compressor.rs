use std::array;
use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What SHA-1 takes in at a time.
pub(super) type Block = [u8; 64];

/// What SHA-1 knows of the blocks so far.
pub(super) type State = [u32; 5];

/// A way to add blocks to the states of several hashes.
pub(crate) struct Compressor {
    pub(super) name: &'static str,
    /// How many hashes it advances at the same time.
    pub(super) lanes: usize,
    /// Adds each run to the state that stands in the same place. There are at most as many as lanes, and all runs have as
    /// many blocks as the first.
    pub(super) advance: fn(&mut [State], &[&[Block]]),
}

impl fmt::Display for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.lanes, self.name)
    }
}

/// A compressor, and how long it took for a number of blocks in each lane.
type Measured = (Compressor, Duration);

impl Compressor {
    /// All that this processor can run.
    pub(crate) fn all() -> Vec<Compressor> {
        let alone = Compressor {
            name: "sha1",
            lanes: 1,
            advance: |states, runs| {
                for (state, run) in states.iter_mut().zip(runs) {
                    compress_alone(state, run);
                }
            },
        };
        let mut all = vec![alone];
        #[cfg(target_arch = "x86_64")]
        all.extend(super::x86_64::compressors());
        all
    }

    /// The one that hashes so many pieces in the shortest time.
    pub(crate) fn fastest_for(pieces: usize) -> &'static Compressor {
        let rounds = |lanes| pieces.div_ceil(lanes) as u32;
        fastest_by(|compressor, duration| duration * rounds(compressor.lanes))
    }

    /// How many pieces are best hashed at the same time.
    pub(crate) fn best_width() -> usize {
        fastest_by(|compressor, duration| duration / compressor.lanes as u32).lanes
    }

    /// Adds each run to the state that stands in the same place. What a run has more than the shortest one of those that are
    /// at work at the same time is added alone.
    pub(super) fn compress(&self, states: &mut [State], runs: &[&[Block]]) {
        for (states, runs) in states.chunks_mut(self.lanes).zip(runs.chunks(self.lanes)) {
            let shared = runs.iter().map(|run| run.len()).min().unwrap_or(0);
            let (together, alone): (Vec<_>, Vec<_>) =
                runs.iter().map(|run| run.split_at(shared)).unzip();
            (self.advance)(states, &together);
            for (state, run) in states.iter_mut().zip(alone) {
                compress_alone(state, run);
            }
        }
    }
}

/// Adds blocks to the state of one hash, with the processor's SHA instructions if it has them.
pub(super) fn compress_alone(state: &mut State, blocks: &[Block]) {
    sha1::block_api::compress(state, blocks);
}

/// Calls `advance` with as many states and runs as it has lanes. Idle ones repeat the first.
pub(super) fn fill_lanes<const N: usize>(
    states: &mut [State],
    runs: &[&[Block]],
    advance: impl FnOnce(&mut [State; N], [&[Block]; N]),
) {
    let Some(first) = runs.first() else { return };
    let mut all = array::from_fn(|lane| states.get(lane).copied().unwrap_or_default());
    let runs = array::from_fn(|lane| *runs.get(lane).unwrap_or(first));
    advance(&mut all, runs);
    for (state, advanced) in states.iter_mut().zip(all) {
        *state = advanced;
    }
}

/// Block by block what all lanes have there.
pub(super) fn blocks<const N: usize>(runs: [&[Block]; N]) -> impl Iterator<Item = [&Block; N]> {
    (0..runs[0].len()).map(move |block| runs.map(|run| &run[block]))
}

fn fastest_by(cost: impl Fn(&Compressor, Duration) -> Duration) -> &'static Compressor {
    let (compressor, _) = measured()
        .iter()
        .min_by_key(|(compressor, duration)| cost(compressor, *duration))
        .expect("there is one that works alone");
    compressor
}

/// Which one is fastest differs from one make of processors to the next, so it is tried once: in less than a millisecond.
fn measured() -> &'static [Measured] {
    static MEASURED: OnceLock<Vec<Measured>> = OnceLock::new();
    MEASURED.get_or_init(|| {
        let all = Compressor::all().into_iter();
        all.map(|compressor| {
            let duration = measure(&compressor);
            tracing::debug!("SHA-1 of {compressor}: {duration:?}");
            (compressor, duration)
        })
        .collect()
    })
}

/// The shortest of some tries: the others were interrupted, or woke the units up.
fn measure(compressor: &Compressor) -> Duration {
    const TRIES: usize = 5;
    let run: &[Block] = &[[0; 64]; 128];
    let runs = vec![run; compressor.lanes];
    let mut states = vec![State::default(); compressor.lanes];
    let tries = (0..TRIES).map(|_| {
        let start = Instant::now();
        compressor.compress(&mut states, &runs);
        start.elapsed()
    });
    tries.min().unwrap_or(Duration::MAX)
}
