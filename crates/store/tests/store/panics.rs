//! A panic while a commit is carried out: whoever writes later is told, and whoever reads sees nothing of it.

use karyon_graph::{Gate, Names, Open};
use karyon_model::{Code, NameId, Result, Verb};
use karyon_store::{Author, Store};
use karyon_testkit::VerbWriter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Asked after the changes were carried out and before they are published.
struct Defect;

impl Gate for Defect {
    fn read_node(&self, _: &mut dyn Iterator<Item = NameId>, _: &Names) -> Result<()> {
        Ok(())
    }

    fn read_unknown(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn write_node(&self, _: &mut dyn Iterator<Item = NameId>, _: &Names) -> Result<()> {
        panic!("a defect, made for this test")
    }
}

#[test]
fn after_a_panic_in_a_commit_reads_go_on_without_it_and_writes_do_not() {
    let store = Store::memory(Arc::new(|| 1));
    let author = Author { principal: "root", incarnation: 0, cause: None, gate: &Open };
    let mut verbs = VerbWriter::default();
    verbs.push(&Verb::Put { key: "a", labels: vec![], changes: vec![] });
    let mut transaction = store.begin().unwrap();
    transaction.push(verbs.bytes()).unwrap();
    let commit = AssertUnwindSafe(|| store.commit(&transaction, Author { gate: &Defect, ..author }));
    assert!(catch_unwind(commit).is_err());
    {
        let body = store.body().unwrap();
        assert_eq!((body.graph.head(), body.graph.numbered(), body.graph.node_id("a")), (0, (0, 0), None));
    }
    assert_eq!(store.commit(&transaction, author).unwrap_err().code(), Code::Panic);
    assert_eq!(store.durable(), 0);
}
