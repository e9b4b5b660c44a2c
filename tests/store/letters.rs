//! Which dead letters were made since somebody last asked.

use syncline::engine::ports::{DeadLetter, Store};
use syncline::store::{LettersMark, OpenMode, SqliteStore};
use syncline::time::Instant;

fn letter(key: &str, at: i64) -> DeadLetter {
    DeadLetter {
        id: 0,
        system: "crm".into(),
        entity: "contact".into(),
        key: key.into(),
        scenario: "nightly".into(),
        payload: "{}".into(),
        error: "no".into(),
        attempts: 1,
        first_at: Instant(at),
        last_at: Instant(at),
    }
}

/// What was made since a mark, which moves on: number and as which of those made again.
fn made(store: &mut SqliteStore, mark: &mut LettersMark) -> Vec<(i64, i64)> {
    let mut shown = Vec::new();
    let asked = store.letters_since(*mark, |letter| shown.push((letter.id, letter.again)));
    *mark = asked.unwrap();
    shown
}

#[test]
fn each_letter_is_shown_once_each_time_that_it_was_made_whatever_the_clock_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.db");
    let mut store = SqliteStore::open(&file, OpenMode::Run).unwrap();
    // Another connection, as of those who tell of letters.
    let mut other = SqliteStore::open(&file, OpenMode::Operate).unwrap();
    let mut mark = LettersMark::default();
    assert_eq!(made(&mut other, &mut mark), []);

    // The clock is far ahead, then it is set back, then it stands.
    let a = store.put_dead_letter(&letter("a", 9_000_000)).unwrap();
    assert_eq!(made(&mut other, &mut mark), [(a, 0)]);
    let b = store.put_dead_letter(&letter("b", 1_000)).unwrap();
    assert_eq!(made(&mut other, &mut mark), [(b, 0)]);
    let c = store.put_dead_letter(&letter("c", 1_000)).unwrap();
    assert_eq!(made(&mut other, &mut mark), [(c, 0)]);
    assert_eq!(made(&mut other, &mut mark), []);

    // The same once more, twice; and one that is new and made again before anybody asked.
    assert_eq!(store.put_dead_letter(&letter("b", 1_000)).unwrap(), b);
    assert_eq!(made(&mut other, &mut mark), [(b, 1)]);
    store.put_dead_letter(&letter("a", 900)).unwrap();
    store.put_dead_letter(&letter("b", 1_000)).unwrap();
    let d = store.put_dead_letter(&letter("d", 1_000)).unwrap();
    store.put_dead_letter(&letter("d", 1_000)).unwrap();
    assert_eq!(made(&mut other, &mut mark), [(d, 4), (a, 2), (b, 3)]);
    assert_eq!(made(&mut other, &mut mark), []);

    // What was cleared leaves nothing behind and takes nobody's place.
    store.clear_dead_letter("crm", "contact", "b").unwrap();
    store.clear_dead_letter("crm", "contact", "d").unwrap();
    let left = store.meta_with_prefix("letter:again:").unwrap();
    assert_eq!(left, [(format!("letter:again:{a}"), "2".to_owned())]);
    let e = store.put_dead_letter(&letter("d", 1_000)).unwrap();
    store.put_dead_letter(&letter("a", 900)).unwrap();
    assert_eq!(made(&mut other, &mut mark), [(e, 0), (a, 5)]);
}
