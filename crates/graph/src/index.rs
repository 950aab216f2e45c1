//! Indexes: for a property of the nodes with a label, which nodes hold which value, now and as of any version; and what their
//! label demands of it.
//!
//! The nodes with one value are a versioned list, a *posting*, like those with a label. Postings are numbered in the order in which
//! commits need them, so a replay gives the same numbers and the log does not name them.
//!
//! Indexed by its value is what holds always. The nodes whose property depends on the instant of valid time are one posting of their own,
//! through which whoever asks as of an instant looks too. Unique are values that hold always; what is required holds something at every
//! instant.

use crate::ids::Ids;
use crate::versioned::Object;
use crate::{Entity, Graph};
use hashbrown::HashMap;
use karyon_model::limits::{INDEX_KEY_BYTES, INDEXES_MAX};
use karyon_model::order::{Span, after_prefix, order_key};
use karyon_model::{Code, Error, NameId, Result, Rules, Seq, bounded, valid};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// Bytes of a long value's order key that the index keeps in front of the hash.
const KEPT_BYTES: usize = INDEX_KEY_BYTES - 16;
/// Stands for what depends on the instant; greater than every value's key.
pub(crate) const TEMPORAL_KEY: [u8; 1] = [valid::TEMPORAL];

/// A property of the nodes with a label.
#[derive(Debug)]
pub struct Index {
    /// The label.
    pub label: NameId,
    /// The property.
    pub property: NameId,
    /// What holds, and from which commit on, ascending.
    pub rules: Vec<(Seq, Rules)>,
    /// The posting of every value that was ever there, in the order of the values.
    pub(crate) postings: BTreeMap<Arc<[u8]>, u32>,
    /// The newest commit that changed one of them.
    pub(crate) last: Seq,
}

/// The nodes with one value.
#[derive(Debug)]
pub(crate) struct Posting {
    pub(crate) index: u32,
    pub(crate) key: Arc<[u8]>,
    pub(crate) nodes: Object<Ids>,
}

/// All indexes of a graph. Neither they nor postings ever go away: they answer for the past.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    pub(crate) all: Vec<Index>,
    pub(crate) postings: Vec<Posting>,
    by_label: HashMap<NameId, Vec<u32>>,
}

impl Index {
    /// What holds as of a version.
    pub fn rules_at(&self, seq: Seq) -> Rules {
        self.rules.iter().rev().find(|rules| rules.0 <= seq).map_or_else(Rules::default, |rules| rules.1)
    }

    /// The postings that may hold what is meant, in the order of their values, from a value on.
    ///
    /// Of a long value the key keeps only the beginning: whoever asks looks at the value itself.
    pub(crate) fn within(&self, span: &Span, first: Option<&[u8]>) -> impl Iterator<Item = u32> + use<'_> {
        let cut = |key: &[u8]| key[..key.len().min(KEPT_BYTES)].to_vec();
        let (from, to) = match &span.to {
            Bound::Included(to) => (shortened(to), Bound::Included(shortened(to))),
            Bound::Excluded(to) if to.len() > KEPT_BYTES => {
                (cut(&span.from), Bound::Excluded(after_prefix(&cut(to))))
            }
            to => (cut(&span.from), to.clone()),
        };
        let span = (Bound::Included(first.unwrap_or(&from)), to.as_ref().map(Vec::as_slice));
        // Of a span that ends before it begins a map has no range.
        let some = (Bound::Unbounded, span.1).contains(first.unwrap_or(&from));
        let postings = some.then(|| self.postings.range::<[u8], _>(span));
        postings.into_iter().flatten().map(|entry| *entry.1)
    }
}

/// The order key as an index keeps it.
pub(crate) fn shortened(key: &[u8]) -> Vec<u8> {
    // A shortened key has a length of its own, so that no whole one is taken for it.
    if key.len() < INDEX_KEY_BYTES {
        return key.to_vec();
    }
    [&key[..KEPT_BYTES], &Sha256::digest(key)[..INDEX_KEY_BYTES - KEPT_BYTES]].concat()
}

