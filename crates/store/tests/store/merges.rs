//! Merges of a fork into what it stands on, one case each; `beside` has those of forks into each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use karyon_graph::{Open, Prefer, Reader, Slot, Transaction};
use karyon_model::{Code, EntityId};
use karyon_store::Store;
use karyon_testkit::Value;
use karyon_testkit::oracle::EdgeName;

use crate::forks::commit_in;
use crate::model::{Place, State, Step, batch};
use crate::{reading, rig};

pub fn patch(key: &str, name: &str, value: i64) -> Step {
    let props = BTreeMap::from([(name.to_owned(), Some(Value::Integer(value)))]);
    Step::Patch { place: Place::Node(key.into()), labels: [].into(), drop: [].into(), props }
}

pub fn remove(key: &str) -> Step {
    Step::Remove { key: key.into(), detach: true }
}

fn link(from: &str, to: &str) -> Step {
    let edge = EdgeName { from: from.into(), edge_type: "KNOWS".into(), to: to.into(), key: String::new() };
    Step::Link { edge, props: [].into() }
}

/// What is done in the graph and in a fork of it, and what comes of a merge.
struct Case {
    store: Arc<Store>,
    fork: u32,
}

impl Case {
    /// Begins with nodes a and b, linked, both with n = 0.
    fn new() -> Case {
        let (store, _) = rig::memory();
        rig::commit(&store, &[patch("a", "n", 0), patch("b", "n", 0), link("a", "b")]).unwrap();
        let (fork, _) = crate::rig::fork(&store, "fork", (0, 1)).unwrap();
        Case { store, fork }
    }

    fn base(self, steps: &[Step]) -> Case {
        rig::commit(&self.store, steps).unwrap();
        self
    }

    fn fork(self, steps: &[Step]) -> Case {
        commit_in(&self.store, self.fork, steps).unwrap();
        self
    }

    /// Merges; gives the clashes and the graph then.
    fn merged(&self, prefer: Prefer) -> (Vec<String>, State) {
        let report = crate::rig::merge(&self.store, (self.fork, None), prefer).unwrap();
        let body = self.store.body().unwrap();
        body.graph.audit_in(0, body.graph.head()).unwrap();
        let clashes = report.plan.obstacles.iter().map(|clash| {
            let name = match clash.entity {
                EntityId::Node(node) => body.graph.key(node).to_string(),
                EntityId::Edge(_) => "edge".into(),
            };
            match clash.slot {
                Slot::Existence => name,
                Slot::Label(slot) | Slot::Property(slot) => {
                    format!("{name}.{}", body.graph.names().text(slot))
                }
            }
        });
        let clashes = clashes.collect();
        let mut reader = Reader::at(&body.graph, body.graph.head(), &Open);
        (clashes, reading::everything(&mut reader, body.graph.names(), 9).unwrap().state)
    }
}

/// The properties of a node, in words.
fn props(state: &State, key: &str) -> Option<String> {
    let node = state.nodes.get(key)?;
    let shown = node.props.iter().map(|(name, value)| {
        let value = Value::decode(&mut karyon_model::Cursor::new(value)).unwrap();
        format!("{name}={value:?}")
    });
    Some(shown.collect::<Vec<_>>().join(" ").replace("Integer", ""))
}

#[test]
fn what_only_one_side_has_changed_is_kept_of_both() {
    let case = Case::new();
    let case = case.base(&[patch("a", "n", 1), patch("new", "n", 7)]);
    let case = case.fork(&[patch("a", "m", 2), patch("mine", "n", 8), link("mine", "a"), remove("b")]);
    let (clashes, state) = case.merged(Prefer::Neither);
    assert_eq!(clashes, [""; 0]);
    assert_eq!(props(&state, "a").unwrap(), "m=(2) n=(1)");
    assert_eq!((props(&state, "b"), state.edges.len()), (None, 1));
    assert_eq!(
        (props(&state, "new").unwrap(), props(&state, "mine").unwrap()),
        ("n=(7)".into(), "n=(8)".into())
    );
    // Once more there is nothing to do, and later changes of either side go on from here.
    let head = case.store.durable();
    assert_eq!(case.merged(Prefer::Neither).0, [""; 0]);
    assert_eq!(case.store.durable(), head);
    let case = case.fork(&[patch("a", "n", 5)]).base(&[patch("a", "m", 6)]);
    let (clashes, state) = case.merged(Prefer::Neither);
    assert_eq!(
        (clashes, props(&state, "a").unwrap()),
        (vec!["a.n".to_owned()], "m=(6) n=(1)".into()),
        "the fork still had n = 0"
    );
}

