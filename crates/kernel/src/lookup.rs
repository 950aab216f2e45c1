//! Hashed lookup of numbers: it follows the commits of a store, and answers without a lock.

use crate::read::number_of;
use crate::session::Session;
use karyon_engram::{Column, Table, tag};
use karyon_graph::{Entity, Follower, Graph};
use karyon_model::limits::LOOKUPS_MAX;
use karyon_model::value::as_number;
use karyon_model::{Code, Cursor, NameId, Result, Seq, bounded, check_key, check_name, ensure};
use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

/// Keys come from outside: nobody can choose them so that their tags fall together.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));

/// The tags of keys, 16 bytes each, little-endian; by this process's secret seed where none is given.
pub fn put_tags(seed: Option<u64>, keys: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<()> {
    let seed = seed.unwrap_or(*SEED);
    for _ in 0..keys.length()? {
        out.extend_from_slice(&tag(seed, check_key(keys.text()?)?.as_bytes()).to_le_bytes());
    }
    Ok(())
}

/// The nodes of a store by the tag of their key, and of each what one property holds, where that is a number. One lookup of a property is shared by all who
/// ask for it.
pub struct Lookup {
    property: NameId,
    table: Table,
    column: Column,
    /// The version it was made of: of older ones the graph is asked.
    from: Seq,
}

impl Lookup {
    /// As the graph is now.
    fn of(graph: &Graph, property: NameId) -> Lookup {
        let column = Column::default();
        // An erased node has no key.
        let nodes = (0..graph.numbered().0).filter(|node| !graph.key(*node).is_empty());
        let rows = nodes.map(|node| {
            let object = &graph.node(node).object;
            column.set(node, held(object.state(), property), object.last());
            (tag(*SEED, graph.key(node).as_bytes()), node)
        });
        let table = rows.collect();
        Lookup { property, table, column, from: graph.head() }
    }
}

impl Follower for Lookup {
    fn changed(&self, node: u32, key: &str, state: &Entity, seq: Seq) {
        self.table.insert(tag(*SEED, key.as_bytes()), node);
        self.column.set(node, held(state, self.property), seq);
    }
}

/// What a property holds, where that is a number.
fn held(state: &Entity, property: NameId) -> f64 {
    let value = state.is_alive().then(|| state.property(property)).flatten();
    value.and_then(|held| as_number(held.value)).unwrap_or(f64::NAN)
}

impl Session {
    /// The lookup of a property, for who may read everything. Cost: a pass over the nodes where it is not there yet.
    pub fn lookup(&self, property: &str) -> Result<Arc<Lookup>> {
        let property = self.seeing_everything()?.body()?.graph.names().intern(check_name(property)?)?;
        let is_it = |lookup: &Arc<Lookup>| lookup.property == property;
        ensure(self.layer == 0, Code::Layer, "a lookup follows the graph, not a fork; make it there")?;
        self.store().follow(|graph| {
            let mut known =
                graph.followers().filter_map(|other| (other as Arc<dyn Any + Send + Sync>).downcast().ok());
            if let Some(found) = known.find(is_it) {
                return Ok(found);
            }
            let message = || format!("{LOOKUPS_MAX} properties have a lookup; close one of them first");
            bounded(graph.followers().count() < LOOKUPS_MAX, Code::TransactionSize, LOOKUPS_MAX, message)?;
            Ok(Arc::new(Lookup::of(graph, property)))
        })
    }

    /// The number that a lookup has for a key, as of a version; NaN where there is none. What is strict compares the key itself, not its tag alone: that
    /// costs a cache line or two, and waits for who is publishing.
    pub fn look_up(&self, lookup: &Lookup, key: &str, strict: bool, version: Seq) -> Result<f64> {
        self.alive()?;
        match lookup.table.find(tag(*SEED, key.as_bytes())) {
            Some(node) if !strict || self.body()?.graph.key(node) == key => {
                self.number(lookup, node, version)
            }
            _ => Ok(f64::NAN),
        }
    }

    /// The numbers of many: of tags, 16 bytes each, or else of numbers of nodes, 4 bytes each. 8 bytes each, little-endian.
    pub fn look_up_many(
        &self,
        lookup: &Lookup,
        tagged: bool,
        about: &[u8],
        version: Seq,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.alive()?;
        let numbered = || about.as_chunks().0.iter().map(|node| u32::from_le_bytes(*node)).collect();
        let nodes = if tagged { lookup.table.find_many(about.as_chunks().0) } else { numbered() };
        out.reserve(size_of::<f64>() * nodes.len());
        for node in nodes {
            out.extend_from_slice(&self.number(lookup, node, version)?.to_le_bytes());
        }
        Ok(())
    }

    fn number(&self, lookup: &Lookup, node: u32, version: Seq) -> Result<f64> {
        // Of what was before it, and of what was changed since that version, the graph knows.
        match lookup.column.get(node, version) {
            Some(number) if version >= lookup.from => Ok(number),
            _ => self.read_at(version, None, |reader| number_of(reader, node, lookup.property)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{SEED, tag};
    use crate::session::Session;
    use karyon_access::{EVERYTHING, Grants, Scope};
    use karyon_model::Verb;
    use karyon_store::Store;
    use karyon_testkit::{Value, VerbWriter};
    use std::sync::Arc;

    /// Two keys with one tag are not met, so the table is told of one.
    #[test]
    fn what_is_strict_finds_no_other_key_of_the_same_tag() {
        let everything: Scope = [EVERYTHING].into_iter().collect();
        let grants = Grants { read: everything.clone(), write: everything };
        let session = Session::new(Store::memory(Arc::new(|| 0)), "root", 0, grants);
        let (mut seven, mut verbs) = (Vec::new(), VerbWriter::default());
        Value::Integer(7).encode(&mut seven);
        verbs.push(&Verb::Put { key: "a", labels: vec![], changes: vec![("n", Some(&seven))] });
        let mut transaction = session.begin().unwrap();
        transaction.push(verbs.bytes()).unwrap();
        let version = session.commit(&transaction, None).unwrap().seq;

        let lookup = session.lookup("n").unwrap();
        lookup.table.insert(tag(*SEED, b"b"), 0);
        let found = |key, strict| {
            let number = session.look_up(&lookup, key, strict, version).unwrap();
            Some(number).filter(|number| !number.is_nan())
        };
        assert_eq!([found("a", true), found("b", true)], [Some(7.0), None]);
        assert_eq!([found("a", false), found("b", false)], [Some(7.0); 2]);
    }
}
