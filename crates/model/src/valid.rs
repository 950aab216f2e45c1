//! What a property holds in valid time: one value always, or different values, or none, at different instants.
//!
//! What holds always is the value's encoding alone. Everything else is a function of time, written as the *steps* at which it
//! changes:
//!
//! | bytes | field |
//! |---|---|
//! | 1 | 255, with which no value begins |
//! | varint | how many steps, 2 or more |
//! | 8 and 4 each, little-endian | the instant in µs from which on it holds, ascending, the first i64::MIN; where its value ends in the rest |
//! | rest | the values, one after another; no bytes for a step from which on nothing holds |
//!
//! Neighbours differ, so one function has one form, whatever writes it came from. Steps are all of one length, so an instant is
//! found by binary search. No bytes at all stand for a property that is not there.

use crate::limits::{INTERVALS_MAX, VALUE_BYTES_MAX};
use crate::value::{self, NAME_RESERVED, size_error};
use crate::{Code, Cursor, Interval, Result, bounded, ensure, put_varint, require};

/// The first byte of what does not hold always.
pub const TEMPORAL: u8 = 255;
/// The property that is true while an edge holds; an edge without it holds always. No property of a user's has this name.
pub const HOLDS: &str = NAME_RESERVED;
/// The value of it.
pub const TRUE: &[u8] = &[value::TRUE];
const STEP_BYTES: usize = 12;
/// Bytes that a property holds at most: its values, and one step more than between and around all intervals.
pub const HELD_BYTES_MAX: usize = VALUE_BYTES_MAX + 2 * (INTERVALS_MAX + 1) * STEP_BYTES;

/// From an instant on, a value; no bytes for none.
type Step<'a> = (i64, &'a [u8]);

/// The steps of bytes that `check` has let through; what holds always is one of them.
struct Steps<'a> {
    table: &'a [[u8; STEP_BYTES]],
    values: &'a [u8],
}

impl<'a> Steps<'a> {
    fn of(held: &'a [u8]) -> Steps<'a> {
        let mut cursor = Cursor::new(held);
        if cursor.byte().ok() != Some(TEMPORAL) {
            return Steps { table: &[], values: held };
        }
        let count = cursor.varint().unwrap_or_default() as usize;
        let (table, values) = cursor.rest().split_at(count * STEP_BYTES);
        Steps { table: table.as_chunks().0, values }
    }

    fn begin(step: &[u8; STEP_BYTES]) -> i64 {
        let [begin @ .., _, _, _, _] = *step;
        i64::from_le_bytes(begin)
    }

    /// Where the value of a step ends, which is where that of the next one begins.
    fn end(step: &[u8; STEP_BYTES]) -> usize {
        let [_, _, _, _, _, _, _, _, end @ ..] = *step;
        u32::from_le_bytes(end) as usize
    }

    fn get(&self, at: usize) -> Step<'a> {
        let Some(step) = self.table.get(at) else { return (i64::MIN, self.values) };
        let from = if at == 0 { 0 } else { Steps::end(&self.table[at - 1]) };
        (Steps::begin(step), &self.values[from..Steps::end(step)])
    }

    fn all(&self) -> impl Iterator<Item = Step<'a>> {
        (0..self.table.len().max(1)).map(|at| self.get(at))
    }
}

/// Whether a property holds different values at different instants, or none at some.
pub fn is_temporal(held: &[u8]) -> bool {
    held.first() == Some(&TEMPORAL)
}

/// Whether it holds something at every instant.
pub fn is_gapless(held: &[u8]) -> bool {
    Steps::of(held).all().all(|step| !step.1.is_empty())
}

/// The value that holds at an instant; no bytes for none.
///
/// Cost: a binary search, no allocation.
pub fn at(held: &[u8], instant: i64) -> &[u8] {
    let steps = Steps::of(held);
    let later = steps.table.partition_point(|step| Steps::begin(step) <= instant);
    steps.get(later.saturating_sub(1)).1
}

/// When it holds something, and what, in order.
pub fn intervals(held: &[u8]) -> Vec<(Interval, &[u8])> {
    let steps = Steps::of(held);
    let ends = steps.all().skip(1).map(|next| Some(next.0)).chain([None]);
    let intervals = steps.all().zip(ends).map(|((begin, value), to)| {
        (Interval { from: Some(begin).filter(|begin| *begin != i64::MIN), to }, value)
    });
    intervals.filter(|(_, value)| !value.is_empty()).collect()
}

