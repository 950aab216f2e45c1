//! The engine alone, without Node: a commit, a read of the present, a read of the past.
//!
//! The peer of each is the least that could do the same for one user: a map, and a log of whole copies.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make undocumented items; a bench may panic"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use karyon_graph::{Graph, Open, Reader, Transaction};
use karyon_history::Chapters;
use karyon_model::{Target, Verb};
use karyon_testkit::{Value, VerbWriter};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

const NODES: u64 = 10_000;
const VERSIONS: u64 = 100_000;

fn key(n: u64) -> String {
    format!("node-{:05}", n.wrapping_mul(7919) % NODES)
}

/// One patch of one property, committed.
fn commit(graph: &mut Graph, n: u64) {
    let (key, value) = (key(n), Value::Integer(n.cast_signed()).to_bytes());
    let mut verbs = VerbWriter::default();
    let changes = vec![("n", Some(&value[..]))];
    verbs.push(&Verb::Patch { target: Target::Node(&key), labels: vec![], drop: vec![], changes });
    let mut transaction = Transaction::new(graph.head());
    transaction.push(verbs.bytes()).unwrap();
    let mut prepared = graph.prepare(&transaction, "root", &Open).unwrap().expect("it changes something");
    graph.publish(&mut prepared, usize::MAX).unwrap();
}

fn filled() -> Graph {
    let mut graph = Graph::new(Arc::new(Chapters::in_memory()));
    (0..VERSIONS).for_each(|n| commit(&mut graph, n));
    graph
}

fn commits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine/commit");
    group.throughput(Throughput::Elements(1));
    let mut graph = filled();
    let mut n = VERSIONS;
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            n += 1;
            commit(&mut graph, n);
        });
    });
    let mut present: HashMap<String, i64> = HashMap::new();
    let mut past: Vec<(String, i64)> = Vec::new();
    group.bench_function("map and list of copies", |bencher| {
        bencher.iter(|| {
            n += 1;
            past.push((key(n), n.cast_signed()));
            present.insert(key(n), n.cast_signed());
        });
    });
    group.finish();
}

fn reads(criterion: &mut Criterion) {
    let graph = filled();
    let mut present: HashMap<String, Vec<u8>> = HashMap::new();
    (0..NODES).for_each(|n| drop(present.insert(key(n), Value::Integer(n.cast_signed()).to_bytes())));
    for (name, seq) in [("engine/read", graph.head()), ("engine/read-past", graph.head() / 2)] {
        let mut group = criterion.benchmark_group(name);
        let mut n = 0;
        group.bench_function("ours", |bencher| {
            bencher.iter(|| {
                n += 1;
                let mut reader = Reader::at(&graph, seq, &Open);
                assert!(
                    reader
                        .visit_node(&key(n), &mut |node| {
                            black_box(node.version);
                        })
                        .unwrap()
                );
            });
        });
        group.bench_function("map of the present", |bencher| {
            bencher.iter(|| {
                n += 1;
                assert!(black_box(present.get(&key(n))).is_some());
            });
        });
        group.finish();
    }
}

criterion_group!(engine, commits, reads);
criterion_main!(engine);
