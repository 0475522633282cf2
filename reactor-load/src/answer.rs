//! Answers that are known in advance.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::record::Failure;

/// As much of an answer as is read at once.
const LONGEST_PIECE: usize = 64 * 1024;

/// Room for a piece of an answer of `size` bytes.
pub fn room(size: usize) -> Vec<u8> {
    vec![0; size.clamp(1, LONGEST_PIECE)]
}

/// Reads what has to be `expected`. A byte that differs is seen at once, even if the rest never comes.
///
/// # Errors
///
/// If it is something else, or ends before it is whole.
pub async fn expect(
    reader: &mut (impl AsyncRead + Unpin),
    mut expected: &[u8],
    room: &mut [u8],
) -> Result<(), Failure> {
    while !expected.is_empty() {
        let most = expected.len().min(room.len());
        let piece = room.get_mut(..most).unwrap_or_default();
        let length = reader.read(piece).await?;
        let piece = piece.get(..length).unwrap_or_default();
        if piece.is_empty() {
            return Err(Failure::ClosedEarly);
        }
        expected = expected.strip_prefix(piece).ok_or(Failure::WrongBytes)?;
    }
    Ok(())
}
