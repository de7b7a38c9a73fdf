//! `trackless item get`: find a value.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use dht::{Id, Item, ItemValue, PublicKey};
use trackless::{ItemEvent, Node};

use super::super::entrance::EntranceArguments;
use super::super::failure::Failure;
use super::super::output::{Output, printable};
use super::super::report::Report;
use super::super::units;
use super::super::whole_file;
use super::{public_key, salt};

/// Find a value in the DHT and check that it is genuine.
///
/// Prints it. Of a value that changes, the newest version that any of the nodes near its target has.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit code 3: nobody has it. 5: no DHT node answered.")]
pub(crate) struct Arguments {
    /// What `item put` printed: 40 hexadecimal digits.
    #[arg(value_name = "TARGET", required_unless_present = "public_key")]
    target: Option<Id>,
    /// The value of this key: 64 hexadecimal digits.
    #[arg(long, value_name = "KEY", conflicts_with = "target")]
    public_key: Option<PublicKey>,
    /// Which of the values of that key; a TARGET of a value with a salt needs it too.
    #[arg(long, value_name = "TEXT")]
    salt: Option<String>,
    /// Write the value to this file, over what is there.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    entrance: EntranceArguments,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let question = async |node: &Node| search(node, arguments, output).await;
    let item = arguments.entrance.ask(output, question).await?;
    if let Some(path) = &arguments.save {
        return whole_file::replace(path, content(item.value()));
    }
    output.result(readable(item.value()));
    Ok(())
}

async fn search(node: &Node, arguments: &Arguments, output: &Output) -> Result<Item, Failure> {
    let salt = salt(arguments.salt.as_deref())?;
    let named = arguments.public_key.map(|key| key.target(&salt));
    let Some(target) = arguments.target.or(named) else {
        return Err(Failure::Usage("name a TARGET or a --public-key".to_owned()));
    };
    let start = Instant::now();
    let mut search = node.get_item(target, &salt);
    let mut best = None;
    while let Some(event) = search.next().await {
        match event {
            ItemEvent::Found { item, from } => {
                output.event(&Report::Item {
                    target: target.to_string(),
                    public_key: public_key(&item),
                    seq: item.seq(),
                    text: item
                        .value()
                        .as_bytes()
                        .and_then(|bytes| str::from_utf8(bytes).ok()),
                    bencoded: hex::encode(item.value().as_bencode()),
                    from,
                    seconds: start.elapsed().as_secs_f64(),
                });
                best = Some(item);
            }
            ItemEvent::Ended {
                copies,
                queried,
                responded,
                elapsed,
            } => {
                output.event(&Report::ItemSearchEnded {
                    copies,
                    queried,
                    responded,
                    seconds: elapsed.as_secs_f64(),
                });
                let item = best.ok_or_else(|| match responded {
                    0 => trackless::Error::Unanswered { after: elapsed }.into(),
                    _ => Failure::NobodyHasItem { target, responded },
                })?;
                output.note(note(&item, copies, elapsed));
                return Ok(item);
            }
            _ => {}
        }
    }
    Err(trackless::Error::ShutDown.into())
}

fn note(item: &Item, copies: usize, elapsed: Duration) -> String {
    let found = match item.seq() {
        Some(seq) => format!("version {seq}, held by {}", units::count(copies, "node")),
        None => "found".to_owned(),
    };
    format!("{found}, in {}", units::time(elapsed))
}

/// The bytes of a string; the bencoded form of anything else.
fn content(value: &ItemValue) -> &[u8] {
    value.as_bytes().unwrap_or(value.as_bencode())
}

/// A value for the eyes: what is no text is escaped.
fn readable(value: &ItemValue) -> String {
    let bytes = content(value);
    match str::from_utf8(bytes) {
        Ok(text) => text
            .split('\n')
            .map(printable)
            .collect::<Vec<_>>()
            .join("\n"),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_drive_the_terminal() {
        let shown = |bytes: &[u8]| readable(&ItemValue::from_bytes(bytes).unwrap());
        assert_eq!(shown("Äpfel\nBirnen".as_bytes()), "Äpfel\nBirnen");
        assert_eq!(shown(b"a\x1b[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(shown(b"\xff\x00"), "\\xff\\x00");
        let list = ItemValue::from_bencode(b"li1e2:\x1b[e").unwrap();
        assert_eq!(readable(&list), "li1e2:\u{fffd}[e");
    }
}