/// What a property holds once it is set to a value in an interval; no bytes for none, both as what is written and as the outcome.
/// What held outside of the interval still does.
///
/// Fails with `ValueSize` when that takes more than `INTERVALS_MAX` intervals or `VALUE_BYTES_MAX` bytes. Cost: a pass over the
/// intervals; none where the interval is always.
pub fn portion(held: &[u8], valid: Interval, value: &[u8]) -> Result<Vec<u8>> {
    if valid == Interval::ALWAYS {
        return Ok(value.to_vec());
    }
    let message = "what has its own intervals is set always; leave valid away";
    ensure(!is_temporal(value), Code::Argument, message)?;
    let from = valid.from.unwrap_or(i64::MIN);
    if valid.to.is_some_and(|to| to <= from) {
        return Ok(held.to_vec());
    }
    let before = Steps::of(held);
    let mut after: Vec<_> = before.all().take_while(|step| step.0 < from).collect();
    after.push((from, value));
    if let Some(to) = valid.to {
        after.push((to, at(held, to)));
        after.extend(before.all().filter(|step| step.0 > to));
    }
    after.dedup_by(|next, step| next.1 == step.1);
    encode(&after)
}

fn encode(steps: &[Step<'_>]) -> Result<Vec<u8>> {
    if let [(_, value)] = steps {
        return Ok(value.to_vec());
    }
    let bytes = steps.iter().map(|step| step.1.len()).sum();
    let count = steps.iter().filter(|step| !step.1.is_empty()).count();
    bounded(count <= INTERVALS_MAX, Code::ValueSize, INTERVALS_MAX, || {
        format!("{count} intervals are over the limit of {INTERVALS_MAX}; split them over several nodes")
    })?;
    require(bytes <= VALUE_BYTES_MAX, || size_error(bytes))?;
    let mut out = Vec::with_capacity(4 + steps.len() * STEP_BYTES + bytes);
    out.push(TEMPORAL);
    put_varint(&mut out, steps.len() as u64);
    let mut end = 0;
    for (begin, value) in steps {
        end += value.len() as u32;
        out.extend_from_slice(&begin.to_le_bytes());
        out.extend_from_slice(&end.to_le_bytes());
    }
    steps.iter().for_each(|step| out.extend_from_slice(step.1));
    Ok(out)
}

/// Passes over what a property holds and returns its bytes, refusing every form but the canonical one.
///
/// Cost: one pass, no allocation.
pub fn check<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    let (start, mut rest) = (cursor.position(), *cursor);
    if rest.byte()? != TEMPORAL {
        return value::check(cursor);
    }
    let count = rest.length()?;
    let table = rest.take(count * STEP_BYTES)?.as_chunks().0;
    let (base, mut before, mut holding) = (rest.position(), None::<Step<'a>>, 0);
    for step in table {
        let (begin, end) = (Steps::begin(step), base + Steps::end(step));
        let value = if end > rest.position() { value::check(&mut rest)? } else { &[] };
        let follows = before.map_or(begin == i64::MIN, |before| before.0 < begin && before.1 != value);
        rest.expect(rest.position() == end && follows, "intervals that are not in canonical form")?;
        holding += usize::from(!value.is_empty());
        before = Some((begin, value));
    }
    rest.expect(count >= 2 && holding <= INTERVALS_MAX, "too few or too many intervals")?;
    *cursor = rest;
    Ok(cursor.between(start, cursor.position()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use karyon_testkit::Value;
    use proptest::prelude::*;

    /// Instants of the naive model: the first cell is everything before 0, each other one what begins with its instant.
    const CELLS: usize = 8;

    /// What holds in each cell.
    type Cells = [Option<u8>; CELLS];

    fn bytes(value: Option<u8>) -> Vec<u8> {
        value.map_or_else(Vec::new, |value| Value::Integer(value.into()).to_bytes())
    }

    fn interval() -> impl Strategy<Value = (Option<usize>, Option<usize>)> {
        (proptest::option::of(0..CELLS - 1), proptest::option::of(0..CELLS - 1))
    }

    fn cell(bound: usize) -> usize {
        bound + 1
    }

    proptest! {
        #[test]
        fn writes_do_what_they_do_to_an_array(
            writes in proptest::collection::vec((interval(), proptest::option::of(0u8..3)), 0..24),
        ) {
            let (mut cells, mut held): (Cells, _) = ([None; CELLS], Vec::new());
            for ((from, to), value) in writes {
                let valid = Interval { from: from.map(|from| from as i64), to: to.map(|to| to as i64) };
                let (from, to) = (from.map_or(0, cell), to.map_or(CELLS, cell));
                cells[from.min(to)..to].fill(value);
                held = portion(&held, valid, &bytes(value)).unwrap();
                for (at, value) in cells.iter().enumerate() {
                    prop_assert_eq!(super::at(&held, at as i64 - 1), bytes(*value));
                }
                prop_assert_eq!(super::at(&held, i64::MIN), bytes(cells[0]));
                prop_assert_eq!(super::at(&held, i64::MAX), bytes(cells[CELLS - 1]));
                // The form depends on nothing but what holds when.
                let mut anew = Vec::new();
                for (at, value) in cells.iter().enumerate().rev() {
                    let from = at.checked_sub(1).map(|from| from as i64);
                    let to = (at + 1 < CELLS).then_some(at as i64);
                    anew = portion(&anew, Interval { from, to }, &bytes(*value)).unwrap();
                }
                prop_assert_eq!(&anew, &held);
                prop_assert_eq!(is_temporal(&held), cells.iter().any(|cell| *cell != cells[0]));
                prop_assert_eq!(!held.is_empty() && is_gapless(&held), cells.iter().all(Option::is_some));
                let mut listed: Cells = [None; CELLS];
                for (Interval { from, to }, value) in intervals(&held) {
                    let value = (0..3).find(|number| bytes(Some(*number)) == value);
                    let to = to.map_or(CELLS, |to| cell(to as usize));
                    listed[from.map_or(0, |from| cell(from as usize))..to].fill(value);
                }
                prop_assert_eq!(listed, cells);
                if !held.is_empty() {
                    let mut cursor = Cursor::new(&held);
                    prop_assert_eq!(check(&mut cursor).unwrap(), &held[..]);
                    prop_assert!(cursor.is_empty());
                }
            }
        }

        #[test]
        fn what_is_let_through_is_whole_and_has_one_form(
            steps in proptest::collection::vec((any::<i64>(), proptest::option::of(0u8..3)), 0..6),
            flip in proptest::option::of((0usize..80, any::<u8>())),
        ) {
            let mut held = Vec::new();
            for (from, value) in steps {
                held = portion(&held, Interval { from: Some(from), to: None }, &bytes(value)).unwrap();
            }
            if let Some((at, byte)) = flip.filter(|(at, _)| *at < held.len()) {
                held[at] = byte;
            }
            let mut cursor = Cursor::new(&held);
            if let Ok(held) = check(&mut cursor) {
                let mut again = Vec::new();
                for (valid, value) in intervals(held) {
                    again = portion(&again, valid, value).unwrap();
                }
                prop_assert_eq!(again, held);
            }
        }

        #[test]
        fn random_bytes_never_panic(mut bytes: Vec<u8>) {
            bytes.insert(0, TEMPORAL);
            let _ = check(&mut Cursor::new(&bytes));
        }
    }

    #[test]
    fn what_holds_always_is_written_as_before() {
        let value = Value::text("blue").to_bytes();
        let always = portion(&[], Interval::ALWAYS, &value).unwrap();
        let (first, second) = (Interval { from: None, to: Some(5) }, Interval { from: Some(5), to: None });
        let half = portion(&[], first, &value).unwrap();
        assert_eq!(portion(&half, second, &value).unwrap(), always, "two halves of time are all of it");
        assert_eq!(always, value);
        assert_eq!(portion(&half, Interval { from: Some(3), to: Some(3) }, &[]).unwrap(), half);
    }

    #[test]
    fn the_limits_are_typed_errors() {
        let (one, two) = (Value::Integer(1).to_bytes(), Value::Integer(2).to_bytes());
        let mut held = Vec::new();
        let step = |at: usize| Interval { from: Some(at as i64), to: Some(at as i64 + 1) };
        for at in 0..INTERVALS_MAX {
            // The last one is a two.
            held = portion(&held, step(at), if at % 2 == 0 { &one } else { &two }).unwrap();
        }
        assert_eq!(check(&mut Cursor::new(&held)).unwrap(), held, "the limit itself is allowed");
        let error = portion(&held, step(INTERVALS_MAX + 1), &one).unwrap_err();
        assert_eq!(error.code(), Code::ValueSize);
        assert!(portion(&held, step(INTERVALS_MAX), &two).is_ok());
        let large = Value::Bytes(vec![0; VALUE_BYTES_MAX / 2]).to_bytes();
        let half = portion(&[], step(0), &large).unwrap();
        let larger = [&large[..large.len() - 1], &[1]].concat();
        assert_eq!(portion(&half, step(1), &larger).unwrap_err().code(), Code::ValueSize);
        assert_eq!(portion(&[], step(0), &held).unwrap_err().code(), Code::Argument);
    }
}
