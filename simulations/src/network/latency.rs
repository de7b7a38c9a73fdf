//! How long a packet takes from one node to another.
//!
//! Nodes lie in a plane, their networks in clusters around the centres of regions, and each is behind an access line of its
//! own, most of which are fast. Where they lie is drawn anew whenever it is asked for: that is cheaper than to keep it in
//! memory for a million of them. Square roots are exact to the last bit on every machine, and no other function is used.

use super::Micros;
use super::draw::{below, draw};
use super::matrix::Matrix;

/// The plane is a square of so many units.
const PLANE: u64 = 1 << 20;
/// Networks lie at most so far from the centre of their region, in each direction.
const SPREAD: u64 = 1 << 17;
/// The delay of the slowest access line, in the same units. Half of all lines have a sixteenth of it at most.
const ACCESS: u64 = 1 << 19;
/// The same beside a matrix, in microseconds.
const ACCESS_BESIDE_MATRIX: f64 = 24_000.0;

/// What a node's draws are for.
const REGION: u64 = 1;
const CENTRE: u64 = 2;
const LINE: u64 = 3;

/// A node, and the network (/24) that it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) node: u32,
    pub(super) network: u32,
}

/// The latency between any two nodes.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    minimum: Micros,
    regions: u16,
    networks_seed: u64,
    lines_seed: u64,
    ground: Ground,
    /// Microseconds of a unit.
    scale: f64,
}

#[derive(Clone, Debug)]
enum Ground {
    /// The centres of the regions.
    Plane(Box<[Point]>),
    Matrix(Matrix),
}

#[derive(Clone, Copy, Debug)]
struct Point {
    x: i32,
    y: i32,
}

impl Latency {
    /// A plane with so many regions, scaled so that the median round trip between the two of a pair is the planned one.
    /// No packet takes less than `minimum`, one way.
    pub(super) fn plane(
        seed: u64,
        minimum: Micros,
        regions: u16,
        median_round_trip: Micros,
        pairs: impl Iterator<Item = (Site, Site)>,
    ) -> Self {
        let regions = regions.max(1);
        let centre = |region| {
            let place = draw(draw(seed, CENTRE), region);
            Point {
                x: below(draw(place, 0), PLANE) as i32,
                y: below(draw(place, 1), PLANE) as i32,
            }
        };
        let centres = (0..u64::from(regions)).map(centre).collect();
        let mut latency = Self::new(seed, minimum, regions, Ground::Plane(centres), 1.0);
        let mut paths: Vec<f64> = pairs.map(|(a, b)| latency.path(a, b)).collect();
        paths.sort_by(f64::total_cmp);
        let median = paths.get(paths.len() / 2).copied().unwrap_or(1.0);
        latency.scale = median_round_trip as f64 / 2.0 / median.max(1.0);
        latency
    }

    /// Regions that lie as far apart as a matrix says.
    pub(super) fn matrix(seed: u64, minimum: Micros, matrix: Matrix) -> Self {
        let scale = ACCESS_BESIDE_MATRIX / ACCESS as f64;
        Self::new(
            seed,
            minimum,
            matrix.regions(),
            Ground::Matrix(matrix),
            scale,
        )
    }

    fn new(seed: u64, minimum: Micros, regions: u16, ground: Ground, scale: f64) -> Self {
        Self {
            minimum,
            regions,
            networks_seed: draw(seed, REGION),
            lines_seed: draw(seed, LINE),
            ground,
            scale,
        }
    }

    pub(super) fn regions(&self) -> u16 {
        self.regions
    }

    /// The region of a network.
    #[inline]
    pub(super) fn region(&self, network: u32) -> u16 {
        self.region_of(draw(self.networks_seed, u64::from(network)))
    }

    /// The highest bits of a network's draw say in which region it is, others where in it.
    #[inline]
    fn region_of(&self, network: u64) -> u16 {
        below(network, u64::from(self.regions)) as u16
    }

    /// One way, the same in both directions.
    #[inline]
    pub(super) fn between(&self, a: Site, b: Site) -> Micros {
        let path = self.path(a, b) * self.scale;
        let fixed = match &self.ground {
            Ground::Plane(_) => 0,
            Ground::Matrix(matrix) => {
                matrix.latency(self.region(a.network), self.region(b.network))
            }
        };
        (fixed + Micros::from(path as u32)).max(self.minimum)
    }

