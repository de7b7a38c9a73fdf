//! Rows of numbers for other programs. Columns have their units in their names; what was not measured is empty. Rows are written one by
//! one, so that a million of them need no memory.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use crate::Findings;

/// A row for each lookup.
pub fn lookups_csv(findings: &Findings, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "at_s,kind,node,info_hash,is_attacked,success,first_peers_ms,elapsed_ms,hops,asked,answered,stalled,failed,peers,accuracy"
    )?;
    for row in &findings.lookups {
        writeln!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            seconds(row.at),
            row.kind.name(),
            row.node,
            Cell(row.info_hash),
            row.is_attacked,
            row.success.name(),
            Cell(row.first_peers.map(milliseconds)),
            Cell(row.elapsed.map(milliseconds)),
            row.hops,
            row.asked,
            row.answered,
            row.stalled,
            row.failed,
            row.peers,
            Cell(row.accuracy),
        )?;
    }
    Ok(())
}

/// A row for each minute.
pub fn timeseries_csv(findings: &Findings, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "at_s,online,lookups,lookups_succeeded,recalls,recalls_succeeded,sent,delivered,sent_bytes,contacts_mean,dead_contacts_share"
    )?;
    for sample in &findings.samples {
        writeln!(
            out,
            "{},{},{},{},{},{},{},{},{},{:.3},{:.5}",
            seconds(sample.at),
            sample.online,
            sample.lookups,
            sample.lookups_succeeded,
            sample.recalls,
            sample.recalls_succeeded,
            sample.sent,
            sample.delivered,
            sample.bytes,
            sample.contacts,
            sample.dead_contacts,
        )?;
    }
    Ok(())
}

/// A row for each node.
pub fn nodes_csv(findings: &Findings, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "node,address,part,is_behind_nat,is_online,sent,received,contacts,peers"
    )?;
    for node in &findings.nodes {
        writeln!(
            out,
            "{},{},{},{},{},{},{},{},{}",
            node.node,
            node.address,
            node.part,
            node.is_behind_nat,
            node.is_online,
            node.sent,
            node.received,
            node.contacts,
            node.peers,
        )?;
    }
    Ok(())
}

/// To the microsecond.
fn seconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

fn milliseconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_millis(), time.subsec_micros() % 1_000)
}

/// Empty if there is nothing.
pub(super) struct Cell<T>(pub(super) Option<T>);

impl<T: fmt::Display> fmt::Display for Cell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |value| value.fmt(f))
    }
}

/// Text that may hold anything, as one cell: RFC 4180, section 2.
pub(super) fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    type Csv = fn(&Findings, &mut Vec<u8>) -> io::Result<()>;

    fn written(csv: Csv, findings: &Findings) -> Vec<Vec<String>> {
        let mut out = Vec::new();
        csv(findings, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let cells = |line: &str| line.split(',').map(str::to_owned).collect();
        text.lines().map(cells).collect()
    }

    #[test]
    fn a_row_for_each_thing_and_a_cell_for_each_column() {
        let findings = example::findings();
        for (csv, rows) in [
            (lookups_csv as Csv, findings.lookups.len()),
            (timeseries_csv, findings.samples.len()),
            (nodes_csv, findings.nodes.len()),
        ] {
            let table = written(csv, &findings);
            assert_eq!(table.len(), rows + 1);
            assert!(table.iter().all(|row| row.len() == table[0].len()));
        }
    }

    #[test]
    fn times_have_the_unit_that_their_column_names() {
        let table = written(lookups_csv, &example::by_hand());
        let column = |name: &str| table[0].iter().position(|head| head == name).unwrap();
        assert_eq!(table[1][column("at_s")], "601.500000");
        assert_eq!(table[1][column("first_peers_ms")], "120.000");
        assert_eq!(table[1][column("elapsed_ms")], "480.250");
        assert_eq!(table[1][column("success")], "yes");
        assert_eq!(table[3][column("first_peers_ms")], "");
    }

    #[test]
    fn cells_hold_anything() {
        assert_eq!(quoted("1 MB/s"), "1 MB/s");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
