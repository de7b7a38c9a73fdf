// What uses instructions must become part of the function that may use them.
#![expect(clippy::inline_always)]

use std::array;

/// FIPS 180-4, 4.2.1.
const CONSTANTS: [u32; 4] = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6];

/// What a processor can do with vectors of words.
pub(super) struct Operations<Splat, Add, And, Xor, Rotate1, Rotate5, Rotate30> {
    pub(super) splat: Splat,
    pub(super) add: Add,
    pub(super) and: And,
    pub(super) xor: Xor,
    /// To the left, by as many bits.
    pub(super) rotate_1: Rotate1,
    pub(super) rotate_5: Rotate5,
    pub(super) rotate_30: Rotate30,
}

impl<V, Splat, Add, And, Xor, Rotate1, Rotate5, Rotate30>
    Operations<Splat, Add, And, Xor, Rotate1, Rotate5, Rotate30>
where
    V: Copy,
    Splat: Fn(u32) -> V,
    Add: Fn(V, V) -> V,
    And: Fn(V, V) -> V,
    Xor: Fn(V, V) -> V,
    Rotate1: Fn(V) -> V,
    Rotate5: Fn(V) -> V,
    Rotate30: Fn(V) -> V,
{
    /// Adds one block to the state of each lane. FIPS 180-4, 6.1.2. `message` has the words of the blocks, the first word of
    /// every lane first.
    #[inline(always)]
    pub(super) fn compress(&self, state: [V; 5], mut message: [V; 16]) -> [V; 5] {
        let mut working = state;
        // Written out, so that every index is a constant and every word stays in a register.
        macro_rules! rounds {
            ($($t:literal)*) => { $(self.round($t, &mut working, &mut message);)* };
        }
        rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
        rounds!(20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
        rounds!(40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
        rounds!(60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
        array::from_fn(|word| (self.add)(state[word], working[word]))
    }

    /// Round `t`. Instead of moving the working variables on, it takes each from where it stands by then.
    #[inline(always)]
    #[expect(clippy::many_single_char_names, reason = "they are the standard's")]
    fn round(&self, t: usize, working: &mut [V; 5], message: &mut [V; 16]) {
        let Self { add, and, xor, .. } = self;
        let parity = |x, y, z| xor(xor(x, y), z);
        if t >= 16 {
            let [w3, w8, w14] = [3, 8, 14].map(|ago| message[(t - ago) % 16]);
            message[t % 16] = (self.rotate_1)(xor(parity(w3, w8, w14), message[t % 16]));
        }
        let place = |variable: usize| (80 + variable - t) % 5;
        let [a, b, c, d, e] = array::from_fn(|variable| working[place(variable)]);
        let mixed = match t / 20 {
            // Ch and Maj with an operation less.
            0 => xor(d, and(b, xor(c, d))),
            2 => xor(b, and(xor(b, c), xor(b, d))),
            _ => parity(b, c, d),
        };
        let constant = (self.splat)(CONSTANTS[t / 20]);
        let known = add(add(e, message[t % 16]), constant);
        working[place(4)] = add(known, add(mixed, (self.rotate_5)(a)));
        working[place(1)] = (self.rotate_30)(b);
    }
}
