//! The table against a map, and beside a writer.

use karyon_engram::{Column, MISSING, Table, Tag, tag};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

fn key(n: u32) -> Tag {
    tag(7, format!("node/{n}").as_bytes())
}

fn empty() -> Table {
    std::iter::empty().collect()
}

fn bytes(tags: &[Tag]) -> Vec<[u8; 16]> {
    tags.iter().map(|tag| tag.to_le_bytes()).collect()
}

/// Every row is found, one at a time and many at once, and nothing else is.
fn check(table: &Table, model: &HashMap<Tag, u32>) {
    let mut tags: Vec<Tag> = model.keys().copied().collect();
    tags.extend((0..1_000).map(|n| tag(8, format!("absent/{n}").as_bytes())));
    let found = table.find_many(&bytes(&tags));
    for (tag, found) in tags.iter().zip(found) {
        assert_eq!(table.find(*tag), model.get(tag).copied());
        assert_eq!(found, model.get(tag).copied().unwrap_or(MISSING));
    }
}

#[test]
fn what_was_inserted_is_found_and_nothing_else() {
    for rows in [0, 1, 2, 3, 4, 63, 64, 65, 1_000, 40_000] {
        let (table, mut model) = (empty(), HashMap::new());
        for n in 0..rows {
            table.insert(key(n), n);
            model.insert(key(n), n);
        }
        check(&table, &model);
        let built: Table = model.iter().map(|(tag, number)| (*tag, *number)).collect();
        check(&built, &model);
    }
}

#[test]
fn a_tag_can_stand_for_another_number() {
    let table: Table = (0..1_000).map(|n| (key(n), n)).collect();
    (1_000..1_100).for_each(|n| table.insert(key(n), n));
    for n in (0..1_100).step_by(7) {
        table.insert(key(n), n + 5_000);
    }
    let model = (0..1_100).map(|n| (key(n), if n % 7 == 0 { n + 5_000 } else { n })).collect();
    check(&table, &model);
}

#[test]
fn tags_that_share_a_half_are_told_apart() {
    let halves = [0, 1, 2, 3, 4, 5, 6, 7];
    let low: Vec<Tag> = halves.iter().map(|high| Tag::from(*high as u64) << 96 | 5).collect();
    let high: Vec<Tag> = halves.iter().map(|low| 5 << 64 | Tag::from(*low as u64) << 40).collect();
    let (table, mut model) = (empty(), HashMap::new());
    for (number, tag) in (0..).zip(low.into_iter().chain(high)) {
        table.insert(tag, number);
        model.insert(tag, number);
        check(&table, &model);
    }
}

#[test]
fn a_look_reads_one_line_or_two() {
    let table: Table = (0..200_000).map(|n| (key(n), n)).collect();
    let lines: Vec<usize> = (0..200_000).map(|n| table.lines_read(key(n))).collect();
    assert_eq!(lines.iter().max(), Some(&2));
    let in_one = lines.iter().filter(|lines| **lines == 1).count();
    assert!(in_one > 180_000, "{in_one} of 200,000 are in one line");
    assert!(table.bytes() < 200_000 * 48, "{} bytes", table.bytes());
}

#[test]
fn nothing_false_is_accepted() {
    let table: Table = (0..100_000).map(|n| (key(n), n)).collect();
    let tags: Vec<Tag> = (0..10_000_000_u32).map(|n| tag(7, &n.to_le_bytes())).collect();
    let found = table.find_many(&bytes(&tags));
    assert_eq!(found.iter().filter(|found| **found != MISSING).count(), 0);
}

#[test]
fn readers_see_whole_rows_while_one_writes() {
    const ROWS: u32 = 60_000;
    let (table, written) = (Arc::new(empty()), Arc::new(AtomicU32::new(0)));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (table, written) = (table.clone(), written.clone());
            thread::spawn(move || {
                let mut looks = 0_u64;
                loop {
                    let until = written.load(Ordering::Acquire);
                    let n = (looks * 7_919 % u64::from(ROWS)) as u32;
                    let found = table.find(key(n));
                    assert!(found.is_none_or(|found| found == n));
                    assert!(n >= until || found.is_some(), "{n} of {until} is missing");
                    looks += 1;
                    if until == ROWS {
                        return;
                    }
                }
            })
        })
        .collect();
    for n in 0..ROWS {
        table.insert(key(n), n);
        written.store(n + 1, Ordering::Release);
    }
    readers.into_iter().for_each(|reader| reader.join().expect("a reader failed"));
}

#[test]
fn a_column_answers_as_of_a_version_or_not_at_all() {
    let column = Column::default();
    for place in [0, 1, 2, 1_000, 100_000] {
        assert!(column.get(place, 0).is_some_and(f64::is_nan));
        column.set(place, 1.5, 3);
        assert_eq!(column.get(place, 2), None);
        assert_eq!(column.get(place, 3), Some(1.5));
        column.set(place, -2.5, 7);
        assert_eq!(column.get(place, 6), None);
        assert_eq!(column.get(place, 9), Some(-2.5));
        assert!(column.get(place + 1, 9).is_some_and(f64::is_nan));
    }
}

#[test]
fn a_number_of_a_column_belongs_to_its_version() {
    let column = Arc::new(Column::default());
    column.set(5, 0.0, 0);
    let newest = Arc::new(AtomicU32::new(0));
    let reader = {
        let (column, newest) = (column.clone(), newest.clone());
        thread::spawn(move || {
            loop {
                let version = newest.load(Ordering::Acquire);
                // What was set later is not shown; what is shown is the number of its version.
                assert!(column.get(5, version.into()).is_none_or(|number| number == f64::from(version)));
                if version == 200_000 {
                    return;
                }
            }
        })
    };
    for version in 1..=200_000 {
        column.set(5, f64::from(version), version.into());
        newest.store(version, Ordering::Release);
    }
    reader.join().expect("the reader failed");
}
