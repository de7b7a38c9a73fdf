use crate::Error;

/// A place in some bytes, moved on token by token. After an error the place is of no meaning.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    input: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The next byte, which stays where it is.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.input.get(self.position).copied()
    }

    /// The bytes from `position` to the end.
    pub(crate) fn from(&self, position: usize) -> &'a [u8] {
        self.input.get(position..).unwrap_or_default()
    }

    /// Steps over the byte that [`Self::peek`] has shown.
    pub(crate) fn advance(&mut self) {
        self.position = self.position.saturating_add(1).min(self.input.len());
    }

    /// Reads a string, standing at its length: `4:spam`.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Error> {
        let offset = self.position;
        let mut length = 0_usize;
        while let Some(digit) = self.digit() {
            length = length.saturating_mul(10).saturating_add(digit.into());
        }
        match self.peek() {
            Some(b':') if self.position > offset => self.advance(),
            Some(_) => return Err(Error::InvalidLength { offset }),
            None => return Err(self.unexpected_end()),
        }
        let Some((string, _)) = self.from(self.position).split_at_checked(length) else {
            return Err(Error::StringPastEnd {
                offset,
                end: self.input.len(),
            });
        };
        self.position += string.len();
        Ok(string)
    }

    /// Reads an integer, standing at its `i`: `i-3e`.
    pub(crate) fn integer(&mut self) -> Result<i64, Error> {
        let offset = self.position;
        self.advance();
        let negative = self.peek() == Some(b'-');
        if negative {
            self.advance();
        }
        let digits = self.position;
        let mut magnitude = Some(0_u64);
        while let Some(digit) = self.digit() {
            magnitude =
                magnitude.and_then(|value| value.checked_mul(10)?.checked_add(digit.into()));
        }
        match self.peek() {
            Some(b'e') if self.position > digits => self.advance(),
            Some(_) => return Err(Error::InvalidInteger { offset }),
            None => return Err(self.unexpected_end()),
        }
        magnitude
            .and_then(|value| {
                if negative {
                    0_i64.checked_sub_unsigned(value)
                } else {
                    i64::try_from(value).ok()
                }
            })
            .ok_or(Error::IntegerOverflow { offset })
    }

    /// Steps over one value of bytes that were decoded before; `None` if they were not.
    pub(crate) fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'l' | b'd' => {
                    self.advance();
                    depth += 1;
                }
                b'e' => {
                    self.advance();
                    depth = depth.checked_sub(1)?;
                }
                b'i' => {
                    self.integer().ok()?;
                }
                _ => {
                    self.string().ok()?;
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    pub(crate) fn unexpected_end(&self) -> Error {
        Error::UnexpectedEnd {
            offset: self.input.len(),
        }
    }

    fn digit(&mut self) -> Option<u8> {
        let digit = self.peek()?.wrapping_sub(b'0');
        (digit <= 9).then(|| {
            self.position += 1;
            digit
        })
    }
}
