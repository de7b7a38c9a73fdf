//! `get --follow`: what a publisher publishes, version after version. BEP 46.

use tokio::time::sleep;
use trackless::{Following, GetOptions, Publication, Publisher};

use super::super::failure::Failure;
use super::super::interrupt::Interrupt;
use super::super::timeout::Timeout;
use super::super::units;
use super::{End, Fetching};

/// Fetches the newest torrent of a publisher, serves it until there is a newer one, and so on until Ctrl-C. A download that fails is tried again.
pub(super) async fn follow(
    fetching: &Fetching<'_>,
    publisher: Publisher,
    every: Timeout,
    options: GetOptions,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let (node, output) = (fetching.node, fetching.output);
    let Some(every) = every.limit() else {
        return Err(Failure::Usage(
            "--every wants seconds, more than 0".to_owned(),
        ));
    };
    let entered = node.bootstrapped(options.timeout.unwrap_or(std::time::Duration::MAX));
    interrupt.or(entered).await??;
    let mut following = node.follow(publisher, every);
    let again = units::time(every);
    output.note(format_args!(
        "looking for a newer version about every {again}, until Ctrl-C"
    ));
    let mut publication = interrupt.or(next(&mut following)).await??;
    loop {
        fetching.tell(publication.info_hash, Some(publication.seq));
        let source = publication.info_hash.into();
        let fetched = fetching.fetch(source, options.clone(), Some(&mut following), interrupt);
        publication = match fetched.await {
            Ok(End::Replaced(newer)) => newer,
            Ok(End::Finished) => return Ok(()),
            Err(failure @ Failure::Interrupted(_)) => return Err(failure),
            Err(failure) => {
                output.warning(failure.sentence());
                output.note(format_args!("trying again in {again}"));
                tokio::select! {
                    newer = next(&mut following) => newer?,
                    () = sleep(every) => publication,
                    signal = interrupt.received() => return signal.end_of_service(),
                }
            }
        };
    }
}

/// What is published next.
pub(super) async fn next(following: &mut Following) -> Result<Publication, Failure> {
    let published = following.next().await;
    published.ok_or(trackless::Error::ShutDown.into())
}
