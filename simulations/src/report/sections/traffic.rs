//! What is said, and what of it arrives.

use super::super::bars::{Bar, Bars};
use super::super::section::{Exhibit, Section};
use super::super::table::Table;
use super::super::text::{Quantity, grouped};
use crate::{Findings, MessageCount};

pub(in super::super) fn messages(findings: &Findings) -> Section {
    const TITLE: &str = "What is said";
    let mut types: Vec<(&str, MessageCount)> = findings
        .messages
        .iter()
        .map(|(&name, &count)| (name, count))
        .filter(|(_, count)| count.messages > 0)
        .collect();
    types.sort_by_key(|&(_, count)| std::cmp::Reverse(count.messages));
    let all = MessageCount {
        messages: types.iter().map(|(_, count)| count.messages).sum(),
        bytes: types.iter().map(|(_, count)| count.bytes).sum(),
    };
    if all.messages == 0 {
        return Section::empty(TITLE, "No message was sent.");
    }
    let says = format!(
        "{} messages were sent, {} in all and {} each, headers of IP and UDP not counted.",
        grouped(all.messages as f64),
        Quantity::Bytes.exact(all.bytes as f64),
        Quantity::Bytes.exact(all.bytes as f64 / all.messages as f64)
    );
    let mut table = Table::new(["type", "messages", "share", "bytes", "share", "bytes each"]);
    let share = |part: u64, all: u64| Quantity::Share.exact(part as f64 / all.max(1) as f64);
    for (name, count) in &types {
        table.row([
            (*name).to_owned(),
            grouped(count.messages as f64),
            share(count.messages, all.messages),
            Quantity::Bytes.exact(count.bytes as f64),
            share(count.bytes, all.bytes),
            Quantity::Number.exact(count.bytes as f64 / count.messages as f64),
        ]);
    }
    let bars = |of: fn(&MessageCount) -> u64, all: u64, quantity: Quantity| {
        let bars = types.iter().map(|(name, count)| Bar {
            name: (*name).to_owned(),
            value: of(count) as f64,
            says: format!(
                "{} · {}",
                quantity.short(of(count) as f64),
                share(of(count), all)
            ),
        });
        Bars::new(bars.collect())
    };
    let messages = bars(|count| count.messages, all.messages, Quantity::Count);
    let mut bytes = bars(|count| count.bytes, all.bytes, Quantity::Bytes);
    bytes.colour = 1;
    Section::shown(
        TITLE,
        says,
        vec![
            Exhibit {
                name: "messages",
                title: "Messages by type".to_owned(),
                drawing: Some(messages.draw("Messages sent, by type.")),
                table: table.clone(),
            },
            Exhibit {
                name: "bytes",
                title: "Bytes by type".to_owned(),
                drawing: Some(bytes.draw("Bytes sent, by type of message.")),
                table,
            },
        ],
    )
}

pub(in super::super) fn drops(findings: &Findings) -> Section {
    const TITLE: &str = "What does not arrive";
    let packets = findings.traffic.packets();
    if packets == 0 {
        return Section::empty(TITLE, "No packet was sent.");
    }
    let share = |count: u64| count as f64 / packets as f64;
    let mut drops = findings.traffic.drops();
    drops.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let dropped: u64 = drops.iter().map(|&(_, count)| count).sum();
    let says = format!(
        "Of {} packets, copies included, {} arrived and {} were dropped.",
        grouped(packets as f64),
        Quantity::Share.exact(share(findings.traffic.delivered)),
        Quantity::Share.exact(share(dropped))
    );
    let mut table = Table::new(["what became of them", "packets", "share"]);
    let others = [
        ("arrived", findings.traffic.delivered),
        ("still on their way", findings.traffic.in_flight),
    ];
    for (cause, count) in drops.into_iter().chain(others) {
        table.row([
            cause.to_owned(),
            grouped(count as f64),
            Quantity::Share.exact(share(count)),
        ]);
    }
    let bars = drops.into_iter().filter(|&(_, count)| count > 0);
    let bars: Vec<Bar> = bars
        .map(|(cause, count)| Bar {
            name: cause.to_owned(),
            value: count as f64,
            says: format!(
                "{} · {}",
                Quantity::Count.short(count as f64),
                Quantity::Share.exact(share(count))
            ),
        })
        .collect();
    let drawing = (!bars.is_empty()).then(|| Bars::new(bars).draw("Packets dropped, by cause."));
    Section::shown(
        TITLE,
        says,
        vec![Exhibit {
            name: "drops",
            title: "Packets dropped, by cause".to_owned(),
            drawing,
            table,
        }],
    )
}
