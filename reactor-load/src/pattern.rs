//! The bytes that are sent: of each connection others, and at each place of its stream others, so that one answer is never taken
//! for another.

/// A prime, which is no multiple of a message's size.
const PERIOD: usize = 65_521;

/// Far from each other, for connections that follow each other.
const STEP: usize = 7_919;

/// As many bytes as one message needs at any place.
pub struct Pattern(Vec<u8>);

impl Pattern {
    pub fn new(longest: usize) -> Self {
        // xorshift: no pattern within the period, and the same on every machine.
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let period: Vec<u8> = (0..PERIOD)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        Self(
            period
                .iter()
                .copied()
                .cycle()
                .take(PERIOD + longest)
                .collect(),
        )
    }

    /// `length` bytes of the stream of a connection from `offset` on.
    pub fn at(&self, connection: u32, offset: u64, length: usize) -> &[u8] {
        let period = PERIOD as u64;
        let start = (u64::from(connection) * STEP as u64 + offset % period) % period;
        let start = usize::try_from(start).unwrap_or_default();
        self.0.get(start..start + length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_where_it_ended() {
        let pattern = Pattern::new(100);
        let whole: Vec<u8> = (0..2000)
            .flat_map(|part| pattern.at(3, part * 100, 100).to_vec())
            .collect();
        let mut offset = 0;
        for length in (1..100).cycle().take(3000) {
            let part = pattern.at(3, offset as u64, length);
            assert_eq!(part, &whole[offset..offset + length]);
            offset += length;
        }
    }

    #[test]
    fn connections_and_places_differ() {
        let pattern = Pattern::new(64);
        let first = pattern.at(0, 0, 64);
        assert_ne!(first, pattern.at(1, 0, 64));
        assert_ne!(first, pattern.at(0, 64, 64));
        assert_ne!(first, pattern.at(0, 1, 64));
    }
}
