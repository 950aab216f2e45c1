//! A whole version, read through the public readers, page by page.

use std::collections::{BTreeMap, BTreeSet};

use karyon_graph::{Direction, EdgeItem, Names, PageStart, Property, Reader};
use karyon_model::{Result, Seq};
use karyon_testkit::oracle::{EdgeName, Node};

use crate::model::{Place, State};
use crate::rules::Wanted;

/// What was read, and the version that each node and edge says it was changed by.
#[derive(Debug, Default)]
pub struct Reading {
    pub state: State,
    pub versions: BTreeMap<Place, Seq>,
}

/// Pages of a scan, until there are no more.
fn pages(mut page: impl FnMut(PageStart) -> Result<Option<PageStart>>) -> Result<()> {
    let mut start = Some(PageStart::default());
    while let Some(from) = start {
        // Through its parts, as the binding hands it on.
        // It outlives the page as three numbers.
        let [id, list, own] = [from.id, from.list, from.own];
        start = page(PageStart { id, list, own })?;
    }
    Ok(())
}

fn props<'a>(properties: impl Iterator<Item = Property<'a>>, names: &Names) -> BTreeMap<String, Vec<u8>> {
    properties.map(|found| (names.text(found.name).to_string(), found.value.to_vec())).collect()
}

fn edge_name(edge: &EdgeItem<'_>, names: &Names) -> EdgeName {
    let edge_type = names.text(edge.kind).to_string();
    EdgeName { from: edge.from.into(), edge_type, to: edge.to.into(), key: edge.key.into() }
}

pub fn node(reader: &mut Reader<'_>, names: &Names, key: &str) -> Result<Option<(Node<Vec<u8>>, Seq)>> {
    let mut found = None;
    reader.visit_node(key, &mut |node| {
        let labels = node.entity.labels().map(|label| names.text(label).to_string()).collect();
        found = Some((Node { labels, props: props(node.entity.properties(), names) }, node.version));
    })?;
    Ok(found)
}

/// An edge, its properties, and the version that it says it was changed by.
type FoundEdge = (EdgeName, BTreeMap<String, Vec<u8>>, Seq);

pub fn edges(
    reader: &mut Reader<'_>,
    names: &Names,
    key: &str,
    direction: Direction,
    kind: Option<&str>,
    page: usize,
) -> Result<Vec<FoundEdge>> {
    let mut found = Vec::new();
    pages(|start| {
        reader.visit_edges(key, direction, kind, start, page, &mut |edge| {
            found.push((edge_name(edge, names), props(edge.entity.properties(), names), edge.version));
        })
    })?;
    Ok(found)
}

pub fn labelled(reader: &mut Reader<'_>, label: Option<&str>, page: usize) -> Result<Vec<String>> {
    let mut found = Vec::new();
    pages(|start| reader.visit_nodes(label, &[], start, page, &mut |node| found.push(node.key.to_owned())))?;
    Ok(found)
}

/// The nodes that meet a condition.
pub fn wanted(reader: &mut Reader<'_>, wanted: &Wanted, page: usize) -> Result<Vec<String>> {
    let (label, conditions, mut found) = (Some(&*wanted.label), [wanted.condition()], Vec::new());
    pages(|start| {
        reader.visit_nodes(label, &conditions, start, page, &mut |node| found.push(node.key.to_owned()))
    })?;
    Ok(found)
}

/// Everything: each node found by scan and by key, each edge from its start and from its end.
pub fn everything(
    reader: &mut Reader<'_>,
    names: &Names,
    page: usize,
) -> std::result::Result<Reading, String> {
    let said = |error: karyon_model::Error| error.to_string();
    let mut reading = Reading::default();
    let mut entering = BTreeSet::new();
    for key in labelled(reader, None, page).map_err(said)? {
        let (node, version) = node(reader, names, &key)
            .map_err(said)?
            .ok_or(format!("a scan found {key:?}, a look-up did not"))?;
        for (edge, props, version) in edges(reader, names, &key, Direction::Out, None, page).map_err(said)? {
            reading.versions.insert(Place::Edge(edge.clone()), version);
            if reading.state.edges.insert(edge.clone(), props).is_some() {
                return Err(format!("{edge:?} was listed twice"));
            }
        }
        entering.extend(
            edges(reader, names, &key, Direction::In, None, page)
                .map_err(said)?
                .into_iter()
                .map(|edge| edge.0),
        );
        reading.versions.insert(Place::Node(key.clone()), version);
        if reading.state.nodes.insert(key.clone(), node).is_some() {
            return Err(format!("{key:?} was listed twice"));
        }
    }
    if !entering.iter().eq(reading.state.edges.keys()) {
        return Err(format!(
            "edges that enter {entering:?} are not those that leave {:?}",
            reading.state.edges
        ));
    }
    Ok(reading)
}
