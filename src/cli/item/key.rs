//! `trackless item key`, and the files that keep keys.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use dht::SecretKey;

use super::super::failure::Failure;
use super::super::output::{Output, field};
use super::super::report::Report;
use super::super::user_file;
use super::super::whole_file;

/// A file that has more than so many bytes holds no key.
const LONGEST: usize = 1024;

/// Make a key for values that change, or show the public half of one.
///
/// The file is written if it is not there, for its owner's eyes only. Who has it can replace what the key has signed: keep it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file with the private half: 64 hexadecimal digits, or the 128 of a key that libtorrent made.
    #[arg(value_name = "KEYFILE")]
    path: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let path = &arguments.path;
    let (key, is_new) = match read(path) {
        Err(Failure::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            let seed = SecretKey::random_seed(&mut rand::rng());
            whole_file::write_secret(path, format!("{}\n", hex::encode(seed)).as_bytes())?;
            (SecretKey::from_seed(&seed), true)
        }
        known => (known?, false),
    };
    let public_key = key.public().to_string();
    output.result(field("key", &public_key));
    output.event(&Report::ItemKey {
        path,
        public_key,
        is_new,
    });
    Ok(())
}

/// Reads the file of a key.
pub(crate) fn read(path: &Path) -> Result<SecretKey, Failure> {
    let content = user_file::read_short(path, "the file of a key", LONGEST)?;
    let digits = content.trim_ascii();
    let mut seed = [0; SecretKey::SEED_LENGTH];
    let mut expanded = [0; SecretKey::EXPANDED_LENGTH];
    if hex::decode_to_slice(digits, &mut seed).is_ok() {
        Ok(SecretKey::from_seed(&seed))
    } else if hex::decode_to_slice(digits, &mut expanded).is_ok() {
        Ok(SecretKey::from_expanded(&expanded))
    } else {
        Err(Failure::NotAKey {
            path: path.to_owned(),
        })
    }
}
