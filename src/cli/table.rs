//! `trackless table`: whom a node knows after it has entered the network.

use std::fmt::Display;
use std::time::Duration;

use clap::Args;
use dht::{BucketView, ContactView};
use trackless::{Node, TableView};

use super::entrance::EntranceArguments;
use super::failure::Failure;
use super::output::{Output, field};
use super::report::{self, Report};
use super::style::{ACCENT, BAD, FAINT, GOOD, paint};
use super::units;

/// Contacts in one line of the picture.
const WIDTH: usize = 32;
/// What was heard of within this time is fresh.
const FRESH: Duration = Duration::from_secs(60);
/// And within this it is good. BEP 5, "Routing Table": 15 minutes.
const GOOD_FOR: Duration = Duration::from_secs(15 * 60);

/// Enter the network and show the routing table.
///
/// One row a bucket: the contacts whose ids share so many leading bits with ours. A sign is a contact, a dot a place that is free. With a
/// state directory the nodes of the last run are asked too. Waits until our own neighbourhood was found, no longer than --timeout.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless table
  trackless table --bootstrap 127.0.0.1:7001 --listen 127.0.0.1:0
  trackless table --json | jq 'select(.event == \"bucket\") | .contacts | length'

Exit code 5: no DHT node answered.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    entrance: EntranceArguments,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let question = async |node: &Node| show(node, output).await;
    arguments.entrance.ask(output, question).await
}

async fn show(node: &Node, output: &Output) -> Result<(), Failure> {
    node.settled(node.patience().unwrap_or(Duration::MAX)).await;
    let tables = node.routing_table().await?;
    let mut id = None;
    for table in &tables {
        if id.replace(table.id) != Some(table.id) {
            output.result(field("node id", hex::encode(table.id)));
        }
        for line in picture(table) {
            output.result(line);
        }
        for bucket in &table.buckets {
            output.event(&bucket_event(table, bucket));
        }
    }
    if tables.iter().any(|table| contacts(table).next().is_some()) {
        output.note(legend());
    }
    let count = |is_ipv6| {
        let tables = tables.iter().filter(move |table| table.is_ipv6 == is_ipv6);
        tables.flat_map(contacts).count()
    };
    let all = tables.iter().flat_map(contacts);
    output.event(&Report::Table {
        node_id: hex::encode(node.id()),
        nodes_v4: count(false),
        nodes_v6: count(true),
        failing: all.filter(|contact| contact.failures > 0).count(),
    });
    Ok(())
}

fn contacts(table: &TableView) -> impl Iterator<Item = &ContactView> {
    table.buckets.iter().flat_map(|bucket| &bucket.contacts)
}

fn bucket_event(table: &TableView, bucket: &BucketView) -> Report<'static> {
    let contacts = bucket.contacts.iter().map(|contact| report::Contact {
        node: contact.node.address,
        node_id: contact.node.id.to_string(),
        silent_for: contact.silent_for.as_secs_f64(),
        failures: contact.failures,
    });
    Report::Bucket {
        family: if table.is_ipv6 { "ipv6" } else { "ipv4" },
        shared_bits: bucket.shared_bits,
        capacity: bucket.capacity,
        contacts: contacts.collect(),
    }
}

/// The table in lines: a headline, and a row or more for each bucket.
fn picture(table: &TableView) -> Vec<String> {
    let family = if table.is_ipv6 { "IPv6" } else { "IPv4" };
    let all = contacts(table).count();
    let mut lines = vec![format!(
        "{family}: {} in {}",
        units::count(all, "contact"),
        units::count(table.buckets.len(), "bucket")
    )];
    for bucket in &table.buckets {
        lines.extend(rows(bucket));
    }
    lines
}

