//! Forks that are merged into each other: what came into both, by whatever way, is merged no second time.

use std::sync::Arc;

use karyon_graph::{Open, Prefer, Purpose, Reader, Transaction};
use karyon_model::{Code, Seq};
use karyon_store::{Report, Retention, Store};
use karyon_testkit::Value;
use karyon_testkit::disk::SimDisk;
use karyon_testkit::oracle::EdgeName;

use crate::merges::{patch, remove};
use crate::model::{Step, batch};
use crate::{reading, rig};

/// A store with a node `n` of x = 1 in its first version.
struct Case(Arc<Store>);

impl Case {
    fn of(store: Arc<Store>) -> Case {
        let case = Case(store);
        case.write(0, &[patch("n", "x", 1)]);
        case
    }

    fn new() -> Case {
        Case::of(rig::memory().0)
    }

    fn head(&self) -> Seq {
        self.0.begin().unwrap().snapshot()
    }

    fn write(&self, layer: u32, steps: &[Step]) {
        let mut transaction = self.0.begin().unwrap().in_layer(layer);
        transaction.push(&batch(steps)).unwrap();
        self.0.commit(&transaction, rig::ROOT).unwrap();
        while self.0.write_frame().unwrap() {}
    }

    fn fork(&self, name: &str, from: Seq) -> u32 {
        crate::rig::fork(&self.0, name, (0, from)).unwrap().0
    }

    fn drop(&self, layer: u32) {
        let dropping = Transaction::with(self.head(), Purpose::Drop(layer));
        self.0.commit(&dropping, rig::ROOT).unwrap();
    }

    fn merge(&self, layer: u32, into: u32) -> Report {
        crate::rig::merge(&self.0, (layer, (into > 0).then_some(into)), Prefer::Neither).unwrap()
    }

    /// Merges where nothing clashes.
    fn merged(&self, layer: u32, into: u32) {
        let clashes = self.merge(layer, into).plan.obstacles;
        assert!(clashes.is_empty(), "{clashes:?}");
    }

    fn property(&self, layer: u32, key: &str, name: &str) -> Option<Value> {
        let body = self.0.body().unwrap();
        let mut reader = Reader::at(&body.graph, body.graph.head(), &Open).in_layer(layer);
        let node = reading::node(&mut reader, body.graph.names(), key).unwrap()?.0;
        let bytes = node.props.get(name)?;
        Some(Value::decode(&mut karyon_model::Cursor::new(bytes)).unwrap())
    }
}

#[test]
fn what_came_into_the_graph_by_way_of_another_fork_is_not_brought_back() {
    let case = Case::new();
    let [a, b] = ["a", "b"].map(|name| case.fork(name, 1));
    case.write(a, &[patch("new", "x", 2)]);
    case.merged(a, b);
    case.merged(b, 0);
    case.write(0, &[remove("new")]);
    case.merged(a, 0);
    assert_eq!(case.property(0, "new", "x"), None, "it was removed, and nobody has made it since");
}

#[test]
fn what_one_has_given_does_not_come_back_over_what_it_has_made_of_it() {
    for x in [1, 3] {
        let case = Case::new();
        let [a, b] = ["a", "b"].map(|name| case.fork(name, 1));
        case.write(a, &[patch("n", "x", 2)]);
        case.merged(a, b);
        case.write(a, &[patch("n", "x", x)]);
        case.merged(b, a);
        assert_eq!(case.property(a, "n", "x"), Some(Value::Integer(x)));
    }
}

#[test]
fn what_a_third_fork_has_given_to_both_counts_as_had_by_both() {
    for drop in [false, true] {
        let case = Case::new();
        let [a, b, c] = ["a", "b", "c"].map(|name| case.fork(name, 1));
        case.write(c, &[patch("new", "x", 2)]);
        case.merged(c, a);
        case.merged(c, b);
        case.write(b, &[remove("new")]);
        if drop {
            case.drop(c);
        }
        // Where nobody can tell any more, somebody has to decide.
        assert_eq!(case.merge(a, b).plan.obstacles.len(), usize::from(drop));
        assert_eq!(case.property(b, "new", "x"), None);
    }
}

#[test]
fn a_fork_that_stands_on_less_has_changed_nothing_for_that() {
    let case = Case::new();
    let b = case.fork("b", 1);
    case.write(0, &[patch("n", "x", 7), patch("m", "x", 7)]);
    let a = case.fork("a", case.head());
    case.write(a, &[patch("m", "y", 9), patch("n", "x", 8), patch("n", "z", 3)]);
    case.merged(a, b);
    let found = [("n", "x"), ("n", "z"), ("m", "y")].map(|(key, name)| case.property(b, key, name));
    assert_eq!(found, [8, 3, 9].map(|value| Some(Value::Integer(value))));
}

