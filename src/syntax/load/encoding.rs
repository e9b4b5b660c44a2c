//! Telling UTF-16 from UTF-8.

/// Bytes at the start of a file that tell whether it is UTF-16.
const TELLING_BYTES: usize = 512;

/// Whether bytes are UTF-16: by their byte-order mark, or because most letters at the start have
/// an empty byte on the same side.
pub(super) fn is_wide(bytes: &[u8]) -> bool {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let telling = bytes.get(..TELLING_BYTES).unwrap_or(bytes);
    let pairs = telling.chunks_exact(2);
    let half = pairs.len() / 2;
    let empty = |side: usize| {
        let other = 1 - side;
        let pairs = pairs.clone();
        let one_sided = pairs.filter(|p| p.get(side) == Some(&0) && p.get(other) != Some(&0));
        one_sided.count()
    };
    half > 0 && (empty(0) > half || empty(1) > half)
}