    /// The part of a latency that is to be scaled, in units.
    #[inline]
    fn path(&self, a: Site, b: Site) -> f64 {
        let lines = f64::from(self.line(a.node) + self.line(b.node));
        match &self.ground {
            Ground::Plane(centres) => {
                let (a, b) = (
                    self.point(centres, a.network),
                    self.point(centres, b.network),
                );
                let (x, y) = (i64::from(a.x - b.x), i64::from(a.y - b.y));
                ((x * x + y * y) as f64).sqrt() + lines
            }
            Ground::Matrix(_) => lines,
        }
    }

    /// Where a network lies: nearer to the centre more often than far from it.
    #[inline]
    fn point(&self, centres: &[Point], network: u32) -> Point {
        let place = draw(self.networks_seed, u64::from(network));
        let centre = centres[usize::from(self.region_of(place))];
        let off = |shift: u32| {
            let dice = ((place >> shift) & 0xfff) + ((place >> (shift + 12)) & 0xfff);
            (dice * (SPREAD >> 12)) as i32 - SPREAD as i32
        };
        Point {
            x: centre.x + off(0),
            y: centre.y + off(24),
        }
    }

    /// The delay of a node's access line, in units: the fourth power of something uniform.
    #[inline]
    fn line(&self, node: u32) -> u32 {
        let uniform = draw(self.lines_seed, u64::from(node)) >> 32;
        let square = (uniform * uniform) >> 32;
        ((((square * square) >> 32) * ACCESS) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(node: u32) -> Site {
        let network = node / 2;
        Site { node, network }
    }

    fn pairs(count: u64) -> impl Iterator<Item = (Site, Site)> {
        let pair = |number| (draw(1, number) as u32 >> 12, draw(2, number) as u32 >> 12);
        (0..count).map(pair).map(|(a, b)| (site(a), site(b)))
    }

    fn plane(seed: u64, regions: u16, round_trip: Micros) -> Latency {
        Latency::plane(seed, 5_000, regions, round_trip, pairs(20_000))
    }

    fn sorted(latencies: impl Iterator<Item = Micros>) -> Vec<Micros> {
        let mut latencies: Vec<_> = latencies.collect();
        latencies.sort_unstable();
        latencies
    }

    #[test]
    fn distances_are_the_same_in_both_directions_and_never_below_the_minimum() {
        let latency = plane(1, 6, 80_000);
        for (a, b) in pairs(10_000) {
            let there = latency.between(a, b);
            assert_eq!(there, latency.between(b, a));
            assert!((5_000..1_000_000).contains(&there), "{there}");
        }
        assert_eq!(
            latency.between(site(1), site(1)).max(5_000),
            latency.between(site(1), site(1))
        );
    }

    #[test]
    fn the_plane_is_skewed_as_the_internet_is() {
        for seed in 0..20 {
            let latency = plane(seed, 6, 80_000);
            let found = sorted(pairs(20_000).map(|(a, b)| latency.between(a, b)));
            let (tenth, median) = (found[2_000], found[10_000]);
            let (ninetieth, last) = (found[18_000], found[19_980]);
            assert!(
                tenth < median * 2 / 3,
                "seed {seed}: a tenth within {tenth}"
            );
            assert!(
                ninetieth > median * 4 / 3,
                "seed {seed}: nine tenths within {ninetieth}"
            );
            assert!(
                last < median * 4,
                "seed {seed}: all but a thousandth within {last}"
            );
        }
    }

    #[test]
    fn nodes_of_a_region_are_nearer_to_one_another() {
        let latency = plane(3, 6, 80_000);
        let region = |site: Site| latency.region(site.network);
        let (near, far): (Vec<_>, Vec<_>) =
            pairs(20_000).partition(|(a, b)| region(*a) == region(*b));
        // A sixth of the pairs.
        assert!(near.len().abs_diff(20_000 / 6) < 300, "{}", near.len());
        let median = |pairs: Vec<(Site, Site)>| {
            let found = sorted(pairs.into_iter().map(|(a, b)| latency.between(a, b)));
            found[found.len() / 2]
        };
        assert!(median(near) * 2 < median(far));
    }

    #[test]
    fn a_matrix_says_how_far_regions_are_apart_and_lines_come_on_top() {
        let matrix = Matrix::parse("10,100\n100,20").unwrap();
        let latency = Latency::matrix(4, 5_000, matrix);
        let mut on_top = Vec::new();
        for (a, b) in pairs(10_000) {
            let least = match (latency.region(a.network), latency.region(b.network)) {
                (0, 0) => 10_000,
                (1, 1) => 20_000,
                _ => 100_000,
            };
            on_top.push(latency.between(a, b) - least);
        }
        on_top.sort_unstable();
        assert!((2_000..8_000).contains(&on_top[5_000]), "{}", on_top[5_000]);
        assert!(on_top[9_999] < 48_000);
    }
}