impl Indexes {
    /// The index of a property, if rules were ever declared for it.
    pub(crate) fn find(&self, label: NameId, property: NameId) -> Option<u32> {
        let mut of_label = self.by_label.get(&label)?.iter();
        of_label.find(|at| self.all[**at as usize].property == property).copied()
    }

    /// The number of one more index, if there may be one.
    pub(crate) fn next(&self) -> Result<u32> {
        bounded(self.all.len() < INDEXES_MAX, Code::TransactionSize, INDEXES_MAX, || {
            format!("rules were declared for {INDEXES_MAX} properties, the limit; use those there are")
        })?;
        Ok(self.all.len() as u32)
    }

    pub(crate) fn add(&mut self, label: NameId, property: NameId) -> Result<u32> {
        let at = self.next()?;
        self.all.push(Index { label, property, rules: Vec::new(), postings: BTreeMap::new(), last: 0 });
        self.by_label.entry(label).or_default().push(at);
        Ok(at)
    }

    /// The posting of a key, made if need be; another one each time without a key, which no value has.
    pub(crate) fn posting(&mut self, index: u32, key: &[u8]) -> u32 {
        let postings = &mut self.all[index as usize].postings;
        if let Some(posting) = postings.get(key) {
            return *posting;
        }
        let (key, number): (Arc<[u8]>, _) = (key.into(), self.postings.len() as u32);
        if !key.is_empty() {
            postings.insert(key.clone(), number);
        }
        self.postings.push(Posting { index, key, nodes: Object::default() });
        number
    }

    /// Forgets the value of a posting, which nobody else ever held.
    pub(crate) fn forget(&mut self, posting: u32, seq: Seq) {
        let Posting { index, key, nodes } = &mut self.postings[posting as usize];
        self.all[*index as usize].postings.remove(key);
        *key = Arc::default();
        nodes.erase(seq);
    }

    /// How many indexes and postings there are.
    pub(crate) fn numbered(&self) -> (usize, usize) {
        (self.all.len(), self.postings.len())
    }

    /// The indexes of the nodes with a label, and their properties.
    pub(crate) fn of_label(&self, label: NameId) -> impl Iterator<Item = (u32, NameId)> + use<'_> {
        let of_label = self.by_label.get(&label).into_iter().flatten();
        of_label.map(|at| (*at, self.all[*at as usize].property))
    }

    /// The indexes that hold a node as of a version, with its value's key in each.
    pub(crate) fn entries(&self, entity: &Entity, seq: Seq) -> Result<BTreeSet<(u32, Vec<u8>)>> {
        let all = entity.labels().flat_map(|label| self.of_label(label));
        let indexed = all.filter(|(at, _)| self.all[*at as usize].rules_at(seq).indexed);
        let held = indexed.filter_map(|(at, property)| entity.property(property).map(|held| (at, held)));
        held.map(|(at, held)| Ok((at, index_key(held.value)?))).collect()
    }
}

/// The key under which a property's value is posted.
pub(crate) fn index_key(held: &[u8]) -> Result<Vec<u8>> {
    if valid::is_temporal(held) {
        Ok(TEMPORAL_KEY.into())
    } else {
        order_key(held).map(|key| shortened(&key))
    }
}

impl Graph {
    /// Every property for which rules were ever declared.
    pub fn indexes(&self) -> &[Index] {
        &self.indexes.all
    }

    /// The error for what an index's rules do not allow.
    pub(crate) fn rule_error(&self, label: NameId, property: NameId, code: Code) -> Error {
        let (label, property) = (self.names.text(label), self.names.text(property));
        let message = match code {
            Code::Required => {
                format!("every {label} must have {property}, and one would not; set it, or drop the rule")
            }
            _ => format!("two {label} would have the same {property}; change or remove one of them"),
        };
        Error::new(code, message).with("label", &*label).with("property", &*property)
    }
}