#[test]
fn a_compaction_keeps_what_merges_go_on_from_and_no_more() {
    let disk = rig::open(SimDisk::new()).unwrap().0;
    for case in [Case::new(), Case::of(disk)] {
        let a = case.fork("a", 1);
        case.write(a, &[patch("n", "x", 2)]);
        case.merged(a, 0);
        case.write(0, &[patch("m", "x", -1)]);
        let b = case.fork("b", case.head());
        for x in 0..300 {
            case.write(a, &[patch("n", "x", 100 + x)]);
        }
        case.merged(a, 0);
        case.write(a, &[patch("n", "x", 4)]);
        for round in 0..20 {
            let gone = case.fork("gone", case.head());
            case.write(a, &[patch("n", "y", round)]);
            case.merged(a, gone);
            case.drop(gone);
        }
        case.write(0, &[patch("m", "x", 1)]);
        while case.0.write_frame().unwrap() {}
        let since = case.0.durable();
        let retention = Retention { since, ..Retention::default() };
        let archived = case.0.compact(&retention, rig::ROOT).unwrap();
        assert!(archived.kept < 10, "{} versions are kept", archived.kept);
        case.merged(a, b);
        assert_eq!(case.property(b, "n", "x"), Some(Value::Integer(4)));
    }
}

#[test]
fn a_merge_beside_a_removal_is_planned_anew() {
    let case = Case::new();
    let a = case.fork("a", 1);
    let edge = EdgeName { from: "n".into(), edge_type: "R".into(), to: "new".into(), key: String::new() };
    case.write(a, &[patch("new", "x", 2), Step::Link { edge, props: [].into() }]);
    let plan = case.0.body().unwrap().graph.plan_merge(a, None, Prefer::Neither).unwrap();
    case.write(0, &[remove("n")]);
    let error = case.0.commit(&plan.transaction.unwrap(), rig::ROOT).unwrap_err();
    assert_eq!(error.code(), Code::NodeMissing);
    assert_eq!(case.merge(a, 0).plan.obstacles.len(), 1, "told, and not failed");
}

/// What `a` made came into `b`, and then an unrelated `c` into both.
fn crossed() -> (Case, u32, u32) {
    let case = Case::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| case.fork(name, 1));
    case.write(a, &[patch("new", "x", 2), patch("n", "x", 2)]);
    case.merged(a, b);
    case.write(c, &[patch("elsewhere", "x", 1)]);
    case.merged(c, a);
    case.merged(c, b);
    (case, a, b)
}

#[test]
fn what_one_gave_and_the_other_removed_stays_removed_whatever_came_into_both_since() {
    let (case, a, b) = crossed();
    case.write(b, &[remove("new")]);
    case.merged(a, b);
    assert_eq!(case.property(b, "new", "x"), None);
}

#[test]
fn what_one_gave_and_removed_goes_whatever_came_into_both_since() {
    let (case, a, b) = crossed();
    case.write(a, &[remove("new")]);
    case.merged(a, b);
    assert_eq!(case.property(b, "new", "x"), None);
}

#[test]
fn what_one_gave_and_took_back_is_taken_back_whatever_came_into_both_since() {
    let (case, a, b) = crossed();
    case.write(a, &[patch("n", "x", 1)]);
    case.merged(a, b);
    assert_eq!(case.property(b, "n", "x"), Some(Value::Integer(1)));
}

#[test]
fn what_the_other_made_of_a_gift_is_no_clash_with_something_else() {
    let (case, a, b) = crossed();
    case.write(b, &[patch("n", "x", 3)]);
    case.write(a, &[patch("n", "y", 3)]);
    case.merged(a, b);
    assert_eq!(case.property(b, "n", "x"), Some(Value::Integer(3)));
}

#[test]
fn what_one_gave_and_the_other_removed_stays_removed() {
    let case = Case::new();
    let [a, b] = ["a", "b"].map(|name| case.fork(name, 1));
    case.write(a, &[patch("new", "x", 2), patch("n", "x", 2)]);
    case.merged(a, b);
    case.write(b, &[remove("new")]);
    case.merged(a, b);
    assert_eq!(case.property(b, "new", "x"), None);
}

#[test]
fn what_came_into_the_graph_and_was_removed_there_stays_removed() {
    let case = Case::new();
    let [a, c] = ["a", "c"].map(|name| case.fork(name, 1));
    case.write(a, &[patch("new", "x", 2)]);
    case.merged(a, 0);
    case.write(c, &[patch("elsewhere", "x", 1)]);
    case.merged(c, a);
    case.merged(c, 0);
    case.write(0, &[remove("new")]);
    case.merged(a, 0);
    assert_eq!(case.property(0, "new", "x"), None);
}

#[test]
fn what_came_into_the_graph_and_was_changed_in_the_fork_is_taken_over() {
    let case = Case::new();
    let [a, c] = ["a", "c"].map(|name| case.fork(name, 1));
    case.write(a, &[patch("n", "x", 2)]);
    case.merged(a, 0);
    case.write(c, &[patch("elsewhere", "x", 1)]);
    case.merged(c, a);
    case.merged(c, 0);
    case.write(a, &[patch("n", "x", 1)]);
    case.merged(a, 0);
    assert_eq!(case.property(0, "n", "x"), Some(Value::Integer(1)));
}

#[test]
fn a_removal_that_nobody_can_judge_any_more_is_told() {
    let case = Case::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| case.fork(name, 1));
    case.write(c, &[patch("new", "x", 2), patch("n", "x", 2)]);
    case.merged(c, a);
    case.merged(c, b);
    case.write(a, &[remove("new"), patch("n", "x", 1)]);
    case.drop(c);
    let clashes = case.merge(a, b).plan.obstacles.len();
    println!("clashes {clashes}, {:?} {:?}", case.property(b, "new", "x"), case.property(b, "n", "x"));
    assert!(clashes > 0 || case.property(b, "new", "x").is_none(), "lost in silence");
}
