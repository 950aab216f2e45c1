//! Bounded traversals, breadth first: what lies within some edges of a node, and a shortest way to another one.

use crate::{EdgeItem, NodeItem, PageStart, Reader, VisitEdge, permitted};
use hashbrown::HashSet;
use karyon_history::Direction;
use karyon_model::limits::TRAVERSED_EDGES_MAX;
use karyon_model::{Code, Result, bounded};
use std::rc::Rc;

/// Which edges to follow, and how far.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'a> {
    /// Along edges, against them, or both.
    pub directions: &'a [Direction],
    /// Edges of one type only.
    pub kind: Option<&'a str>,
    /// How many edges away the farthest node may be.
    pub hops: u32,
    /// How many nodes to find at most, beside the one to begin with.
    pub limit: usize,
}

/// A node that was reached.
#[derive(Debug)]
pub struct Reached {
    /// Its key.
    pub key: Rc<str>,
    /// How many edges away it is.
    pub hops: u32,
    /// The place of the one before it on the way, among those reached.
    by: usize,
}

impl Reader<'_> {
    /// The nodes within some edges of one, the near ones first and that one before all; until one of them is reached. None when
    /// it does not exist. Nodes that may not be seen are not passed through either. Each but the first is handed to `visit`.
    ///
    /// Cost: the edges of every node but the farthest; over `TRAVERSED_EDGES_MAX` of them it fails with `TransactionSize`.
    pub fn reach(
        &mut self,
        start: &str,
        walk: Walk<'_>,
        until: Option<&str>,
        visit: &mut dyn FnMut(u32, &NodeItem<'_>),
    ) -> Result<Vec<Reached>> {
        if !self.visit_node(start, &mut |_| {})? {
            return Ok(Vec::new());
        }
        let mut reached = vec![Reached { key: start.into(), hops: 0, by: 0 }];
        let (mut seen, mut at, mut left) = (HashSet::<Rc<str>>::new(), 0, TRAVERSED_EDGES_MAX);
        seen.insert(start.into());
        while at < reached.len() && reached[at].hops < walk.hops && until != Some(start) {
            let (key, hops) = (reached[at].key.clone(), reached[at].hops + 1);
            let mut found: Vec<Rc<str>> = Vec::new();
            self.visit_others(&key, walk, &mut left, &mut |other, _| {
                if !seen.contains(other) {
                    found.push(other.into());
                }
            })?;
            for other in found {
                if seen.insert(other.clone())
                    && permitted(self.visit_node(&other, &mut |node| visit(hops, node)).map(drop))?
                {
                    let last = until == Some(&*other) || reached.len() == walk.limit;
                    reached.push(Reached { key: other, hops, by: at });
                    if last {
                        return Ok(reached);
                    }
                }
            }
            at += 1;
        }
        Ok(reached)
    }

    /// Hands the edges to follow from a node to `visit`, with the other end of each.
    fn visit_others(
        &mut self,
        key: &str,
        walk: Walk<'_>,
        left: &mut usize,
        visit: &mut dyn FnMut(&str, &EdgeItem<'_>),
    ) -> Result<()> {
        for direction in walk.directions {
            let (mut count, start) = (0, PageStart::default());
            let more = self.visit_edges(key, *direction, walk.kind, start, *left, &mut |edge| {
                count += 1;
                visit(if *direction == Direction::Out { edge.to } else { edge.from }, edge);
            })?;
            *left -= count;
            bounded(more.is_none(), Code::TransactionSize, TRAVERSED_EDGES_MAX, || {
                format!("a traversal has come to {TRAVERSED_EDGES_MAX} edges; follow one type, or fewer hops")
            })?;
        }
        Ok(())
    }

    /// Hands the edges of a shortest way from one node to another to `visit`, the last one first. False when there is none within
    /// the bounds.
    ///
    /// Cost: as `reach`, and once more the edges of the nodes on the way.
    pub fn visit_path(&mut self, ends: (&str, &str), walk: Walk<'_>, visit: VisitEdge<'_>) -> Result<bool> {
        let reached = self.reach(ends.0, walk, Some(ends.1), &mut |_, _| {})?;
        let Some(mut at) = reached.len().checked_sub(1).filter(|last| *reached[*last].key == *ends.1) else {
            return Ok(false);
        };
        while at > 0 {
            let (here, before) = (&reached[at].key, reached[at].by);
            let (mut told, mut left) = (false, TRAVERSED_EDGES_MAX);
            self.visit_others(&reached[before].key, walk, &mut left, &mut |other, edge| {
                if !told && *other == **here {
                    told = true;
                    visit(edge);
                }
            })?;
            at = before;
        }
        Ok(true)
    }
}
