//! Valid time, said a second time over an array: what a property holds in each of a few cells of time.

use std::collections::BTreeMap;

use karyon_model::Interval;

use crate::model::State;

/// The first cell is all that lies before 0, then each is one microsecond, the last without end.
pub const CELLS: usize = 7;
/// True, encoded: what the property holds that says when an edge does.
pub const TRUE: [u8; 1] = [2];
/// The name of that property.
pub const HOLDS: &str = "__proto__";

/// What is held in each cell; no bytes for nothing.
type Cells = [Vec<u8>; CELLS];

/// From a cell on, up to another one (exclusive).
pub type Span = (usize, usize);

pub fn interval((from, to): Span) -> Interval {
    let bound = |cell: usize| (0 < cell && cell < CELLS).then(|| instant(cell));
    Interval { from: bound(from), to: bound(to) }
}

/// An instant in a cell.
pub fn instant(cell: usize) -> i64 {
    cell as i64 - 1
}

pub fn is_temporal(held: &[u8]) -> bool {
    held.first() == Some(&255)
}

/// The documented bytes, read in the obvious way.
fn cells(held: &[u8]) -> Cells {
    if !is_temporal(held) {
        return std::array::from_fn(|_| held.to_vec());
    }
    let count = usize::from(held[1]);
    assert!((2..=CELLS).contains(&count));
    let (table, values) = held[2..].split_at(count * 12);
    let mut cells = Cells::default();
    let mut begin = 0;
    for step in table.chunks(12) {
        let from = i64::from_le_bytes(step[..8].try_into().unwrap());
        let end = u32::from_le_bytes(step[8..].try_into().unwrap()) as usize;
        let first = if from == i64::MIN { 0 } else { usize::try_from(from + 1).unwrap() };
        cells[first..].fill(values[begin..end].to_vec());
        begin = end;
    }
    cells
}

fn held(cells: &Cells) -> Option<Vec<u8>> {
    let steps: Vec<usize> = (0..CELLS).filter(|at| *at == 0 || cells[*at] != cells[*at - 1]).collect();
    if steps.len() == 1 {
        return Some(cells[0].clone()).filter(|value| !value.is_empty());
    }
    let (mut out, mut end) = (vec![255, steps.len() as u8], 0);
    for at in &steps {
        end += cells[*at].len() as u32;
        out.extend(if *at == 0 { i64::MIN } else { instant(*at) }.to_le_bytes());
        out.extend(end.to_le_bytes());
    }
    steps.iter().for_each(|at| out.extend(&cells[*at]));
    Some(out)
}

/// What a property holds once it is written in a span, and perhaps unset from its end on.
pub fn written(
    before: Option<&Vec<u8>>,
    (from, to): Span,
    ends: bool,
    value: Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut cells = cells(before.map_or(&[], Vec::as_slice));
    cells[from..to].fill(value.unwrap_or_default());
    if ends {
        cells[to..].fill(Vec::new());
    }
    held(&cells)
}

/// Whether something is held in every cell.
pub fn is_gapless(held: &[u8]) -> bool {
    cells(held).iter().all(|value| !value.is_empty())
}

/// What a graph shows in a cell.
pub fn shown(state: &State, cell: usize) -> State {
    let props = |props: &BTreeMap<String, Vec<u8>>| -> BTreeMap<String, Vec<u8>> {
        let then = props.iter().map(|(name, held)| (name.clone(), cells(held)[cell].clone()));
        then.filter(|(name, value)| !value.is_empty() && name != HOLDS).collect()
    };
    let mut shown = state.clone();
    shown.nodes.values_mut().for_each(|node| node.props = props(&node.props));
    shown.edges.retain(|_, held| held.get(HOLDS).is_none_or(|holds| !cells(holds)[cell].is_empty()));
    shown.edges.values_mut().for_each(|held| *held = props(held));
    shown
}
