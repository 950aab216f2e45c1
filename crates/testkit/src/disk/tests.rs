use karyon_log::{Disk, OpenMode, SECTOR_BYTES};

use super::{Fate, Fault, SimDisk};

fn written(disk: &SimDisk) -> Box<dyn karyon_log::File> {
    let file = disk.open("f", OpenMode::Create).unwrap();
    file.write_at(0, &[1; 4 * SECTOR_BYTES]).unwrap();
    file
}

fn after(disk: &SimDisk, fate: Fate) -> SimDisk {
    let mut crashes = disk.crashes();
    let mut last = None;
    while let Some(crash) = crashes.next() {
        last = Some(crash.disk(fate));
    }
    last.unwrap()
}

#[test]
fn a_file_needs_its_own_sync_and_that_of_its_directory() {
    let disk = SimDisk::new();
    let file = written(&disk);
    assert_eq!(after(&disk, Fate::Dropped).contents("f"), None);
    file.sync_data().unwrap();
    assert_eq!(after(&disk, Fate::Dropped).contents("f"), None, "its name is not durable");
    disk.sync_dir("").unwrap();
    assert_eq!(after(&disk, Fate::Dropped).contents("f"), Some(vec![1; 4 * SECTOR_BYTES]));
    assert_eq!(after(&disk, Fate::Kept).contents("f"), disk.contents("f"));
}

#[test]
fn unsynced_sectors_are_each_old_or_new() {
    let disk = SimDisk::new();
    let file = written(&disk);
    file.sync_data().unwrap();
    disk.sync_dir("").unwrap();
    file.write_at(0, &[2; 4 * SECTOR_BYTES]).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let bytes = after(&disk, Fate::Torn(seed)).contents("f").unwrap();
        let sectors: Vec<u8> = bytes
            .chunks(SECTOR_BYTES)
            .map(|sector| {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is whole, seed {seed}");
                sector[0]
            })
            .collect();
        seen.insert(sectors);
    }
    assert_eq!(seen.len(), 16, "every subset of four sectors turns up");
}

#[test]
fn an_unsynced_rename_happens_or_does_not() {
    let disk = SimDisk::new();
    written(&disk).sync_data().unwrap();
    disk.sync_dir("").unwrap();
    disk.rename("f", "g").unwrap();
    let names = |fate| after(&disk, fate).list("").unwrap();
    assert_eq!(names(Fate::Dropped), ["f"]);
    assert_eq!(names(Fate::Kept), ["g"]);
    assert!((0..50).map(|seed| names(Fate::Torn(seed))).all(|names| names.len() == 1));
}

#[test]
fn what_lies_in_a_lost_directory_is_lost() {
    let disk = SimDisk::new();
    disk.create_dir("d").unwrap();
    disk.open("d/f", OpenMode::Create).unwrap();
    disk.sync_dir("d").unwrap();
    assert!(!after(&disk, Fate::Dropped).exists("d/f").unwrap());
    assert!(after(&disk, Fate::Kept).exists("d/f").unwrap());
}

#[test]
fn after_a_failed_sync_a_later_one_does_not_save_what_was_lost() {
    let mut lost = 0;
    for seed in 0..20 {
        let disk = SimDisk::new();
        for _ in 0..seed {
            disk.exists("").unwrap();
        }
        let file = written(&disk);
        disk.sync_dir("").unwrap();
        disk.fail(disk.calls(), Fault::Io);
        assert!(file.sync_data().is_err());
        assert_eq!(disk.contents("f"), Some(vec![1; 4 * SECTOR_BYTES]), "reads still see it");
        file.sync_data().unwrap();
        lost += u32::from(after(&disk, Fate::Kept).contents("f") != disk.contents("f"));
    }
    assert!(lost > 0);
}

#[test]
fn faults_hit_the_call_that_was_named_and_no_other() {
    let disk = SimDisk::new();
    disk.fail(1, Fault::Short);
    let file = disk.open("f", OpenMode::Create).unwrap();
    assert!(file.write_at(0, &[1; 1500]).is_err());
    assert_eq!(disk.contents("f"), Some(vec![1; 512]));
    file.write_at(512, &[1; 5]).unwrap();
    disk.set_read_only(true);
    assert!(file.write_at(0, &[2]).is_err());
    assert!(disk.open("g", OpenMode::Create).is_err());
}

#[test]
fn a_lock_ends_with_its_holder_and_with_power() {
    let disk = SimDisk::new();
    let lock = disk.try_lock("lock").unwrap();
    assert!(lock.is_some());
    assert!(disk.try_lock("lock").unwrap().is_none());
    assert!(after(&disk, Fate::Kept).try_lock("lock").unwrap().is_some());
    drop(lock);
    assert!(disk.try_lock("lock").unwrap().is_some());
}

#[test]
fn a_full_disk_takes_what_fits_and_what_is_written_over() {
    let disk = SimDisk::new();
    let file = written(&disk);
    let len = 4 * SECTOR_BYTES as u64;
    disk.set_room(Some(100));
    assert_eq!(file.write_at(len, &[3; 300]).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), len + 100);
    file.write_at(0, &[4; 600]).unwrap();
    assert_eq!(file.write_at(len + 100, &[3]).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(disk.open("g", OpenMode::Create).err().unwrap().kind(), std::io::ErrorKind::StorageFull);
    file.sync_data().unwrap();
    disk.set_room(None);
    file.write_at(len + 100, &[3; 5000]).unwrap();
}

#[test]
fn a_fault_that_lasts_ends_when_the_disk_is_healed() {
    let disk = SimDisk::new();
    let file = written(&disk);
    let before = disk.files();
    disk.fail(disk.calls(), Fault::ReadOnly);
    assert!(disk.exists("f").unwrap(), "it can be read");
    for _ in 0..2 {
        assert_eq!(file.write_at(0, b"x").unwrap_err().kind(), std::io::ErrorKind::ReadOnlyFilesystem);
        assert!(disk.open("f", OpenMode::ReadWrite).is_err() && disk.open("f", OpenMode::Read).is_ok());
    }
    disk.fail(disk.calls(), Fault::Gone);
    for _ in 0..2 {
        assert!(disk.list("").is_err() && disk.exists("f").is_err());
        assert!(file.read_at(0, &mut [0]).is_err() && file.sync_data().is_err());
    }
    assert_eq!(disk.files(), before);
    disk.heal();
    file.write_at(0, b"x").unwrap();
}
