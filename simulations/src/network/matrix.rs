//! One-way latencies between regions, as somebody measured them.

use thiserror::Error;

use super::Micros;

/// Regions of a matrix at most.
const REGIONS: usize = 1_000;
/// The longest latency in it, in milliseconds.
const LONGEST: f64 = 60_000.0;
/// Characters of somebody's file that an error repeats.
const QUOTED: usize = 24;

/// How long a packet takes between any two regions, one way. The diagonal says how long within one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    regions: u16,
    latencies: Box<[Micros]>,
}

/// Why a file is no matrix. Rows and columns are counted from 1, empty lines too.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum MatrixError {
    /// There is nothing in it.
    #[error(
        "the latency matrix is empty: write a line for each region, with a number of milliseconds for each region"
    )]
    Empty,
    /// It has too many rows.
    #[error("the latency matrix has more than {REGIONS} regions")]
    TooLarge,
    /// A row has another length than the first one, or the number of rows is another.
    #[error(
        "the latency matrix is no square: {columns} columns in row {row}, where {regions} are needed for {regions} regions"
    )]
    NotSquare {
        /// The row.
        row: usize,
        /// Its cells.
        columns: usize,
        /// The rows there are.
        regions: usize,
    },
    /// A cell holds something else.
    #[error(
        "row {row}, column {column} of the latency matrix is {found:?}, which is no number of milliseconds from 0 to 60000"
    )]
    NotMillis {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// What stands there, the beginning of it.
        found: String,
    },
    /// There and back differ.
    #[error(
        "the latency matrix has {there} ms in row {row}, column {column}, and {back} ms the other way: paths take the same time in both directions, so write the mean of them twice"
    )]
    Asymmetric {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// What stands there.
        there: String,
        /// What stands at the mirrored place.
        back: String,
    },
}

impl Matrix {
    /// Reads a square of milliseconds, separated by commas, one line a region. Numbers may have fractions; lines that are
    /// empty or begin with `#` are passed over.
    ///
    /// # Errors
    /// If it is no symmetric square of at most 1,000 × 1,000 numbers from 0 to 60,000.
    pub fn parse(text: &str) -> Result<Self, MatrixError> {
        let is_content = |(_, line): &(usize, &str)| !line.is_empty() && !line.starts_with('#');
        let lines = (1..).zip(text.lines().map(str::trim)).filter(is_content);
        let rows: Vec<(usize, &str)> = lines.take(REGIONS + 1).collect();
        let regions = match rows.len() {
            0 => return Err(MatrixError::Empty),
            regions if regions > REGIONS => return Err(MatrixError::TooLarge),
            regions => regions,
        };
        let mut latencies = Vec::with_capacity(regions * regions);
        for &(row, line) in &rows {
            let columns = line.split(',').count();
            if columns != regions {
                return Err(MatrixError::NotSquare {
                    row,
                    columns,
                    regions,
                });
            }
            for (column, cell) in (1..).zip(line.split(',')) {
                let not_millis = || MatrixError::NotMillis {
                    row,
                    column,
                    found: cell.trim().chars().take(QUOTED).collect(),
                };
                let millis: f64 = cell.trim().parse().map_err(|_| not_millis())?;
                if !(0.0..=LONGEST).contains(&millis) {
                    return Err(not_millis());
                }
                latencies.push((millis * 1_000.0).round() as Micros);
            }
        }
        let matrix = Self {
            regions: regions as u16,
            latencies: latencies.into(),
        };
        matrix.check_symmetry(&rows)?;
        Ok(matrix)
    }

    fn check_symmetry(&self, rows: &[(usize, &str)]) -> Result<(), MatrixError> {
        let millis = |latency: Micros| (latency as f64 / 1_000.0).to_string();
        for (from, &(row, _)) in (0..).zip(rows) {
            for to in 0..from {
                let (there, back) = (self.latency(from, to), self.latency(to, from));
                if there != back {
                    return Err(MatrixError::Asymmetric {
                        row,
                        column: usize::from(to) + 1,
                        there: millis(there),
                        back: millis(back),
                    });
                }
            }
        }
        Ok(())
    }

    /// How many there are.
    pub fn regions(&self) -> u16 {
        self.regions
    }

    /// From one region to another.
    #[inline]
    pub(super) fn latency(&self, from: u16, to: u16) -> Micros {
        self.latencies[usize::from(from) * usize::from(self.regions) + usize::from(to)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Matrix::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_square_of_milliseconds_is_read() {
        let matrix = Matrix::parse("# Europe, Asia\n 2, 80.5\n\n80.5 ,3\r\n").unwrap();
        assert_eq!(matrix.regions(), 2);
        assert_eq!(matrix.latency(0, 0), 2_000);
        assert_eq!(matrix.latency(0, 1), 80_500);
        assert_eq!(matrix.latency(1, 1), 3_000);
    }

    #[test]
    fn what_is_wrong_is_said_with_row_and_column() {
        assert!(refused(" \n# nothing").contains("is empty"));
        assert!(refused("1,2\n2").contains("1 columns in row 2, where 2 are needed"));
        assert!(refused("1,2,3\n2,1,3").contains("3 columns in row 1, where 2 are needed"));
        assert!(
            refused("1,2\n\n2,fast").contains("row 3, column 2 of the latency matrix is \"fast\"")
        );
        for number in ["-1", "60001", "NaN", "inf", ""] {
            let found = refused(&format!("1,{number}\n2,1"));
            assert!(
                found.contains(&format!(
                    "row 1, column 2 of the latency matrix is {number:?}"
                )),
                "{found}"
            );
        }
        let found = refused("1,2\n3.5,1");
        assert!(
            found.contains("3.5 ms in row 2, column 1, and 2 ms the other way"),
            "{found}"
        );
    }

    #[test]
    fn a_matrix_of_any_size_is_bounded() {
        assert_eq!(
            Matrix::parse(&"1\n".repeat(1_001)),
            Err(MatrixError::TooLarge)
        );
        let long = "9".repeat(100_000);
        assert!(refused(&format!("x{long}")).len() < 200);
        let row = format!("{}\n", ["7"; 1_000].join(","));
        assert_eq!(Matrix::parse(&row.repeat(1_000)).unwrap().regions(), 1_000);
    }
}