#[test]
fn both_have_changed_a_property() {
    for (prefer, n) in [(Prefer::Neither, 1), (Prefer::Other, 1), (Prefer::Layer, 2)] {
        let case = Case::new().base(&[patch("a", "n", 1)]).fork(&[patch("a", "n", 2), patch("a", "m", 3)]);
        let (clashes, state) = case.merged(prefer);
        assert_eq!(clashes, ["a.n"]);
        let m = if prefer == Prefer::Neither { String::new() } else { "m=(3) ".into() };
        assert_eq!(props(&state, "a").unwrap(), format!("{m}n=({n})"), "{prefer:?}");
    }
    let case = Case::new().base(&[patch("a", "n", 4)]).fork(&[patch("a", "n", 4)]);
    assert_eq!(case.merged(Prefer::Neither).0, [""; 0], "to the same");
}

#[test]
fn a_fork_that_changes_a_property_of_an_edge_leaves_when_it_holds() {
    let within = |span, step| Step::Within { span, ends: false, step: Box::new(step) };
    let edge = EdgeName { from: "b".into(), edge_type: "KNOWS".into(), to: "a".into(), key: String::new() };
    let (store, _) = rig::memory();
    rig::commit(&store, &[patch("a", "n", 0), patch("b", "n", 0), within((2, 4), link("b", "a"))]).unwrap();
    let (fork, _) = crate::rig::fork(&store, "fork", (0, 1)).unwrap();
    let props = BTreeMap::from([("n".to_owned(), Some(Value::Integer(1)))]);
    let change = Step::Patch { place: Place::Edge(edge.clone()), labels: [].into(), drop: [].into(), props };
    let case = Case { store, fork }.fork(&[
        change,
        within((0, 3), patch("a", "n", 1)),
        within((5, 6), link("a", "b")),
    ]);
    let (clashes, state) = case.merged(Prefer::Neither);
    assert_eq!(clashes, [""; 0]);
    let body = case.store.body().unwrap();
    let digest = |layer| body.graph.digest_in(layer, body.graph.head()).unwrap();
    assert_eq!(digest(0), digest(fork));
    assert_eq!(state.edges[&edge].len(), 2, "the property, and when it holds");
}

#[test]
fn one_has_removed_what_the_other_has_changed() {
    for (prefer, there) in [(Prefer::Neither, true), (Prefer::Other, true), (Prefer::Layer, false)] {
        let case = Case::new().base(&[patch("b", "n", 1)]).fork(&[remove("b")]);
        let (clashes, state) = case.merged(prefer);
        assert_eq!((clashes, props(&state, "b").is_some()), (vec!["b".to_owned()], there), "{prefer:?}");
    }
    for (prefer, found) in
        [(Prefer::Neither, None), (Prefer::Other, None), (Prefer::Layer, Some("m=(1) n=(0)"))]
    {
        let case = Case::new().base(&[remove("b")]).fork(&[patch("b", "m", 1)]);
        let (clashes, state) = case.merged(prefer);
        assert_eq!((clashes, props(&state, "b").as_deref()), (vec!["b".to_owned()], found), "{prefer:?}");
    }
}

#[test]
fn an_edge_was_added_while_its_end_was_removed() {
    // In the fork the edge, in the graph the removal.
    for (prefer, edges) in [(Prefer::Neither, 0), (Prefer::Other, 0), (Prefer::Layer, 1)] {
        let case = Case::new().base(&[remove("b")]).fork(&[link("b", "a")]);
        let (clashes, state) = case.merged(prefer);
        assert_eq!((clashes, state.edges.len()), (vec!["edge".to_owned()], edges), "{prefer:?}");
        assert_eq!(props(&state, "b").is_some(), edges > 0);
    }
    // The other way round.
    for (prefer, edges) in [(Prefer::Neither, 2), (Prefer::Other, 2), (Prefer::Layer, 0)] {
        let case = Case::new().base(&[link("b", "a")]).fork(&[remove("b")]);
        let (clashes, state) = case.merged(prefer);
        assert_eq!(clashes, ["b"], "{prefer:?}");
        assert_eq!(state.edges.len(), if prefer == Prefer::Other { 1 } else { edges }, "{prefer:?}");
    }
}

#[test]
fn transactions_of_a_fork_conflict_with_each_other_and_with_nobody_else() {
    let Case { store, fork } = Case::new();
    let begin = |layer| store.begin().unwrap().in_layer(layer);
    let read_and_write = |mut transaction: Transaction, key: &str| {
        let body = store.body().unwrap();
        Reader::through(&body.graph, &mut transaction, &Open).unwrap().visit_node("a", &mut |_| {}).unwrap();
        drop(body);
        transaction.push(&batch(&[patch(key, "m", 1)])).unwrap();
        transaction
    };
    let [one, two] = [fork, fork].map(|layer| read_and_write(begin(layer), "c"));
    rig::commit(&store, &[patch("a", "n", 9)]).unwrap();
    let in_base = read_and_write(begin(0), "d");
    store.commit(&one, rig::ROOT).unwrap();
    store.commit(&in_base, rig::ROOT).unwrap();
    commit_in(&store, fork, &[patch("a", "n", 10)]).unwrap();
    assert_eq!(store.commit(&two, rig::ROOT).unwrap_err().code(), Code::Conflict);
    assert_eq!(commit_in(&store, 9, &[patch("a", "n", 1)]).unwrap_err().code(), Code::Layer);
}