fn rows(bucket: &BucketView) -> Vec<String> {
    let mut contacts: Vec<_> = bucket.contacts.iter().collect();
    contacts.sort_by_key(|contact| (contact.failures, contact.silent_for));
    let mut signs: Vec<_> = contacts.iter().map(|contact| sign(contact)).collect();
    let free = bucket.capacity.saturating_sub(signs.len());
    signs.extend(std::iter::repeat_n(paint(FAINT, "·").to_string(), free));
    let rows = signs.chunks(WIDTH).enumerate().map(|(place, row)| {
        let label = if place == 0 {
            let bits = if bucket.shared_bits == 1 {
                "bit "
            } else {
                "bits"
            };
            format!(
                "{:>3} {bits}  {:>3}/{:<3}",
                bucket.shared_bits,
                bucket.contacts.len(),
                bucket.capacity
            )
        } else {
            String::new()
        };
        let padding = " ".repeat(WIDTH.saturating_sub(row.len()));
        let more = if place == 0 {
            remarks(bucket)
        } else {
            String::new()
        };
        let row = format!("{label:<17}  {}{padding}  {more}", row.concat());
        row.trim_end().to_owned()
    });
    rows.collect()
}

/// A contact: how long ago it was heard of, and whether it failed since.
fn sign(contact: &ContactView) -> String {
    match contact {
        ContactView { failures: 1.., .. } => paint(BAD, "×").to_string(),
        contact if contact.silent_for < FRESH => paint(GOOD, "█").to_string(),
        contact if contact.silent_for < GOOD_FOR => paint(ACCENT, "▓").to_string(),
        _ => paint(FAINT, "░").to_string(),
    }
}

fn legend() -> impl Display {
    format!(
        "{} heard of within a minute  {} within 15 minutes  {} longer ago  {} did not answer last time  {} free",
        paint(GOOD, "█"),
        paint(ACCENT, "▓"),
        paint(FAINT, "░"),
        paint(BAD, "×"),
        paint(FAINT, "·")
    )
}

/// The oldest sign of life, and failures.
fn remarks(bucket: &BucketView) -> String {
    let oldest = bucket.contacts.iter().map(|contact| contact.silent_for);
    let failing = bucket
        .contacts
        .iter()
        .filter(|contact| contact.failures > 0);
    let oldest = oldest.max().map(|silence| match silence.as_secs() {
        0 => "all just now".to_owned(),
        _ => format!("oldest {}", units::time(silence)),
    });
    let failing = match failing.count() {
        0 => None,
        number => Some(format!("{number} failing")),
    };
    let remarks: Vec<_> = [oldest, failing].into_iter().flatten().collect();
    remarks.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(silent_for: u64, failures: u8) -> ContactView {
        ContactView {
            node: dht::NodeInfo {
                id: dht::Id::new([1; 20]),
                address: ([127, 0, 0, 1], 1).into(),
            },
            silent_for: Duration::from_secs(silent_for),
            failures,
        }
    }

    fn plain(bucket: &BucketView) -> Vec<String> {
        let rows = rows(bucket).into_iter();
        rows.map(|row| anstream::adapter::strip_str(&row).to_string())
            .collect()
    }

    #[test]
    fn a_bucket_shows_fill_age_and_failures() {
        let bucket = BucketView {
            shared_bits: 5,
            capacity: 8,
            contacts: vec![
                contact(1000, 0),
                contact(5, 1),
                contact(3, 0),
                contact(90, 0),
            ],
        };
        assert_eq!(
            plain(&bucket),
            ["  5 bits    4/8    █▓░×····                          oldest 16 min 40 s, 1 failing"]
        );
    }

    #[test]
    fn a_wide_bucket_takes_several_rows_of_the_same_length() {
        let bucket = BucketView {
            shared_bits: 0,
            capacity: 128,
            contacts: vec![contact(0, 0); 100],
        };
        let rows = plain(&bucket);
        assert_eq!(rows.len(), 4);
        let signs = |row: &String, sign| row.chars().filter(|&c| c == sign).count();
        assert_eq!(rows.iter().map(|row| signs(row, '█')).sum::<usize>(), 100);
        assert_eq!(rows.iter().map(|row| signs(row, '·')).sum::<usize>(), 28);
        let start = |row: &String| row.chars().position(|c| c == '█' || c == '·');
        assert!(rows.iter().all(|row| start(row) == start(&rows[0])));
        assert!(rows[0].ends_with("all just now"), "{}", rows[0]);
    }
}
