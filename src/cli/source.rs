//! What the user names a torrent by: an info-hash, a magnet link, or a file.

use std::path::Path;

use trackless::{Publisher, PublisherError, Source};
use wire::{InfoHash, Magnet, MagnetError, Metainfo};

use super::failure::Failure;
use super::user_file;

/// What `get` is to fetch.
pub(crate) enum Wanted {
    Torrent(Source),
    /// The newest torrent of somebody, whatever that is. BEP 46.
    Newest(Publisher),
}

/// Reads what was given to `get`: INFOHASH, MAGNET or FILE.torrent, or the magnet link of a publisher.
pub(crate) fn wanted(text: &str) -> Result<Wanted, Failure> {
    match text.parse() {
        Ok(publisher) => Ok(Wanted::Newest(publisher)),
        Err(PublisherError::NoKey) => parse(text).map(Wanted::Torrent),
        Err(error) => Err(Failure::Usage(error.to_string())),
    }
}

/// Reads what names one torrent: INFOHASH, MAGNET or FILE.torrent.
fn parse(text: &str) -> Result<Source, Failure> {
    if is_magnet(text) {
        return magnet(text).map(Source::Magnet);
    }
    match text.parse::<InfoHash>() {
        Ok(info_hash) => Ok(Source::InfoHash(info_hash)),
        Err(_) if looks_like_a_path(text) => {
            torrent_file(Path::new(text)).map(|metainfo| Source::Metainfo(Box::new(metainfo)))
        }
        Err(error) => Err(Failure::Usage(format!(
            "{text:?} is not an info-hash and not a file: {error}"
        ))),
    }
}

/// Reads what was given to `lookup`: INFOHASH, or a magnet link or a file for its info-hash.
pub(crate) fn info_hash(text: &str) -> Result<InfoHash, Failure> {
    let source = parse(text)?;
    match &source {
        Source::Metainfo(metainfo) if metainfo.info.is_private() => Err(Failure::Usage(format!(
            "{text} is marked private (BEP 27): it is never looked up or announced in the DHT"
        ))),
        source => Ok(source.info_hash()),
    }
}

/// Reads a line of a list: INFOHASH, or a magnet link for its info-hash.
pub(crate) fn listed(text: &str) -> Result<InfoHash, Failure> {
    if is_magnet(text) {
        return magnet(text).map(|magnet| magnet.info_hash);
    }
    text.parse()
        .map_err(|error| Failure::Usage(format!("{text:?} is not an info-hash: {error}")))
}

/// Whether the text means to be a magnet link.
fn is_magnet(text: &str) -> bool {
    text.get(.."magnet:".len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:"))
}

/// Reads the magnet link of a torrent.
fn magnet(text: &str) -> Result<Magnet, Failure> {
    text.parse().map_err(|error: MagnetError| {
        Failure::Usage(match text.parse::<Publisher>() {
            Ok(_) => "this link names a publisher and no torrent: `trackless get` fetches what he has published last".to_owned(),
            Err(_) => error.to_string(),
        })
    })
}

/// Whether a file is there that is called FILE.torrent.
pub(crate) fn is_called_torrent(path: &Path) -> bool {
    let extension = path.extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("torrent")) && path.is_file()
}

/// Reads a .torrent file.
pub(crate) fn torrent_file(path: &Path) -> Result<Metainfo, Failure> {
    if is_on_the_web(path) {
        return Err(Failure::Usage(format!(
            "{} is an address on the web, of which nothing is fetched: save the torrent file with a browser, and name that",
            path.display()
        )));
    }
    let content = user_file::read(path, "a torrent file")?;
    Metainfo::from_bytes(content).map_err(|source| Failure::Torrent {
        path: path.to_owned(),
        source,
    })
}

fn is_on_the_web(path: &Path) -> bool {
    let start = path.to_string_lossy().to_ascii_lowercase();
    let schemes = ["http://", "https://", "ftp://"];
    schemes.iter().any(|scheme| start.starts_with(scheme))
}

/// An info-hash with a typing error is told from the name of a file that is not there by what only names have.
fn looks_like_a_path(text: &str) -> bool {
    text.contains(['.', '/', '\\']) || Path::new(text).exists()
}

#[cfg(test)]
mod tests {
    use super::super::exit_code::ExitCode;
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef01234567";

    fn refused(text: &str) -> (ExitCode, String) {
        let failure = parse(text).expect_err(text);
        (ExitCode::from(&failure), failure.to_string())
    }

    #[test]
    fn an_info_hash_is_hex_or_base32_of_either_case() {
        for text in [HEX, &HEX.to_uppercase(), "AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH"] {
            let Ok(Source::InfoHash(info_hash)) = parse(text) else {
                panic!("{text}")
            };
            assert_eq!(info_hash.to_string(), HEX);
        }
    }

    #[test]
    fn a_wrong_info_hash_is_a_usage_error_that_says_what_is_wrong() {
        let (code, sentence) = refused(&HEX[1..]);
        assert_eq!(code, ExitCode::Usage);
        assert!(sentence.contains("has 39"), "{sentence}");
        let (code, sentence) = refused(&HEX.replace('a', "x"));
        assert_eq!(code, ExitCode::Usage);
        assert!(sentence.contains("'x'"), "{sentence}");
    }

    #[test]
    fn a_file_that_is_not_there_is_a_usage_error_naming_it() {
        let (code, sentence) = refused("./nowhere.torrent");
        assert_eq!(code, ExitCode::Usage);
        assert!(sentence.contains("nowhere.torrent"), "{sentence}");
    }

    #[test]
    fn a_magnet_link_is_known_by_its_scheme() {
        assert!(matches!(
            parse(&format!("magnet:?xt=urn:btih:{HEX}&dn=a")),
            Ok(Source::Magnet(_))
        ));
        assert!(matches!(
            parse(&format!("MAGNET:?xt=urn:btih:{HEX}")),
            Ok(Source::Magnet(_))
        ));
        assert_eq!(refused("magnet:?dn=nothing").0, ExitCode::Usage);
    }

    #[test]
    fn a_damaged_torrent_file_is_told_from_a_missing_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("damaged.torrent");
        std::fs::write(&path, "d4:infod").unwrap();
        let (code, sentence) = refused(path.to_str().unwrap());
        assert_eq!(code, ExitCode::Other);
        assert!(sentence.contains("damaged.torrent"), "{sentence}");
    }
}
