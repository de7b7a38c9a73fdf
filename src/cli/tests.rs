//! The arguments as a user types them, and the numbers a script gets back.

use std::time::Duration;

use clap::{CommandFactory, Parser};
use trackless::Error;

use super::Cli;
use super::exit_code::ExitCode;
use super::failure::Failure;

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

fn parse(line: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([&["trackless"], line].concat())
}

/// The commands, and those below them.
fn commands(root: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    root.get_subcommands()
        .flat_map(|command| std::iter::once(command).chain(command.get_subcommands()))
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

/// Flags that say what one call of a command is about: a variable for one command would change, or forbid, what is given to another.
const NAMES_THE_SUBJECT: [&str; 10] = [
    "batch",
    "bencoded",
    "cas",
    "file",
    "key",
    "public-key",
    "salt",
    "save",
    "select",
    "seq",
];

/// There is a `get` and an `item get`.
fn is_download(command: &clap::Command) -> bool {
    let mut arguments = command.get_arguments();
    arguments.any(|argument| argument.get_long() == Some("keep-seeding"))
}

#[test]
fn every_flag_but_those_that_name_the_subject_can_be_set_from_the_environment_by_its_name() {
    let mut root = Cli::command();
    root.build();
    for command in commands(&root).chain([&root]) {
        for argument in command
            .get_arguments()
            .filter(|argument| !argument.is_positional())
        {
            let Some(long) = argument
                .get_long()
                .filter(|long| !["help", "version"].contains(long))
            else {
                continue;
            };
            let expected = match (command.get_name(), long) {
                // `get` has an output too, and it is a directory.
                ("create" | "edit", "output") => "TRACKLESS_TORRENT_FILE".to_owned(),
                ("shrink", "output") => "TRACKLESS_SHRUNK".to_owned(),
                // `create` has a node too, and it is an address.
                ("replay", "node") => "TRACKLESS_REPLAY_NODE".to_owned(),
                // There it is the time in which nothing moves, elsewhere the time for an answer.
                ("get", "timeout") if is_download(command) => "TRACKLESS_GET_TIMEOUT".to_owned(),
                // Elsewhere it is one, not several.
                ("verify", "threads") => "TRACKLESS_VERIFY_THREADS".to_owned(),
                ("verify", "codec") => "TRACKLESS_VERIFY_CODEC".to_owned(),
                _ => format!("TRACKLESS_{}", long.replace('-', "_").to_uppercase()),
            };
            // `simulate` has a list too, and it is about nothing in particular.
            let is_subject =
                NAMES_THE_SUBJECT.contains(&long) || long == "list" && is_download(command);
            if is_subject {
                assert_eq!(argument.get_env(), None, "--{long}");
                continue;
            }
            let variable = argument
                .get_env()
                .map(|name| name.to_string_lossy().into_owned());
            assert_eq!(
                variable,
                Some(expected),
                "--{long} of {}",
                command.get_name()
            );
        }
    }
}

#[test]
fn a_variable_has_one_meaning_in_every_command() {
    let mut root = Cli::command();
    root.build();
    let mut meanings = std::collections::BTreeMap::new();
    for argument in commands(&root).flat_map(clap::Command::get_arguments) {
        let Some(variable) = argument.get_env() else {
            continue;
        };
        let meaning = argument.get_value_names();
        let first = meanings.entry(variable).or_insert(meaning);
        assert_eq!(*first, meaning, "{}", variable.display());
    }
}

#[test]
fn a_wrong_timeout_gets_a_sentence_of_ours() {
    for command in ["get", "lookup"] {
        for wrong in ["-1", "soon"] {
            let refusal = parse(&[command, HASH, "--timeout", wrong]).unwrap_err();
            let sentence = super::refusal_sentence(&refusal);
            assert!(sentence.ends_with("0 to wait for ever"), "{sentence}");
        }
    }
}

#[test]
fn the_sentence_of_a_refusal_is_one_whole_line() {
    let sentence = super::refusal_sentence(&parse(&["get"]).unwrap_err());
    assert!(
        sentence.ends_with("<INFOHASH|MAGNET|FILE.torrent>"),
        "{sentence}"
    );
}

#[test]
fn every_command_explains_itself_with_examples() {
    for command in Cli::command().get_subcommands_mut() {
        let help = command.render_long_help().to_string();
        assert!(help.contains("Examples:\n"), "{help}");
        assert!(help.len() > 400, "{help}");
    }
}

#[test]
fn flags_stand_before_or_after_the_command() {
    for line in [
        ["--json", "get", HASH],
        ["get", "--json", HASH],
        ["get", HASH, "--json"],
    ] {
        assert!(parse(&line).unwrap().common.json, "{line:?}");
    }
    assert_eq!(parse(&["get", HASH, "-vv"]).unwrap().common.verbose, 2);
}

#[test]
fn wrong_arguments_are_refused() {
    for line in [
        &["get"][..],
        &["get", HASH, "--bootstrap", "localhost"],
        &["get", HASH, "--peer", "127.0.0.1:0"],
        &["get", HASH, "--listen", "somewhere"],
        &["get", HASH, "--timeout", "soon"],
        &["demo", "--nodes", "0"],
        &["create", ".", "--piece-length", "100K"],
        &["seed"],
        &["completions", "tcl"],
        &["fetch", HASH],
    ] {
        let refusal = parse(line)
            .err()
            .unwrap_or_else(|| panic!("{line:?} was taken"));
        assert_eq!(refusal.exit_code(), ExitCode::Usage as i32, "{line:?}");
    }
}

#[test]
fn each_error_has_the_number_that_scripts_rely_on() {
    let info_hash = [1; 20].into();
    let after = Duration::from_secs(1);
    let refused = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let number = |error: Error| ExitCode::from(&Failure::from(error)) as u8;
    assert_eq!(
        number(Error::Bind {
            address: ([127, 0, 0, 1], 1).into(),
            source: refused()
        }),
        1
    );
    assert_eq!(number(Error::NoPeers { info_hash, after }), 3);
    assert_eq!(
        number(Error::NoMetadata {
            info_hash,
            connected: 1,
            known: 1,
            after
        }),
        4
    );
    assert_eq!(
        number(Error::NoNodeAnswered {
            asked: String::new(),
            after
        }),
        5
    );
    assert_eq!(number(Error::NobodyToAsk { info_hash }), 5);
    assert_eq!(
        number(Error::Resolve {
            host: String::new(),
            source: refused()
        }),
        5
    );
    assert_eq!(
        number(Error::State {
            path: "/".into(),
            source: refused()
        }),
        6
    );
    assert_eq!(
        number(Error::Stalled {
            name: String::new(),
            done: 1,
            total: 2,
            after
        }),
        7
    );
    assert_eq!(
        number(Error::Incomplete {
            path: "/".into(),
            directory: None,
            have: 1,
            pieces: 2
        }),
        7
    );
    assert_eq!(ExitCode::from(&Failure::Interrupted("")) as u8, 130);

    let missing = Failure::Read {
        path: "/".into(),
        source: std::io::ErrorKind::NotFound.into(),
    };
    assert_eq!(ExitCode::from(&missing) as u8, 2);
    assert_eq!(
        ExitCode::from(&Failure::Read {
            path: "/".into(),
            source: refused()
        }) as u8,
        6
    );
}
