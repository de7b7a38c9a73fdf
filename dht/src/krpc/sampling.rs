//! The fields of a response to `sample_infohashes`. BEP 51, "message format".

use bencode::DictEncoder;

use crate::id::Id;
use crate::message::Sample;

/// What a response has of them.
#[derive(Default)]
pub(super) struct SampleFields<'a> {
    pub(super) interval: Option<i64>,
    pub(super) num: Option<i64>,
    pub(super) samples: Option<&'a [u8]>,
}

impl SampleFields<'_> {
    /// The sample. Who knows the method says `samples`, and be they none; whole ones are read.
    ///
    /// Who does not say for how long he wants to be left in peace, or more than may be said, is left in peace for the longest time.
    /// Nobody keeps fewer info-hashes than he names.
    pub(super) fn read(&self) -> Option<Sample> {
        let (info_hashes, _) = self.samples?.as_chunks::<{ Id::LENGTH }>();
        let info_hashes: Vec<_> = info_hashes.iter().copied().map(Id::new).collect();
        let interval = self
            .interval
            .and_then(|seconds| u16::try_from(seconds).ok())
            .filter(|seconds| *seconds <= Sample::MAX_INTERVAL);
        let total = self.num.and_then(|num| u64::try_from(num).ok());
        Some(Sample {
            total: total.unwrap_or(0).max(info_hashes.len() as u64),
            info_hashes,
            interval: interval.unwrap_or(Sample::MAX_INTERVAL),
        })
    }
}

/// Writes `num` and `samples`, which follow one another.
pub(super) fn encode(sample: &Sample, values: &mut DictEncoder<'_>) {
    values.integer(b"num", i64::try_from(sample.total).unwrap_or(i64::MAX));
    let samples: Vec<u8> = sample
        .info_hashes
        .iter()
        .flat_map(|info_hash| *info_hash.as_bytes())
        .collect();
    values.bytes(b"samples", &samples);
}
