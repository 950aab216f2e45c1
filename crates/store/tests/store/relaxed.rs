//! A relaxed store acknowledges before the disk has it: what a crash takes is the newest commits, and nothing in between.

use std::sync::Arc;

use karyon_model::Seq;
use karyon_store::{Options, Store};
use karyon_testkit::disk::{Fate, SimDisk};
use karyon_testkit::{LogicalClock, Random};

use crate::invariants::{self, Expected};
use crate::model::carry_out;
use crate::{rig, workload};

fn open(disk: &SimDisk) -> Arc<Store> {
    let clock = Arc::new(LogicalClock::new(1_000_000));
    let options = rig::options(Arc::new(disk.clone()), &clock);
    Store::open(Options { relaxed: true, ..options }).unwrap().0
}

#[test]
fn a_commit_counts_at_once_and_the_disk_follows() {
    let (disk, mut random) = (SimDisk::new(), Random::new(1));
    let store = open(&disk);
    let mut committed = 0;
    while committed < 20 {
        let steps = workload::steps(&mut random, &Default::default());
        committed = rig::commit(&store, &steps).map_or(committed, |committed| committed.seq);
        assert_eq!(store.durable(), committed);
    }
    assert_eq!((store.on_disk(), store.stats().unwrap().durable), (0, 0));
    assert_eq!(store.verify().unwrap().version, 0);
    while store.write_frame().unwrap() {}
    assert_eq!((store.on_disk(), store.durable()), (20, 20));
    rig::commit(&store, &workload::steps(&mut random, &Default::default())).ok();
    let newest = store.durable();
    assert_eq!(store.checkpoint().unwrap(), Some(newest), "an image waits for the log");
    store.close().unwrap();
    drop(store);
    assert_eq!(open(&disk).durable(), newest);
}

#[test]
fn what_a_power_cut_takes_is_the_newest() {
    let mut lost = 0;
    for seed in rig::seeds(70_000, 6) {
        let (disk, mut random, mut expected) = (SimDisk::new(), Random::new(seed), Expected::new());
        let store = open(&disk);
        // (operations of the disk, version that was on it after them).
        let mut kept: Vec<(usize, Seq)> = vec![(0, 0)];
        for _ in 0..60 {
            if random.chance(1, 4) {
                store.write_frame().unwrap();
                kept.push((disk.operations(), store.on_disk()));
                continue;
            }
            let before = expected.oracle.newest().clone();
            let steps = workload::steps(&mut random, &before);
            let head = store.durable();
            if let (Ok(committed), Ok((verbs, _))) = (rig::commit(&store, &steps), carry_out(&steps, &before))
                && committed.seq > head
            {
                expected.oracle.apply(&verbs).unwrap();
                expected.prints.push(crate::footprint::Footprint::of(&steps, &before));
                expected.times.push(committed.time);
                expected.principals.push("root".into());
                expected.declared.push(Default::default());
            }
        }
        let published = expected.oracle.version();
        let mut crashes = disk.crashes();
        while let Some(crash) = crashes.next() {
            let least =
                kept.iter().take_while(|kept| kept.0 <= crash.operations).last().map_or(0, |kept| kept.1);
            for fate in Fate::spread(random.next_u64(), 1) {
                let found = open(&crash.disk(fate));
                let recovered = found.durable();
                invariants::acknowledged_is_durable(recovered, least, published).unwrap();
                invariants::as_of_equals_oracle(&found, &expected, recovered, 3).unwrap();
                invariants::structure_holds(&found, recovered).unwrap();
                lost += usize::from(recovered < published);
            }
        }
    }
    assert!(lost > 100, "a power cut that takes nothing proves nothing: {lost}");
}
