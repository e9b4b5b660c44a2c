//! Blocks: rows of a chunk that lie side by side, as bytes. One statement for a hundred rows costs
//! a tenth of one for each.
//!
//! A block is a sum over all that follows, then its rows. A row is its numbers at fixed places
//! (lengths of key, group and payload, system, order of reading, change time) and then its texts.
//! SQLite finds a page that is not its own; the sum finds the rest.

use crate::engine::ports::Staged;

/// Bytes before a row's texts.
const HEAD: usize = 30;
/// The length of a group that is the key.
const SAME: u32 = u32::MAX;
/// Bytes of the sum.
const SUM: usize = 8;

/// A block that is being filled.
#[derive(Debug)]
pub(super) struct Filling(Vec<u8>);

impl Filling {
    pub(super) fn new() -> Self {
        Filling(vec![0; SUM])
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, row: &Staged) {
        let out = &mut self.0;
        let same = row.group == row.key;
        // A row that is longer than 4 GiB is refused by SQLite long before.
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX - 1);
        let group = if same {
            SAME
        } else {
            length(row.group.as_bytes())
        };
        out.extend_from_slice(&length(row.key.as_bytes()).to_le_bytes());
        out.extend_from_slice(&group.to_le_bytes());
        out.extend_from_slice(&length(&row.payload).to_le_bytes());
        out.extend_from_slice(&row.system.to_le_bytes());
        out.extend_from_slice(&row.seq.to_le_bytes());
        out.extend_from_slice(&row.changed_at.to_le_bytes());
        out.extend_from_slice(row.key.as_bytes());
        if !same {
            out.extend_from_slice(row.group.as_bytes());
        }
        out.extend_from_slice(&row.payload);
    }

    /// The block's bytes; what comes after is a new block.
    pub(super) fn finish(&mut self) -> &[u8] {
        let (sum, rows) = self.0.split_at_mut(SUM);
        sum.copy_from_slice(&sum_of(rows).to_le_bytes());
        &self.0
    }

    pub(super) fn clear(&mut self) {
        self.0.truncate(SUM);
    }
}

/// A block that is being read.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    at: usize,
}

impl Block {
    /// A block from its bytes; none where they are not as they were written.
    pub(super) fn new(bytes: Vec<u8>) -> Option<Self> {
        let (sum, rows) = bytes.split_first_chunk::<SUM>()?;
        (u64::from_le_bytes(*sum) == sum_of(rows)).then_some(Block { bytes, at: SUM })
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Option<Staged> {
        let mut rest = self.bytes.get(self.at..)?;
        let head = rest.split_off(..HEAD)?;
        let (key_len, head) = head.split_first_chunk::<4>()?;
        let (group_len, head) = head.split_first_chunk::<4>()?;
        let (payload_len, head) = head.split_first_chunk::<4>()?;
        let (system, head) = head.split_first_chunk::<2>()?;
        let (seq, head) = head.split_first_chunk::<8>()?;
        let (changed_at, _) = head.split_first_chunk::<8>()?;
        let size = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) as usize;
        let key = std::str::from_utf8(rest.split_off(..size(key_len))?).ok()?;
        let group = match u32::from_le_bytes(*group_len) {
            SAME => key,
            _ => std::str::from_utf8(rest.split_off(..size(group_len))?).ok()?,
        };
        let payload = rest.split_off(..size(payload_len))?;
        let row = Staged {
            key: key.into(),
            seq: i64::from_le_bytes(*seq),
            system: u16::from_le_bytes(*system),
            group: group.into(),
            changed_at: i64::from_le_bytes(*changed_at),
            payload: payload.to_vec(),
        };
        self.at = self.bytes.len() - rest.len();
        Some(row)
    }
}

/// A sum that a changed byte changes.
fn sum_of(bytes: &[u8]) -> u64 {
    let mut sum = bytes.len() as u64;
    let mut add = |word: u64| {
        sum = (sum ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    };
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().for_each(|word| add(u64::from_le_bytes(*word)));
    rest.iter().for_each(|byte| add(u64::from(*byte)));
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_a_changed_byte_is_found() {
        let row = |key: &str, group: &str, payload: &[u8]| Staged {
            key: key.into(),
            seq: -3,
            system: 7,
            group: group.into(),
            changed_at: i64::MIN,
            payload: payload.to_vec(),
        };
        let rows = [
            row("é|1", "é|1", b""),
            row("", "g", &[0; 40]),
            row("k", "", &[1, 2, 3]),
        ];
        let mut filling = Filling::new();
        rows.iter().for_each(|row| filling.push(row));
        let bytes = filling.finish().to_vec();
        let mut block = Block::new(bytes.clone()).unwrap();
        let read: Vec<Staged> = std::iter::from_fn(|| block.next()).collect();
        assert_eq!(read, rows);
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 0x40;
            assert!(Block::new(spoilt).is_none(), "byte {at}");
        }
        assert!(Block::new(bytes[..bytes.len() - 1].to_vec()).is_none());
    }
}
