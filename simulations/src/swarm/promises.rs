use std::collections::VecDeque;

use wire::{Block, Config, Message};

/// What one end of a connection was told by the other, and what it asked for: the ground for judging what it sends.
#[derive(Default)]
pub(super) struct Promises {
    is_unchoked: bool,
    /// Pieces that it may ask for though choked. BEP 6.
    allowed: Vec<u32>,
    /// Requests that were not answered, in their order.
    asked: VecDeque<Request>,
    /// How many of them it has not taken back.
    outstanding: u32,
}

struct Request {
    block: Block,
    is_taken_back: bool,
}

/// An invariant of a swarm that does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) invariant: &'static str,
    pub(super) what: String,
}

impl Broken {
    pub(super) fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { invariant, what }
    }
}

impl Promises {
    /// This end sends a message.
    pub(super) fn sends(&mut self, message: Message<'_>, config: &Config) -> Result<(), Broken> {
        match message {
            Message::Request(block) => {
                if !self.is_unchoked && !self.allowed.contains(&block.piece) {
                    return Err(Broken::new(
                        "no request while choked",
                        format!("it requests {block:?}, is choked, and that is not allowed fast"),
                    ));
                }
                self.asked.push_back(Request {
                    block,
                    is_taken_back: false,
                });
                self.outstanding += 1;
                if self.outstanding > config.max_outstanding {
                    return Err(Broken::new(
                        "requests in flight are bounded",
                        format!("it has {} in flight to one peer", self.outstanding),
                    ));
                }
            }
            Message::Cancel(block) => {
                let mut wanted = self.asked.iter_mut().filter(|asked| !asked.is_taken_back);
                if let Some(asked) = wanted.find(|asked| asked.block == block) {
                    asked.is_taken_back = true;
                    self.outstanding -= 1;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A message reaches this end.
    pub(super) fn hears(&mut self, message: Message<'_>) -> Result<(), Broken> {
        match message {
            Message::Choke => self.is_unchoked = false,
            Message::Unchoke => self.is_unchoked = true,
            Message::AllowedFast(piece) => self.allowed.push(piece),
            Message::Reject(block) => return self.answered(block),
            _ => {}
        }
        Ok(())
    }

    /// A block or a reject reaches this end. BEP 6: each request has one answer.
    pub(super) fn answered(&mut self, block: Block) -> Result<(), Broken> {
        let index = self.asked.iter().position(|asked| asked.block == block);
        let Some(asked) = index.and_then(|index| self.asked.remove(index)) else {
            return Err(Broken::new(
                "every answer has its request",
                format!("{block:?} is answered and was not asked for"),
            ));
        };
        self.outstanding -= u32::from(!asked.is_taken_back);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Block = Block {
        piece: 7,
        offset: 0,
        length: 16_384,
    };

    fn invariant(result: Result<(), Broken>) -> &'static str {
        result.expect_err("it is broken").invariant
    }

    #[test]
    fn a_choked_peer_requests_what_is_allowed_fast_and_nothing_else() {
        let config = Config::default();
        let mut promises = Promises::default();
        let request = Message::Request(BLOCK);
        assert_eq!(
            invariant(promises.sends(request, &config)),
            "no request while choked"
        );
        promises.hears(Message::AllowedFast(7)).unwrap();
        promises.sends(request, &config).unwrap();
        promises.hears(Message::Unchoke).unwrap();
        let other = Message::Request(Block { piece: 8, ..BLOCK });
        promises.sends(other, &config).unwrap();
        promises.hears(Message::Choke).unwrap();
        assert!(promises.sends(other, &config).is_err());
    }

    #[test]
    fn a_request_has_one_answer_though_it_was_taken_back() {
        let config = Config::default();
        let mut promises = Promises::default();
        promises.hears(Message::Unchoke).unwrap();
        promises.sends(Message::Request(BLOCK), &config).unwrap();
        promises.sends(Message::Cancel(BLOCK), &config).unwrap();
        promises.answered(BLOCK).unwrap();
        let again = promises.hears(Message::Reject(BLOCK));
        assert_eq!(invariant(again), "every answer has its request");
    }

    #[test]
    fn requests_that_were_taken_back_make_room_for_others() {
        let config = Config {
            max_outstanding: 1,
            ..Config::default()
        };
        let mut promises = Promises::default();
        promises.hears(Message::Unchoke).unwrap();
        promises.sends(Message::Request(BLOCK), &config).unwrap();
        promises.sends(Message::Cancel(BLOCK), &config).unwrap();
        promises.sends(Message::Request(BLOCK), &config).unwrap();
        let third = promises.sends(Message::Request(BLOCK), &config);
        assert_eq!(invariant(third), "requests in flight are bounded");
    }
}
