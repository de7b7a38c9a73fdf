//! Bencode, the serialization of BEP 3: a borrowing decoder for bytes that nobody vouches for, and an encoder.
//!
//! [`decode`] checks the whole input in one pass, without recursion, without allocation and within [`MAX_DEPTH`];
//! what it returns is a view, and reading from it cannot fail halfway. Each [`Value`] knows the bytes that it came from
//! ([`Value::raw`]), so that an info-hash is taken over what was received and not over what was understood.
//!
//! Other clients are not always strict, so input that is readable but not canonical (unsorted keys, leading zeros) is
//! decoded, and the caller decides what to make of [`Document::defect`]. [`Encoder`] writes the canonical form only.
//!
//! ```
//! let document = bencode::decode(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe")?;
//! let message = document.root().as_dict().expect("the root is a dictionary");
//! assert_eq!(message.str(b"q"), Some("ping"));
//! assert_eq!(message.dict(b"a").and_then(|arguments| arguments.bytes(b"id")), Some(&b"abcdefghij0123456789"[..]));
//! assert!(document.is_canonical());
//!
//! let mut response = Vec::new();
//! bencode::Encoder::new(&mut response).dict(|message| {
//!     message.dict(b"r", |values| values.bytes(b"id", b"mnopqrstuvwxyz123456"));
//!     message.bytes(b"t", b"aa");
//!     message.bytes(b"y", b"r");
//! });
//! assert_eq!(response, b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re");
//! # Ok::<(), bencode::Error>(())
//! ```

mod cursor;
mod decode;
mod defect;
mod encode;
mod error;
mod value;

pub use decode::{Document, MAX_DEPTH, decode, decode_prefix};
pub use defect::Defect;
pub use encode::{DictEncoder, Encoder};
pub use error::Error;
pub use value::{Dict, DictIter, List, ListIter, Value};
