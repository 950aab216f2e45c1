//! Hashed lookup alone, without Node, beside reads of the same amount of memory: what a look costs cannot be less than that.
//!
//! Criterion measures one after the other; what is compared in the same minute, in turns, goes into `rows.json` beside its results.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make undocumented items; a bench may panic"
)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use karyon_engram::{MISSING, Table, Tag, tag};
use karyon_testkit::Random;
use std::hint::black_box;
use std::time::Instant;

const SIZES: [usize; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
const SEED: u64 = 20_261_126;
/// Looks of one round: a power of two.
const LOOKS: usize = 1 << 18;
const BATCH: usize = 1024;
const ROUNDS: usize = 9;
/// A look may take so many times a read.
const LIMIT: f64 = 1.3;
/// How much that may grow while the rows grow tenfold.
const SLOPE_LIMIT: f64 = 0.02;
/// Tags that are nowhere, asked for in the short form; the long one, with `KARYON_LONG=1`, asks for a hundred times as many.
const ABSENT: u64 = 10_000_000;

/// A row of the table that is read raw.
#[repr(align(64))]
#[derive(Clone, Copy)]
struct Line([u64; 8]);

/// A table of so many rows, what is looked for, and as much raw memory, in which one line leads to the next in one circle.
struct Ground {
    table: Table,
    wanted: Vec<Tag>,
    bytes: Vec<[u8; 16]>,
    raw: Vec<Line>,
    places: Vec<usize>,
}

impl Ground {
    fn of(rows: usize) -> Ground {
        let key = |at: usize| tag(SEED, format!("fact/subject/{at}").as_bytes());
        let table: Table = (0..rows).map(|at| (key(at), at as u32)).collect();
        let mut random = Random::new(SEED);
        let mut below = |count: usize| random.below(count);
        let wanted: Vec<Tag> = (0..LOOKS).map(|_| key(below(rows))).collect();
        let bytes = wanted.iter().map(|tag| tag.to_le_bytes()).collect();
        let lines = table.bytes() / size_of::<Line>();
        let mut order: Vec<usize> = (0..lines).collect();
        (1..lines).rev().for_each(|at| order.swap(at, below(at + 1)));
        let mut raw = vec![Line([0; 8]); lines];
        (0..lines).for_each(|at| raw[order[at]].0[0] = order[(at + 1) % lines] as u64);
        let places = (0..LOOKS).map(|_| below(lines)).collect();
        Ground { table, wanted, bytes, raw, places }
    }

    /// Each look begins when the one before has come to its end.
    fn one_at_a_time(&self) -> u32 {
        (0..LOOKS)
            .fold(0, |found, at| self.table.find(self.wanted[(at + (found as usize & 1)) % LOOKS]).unwrap())
    }

    fn dependent_reads(&self) -> u64 {
        (0..LOOKS).fold(0, |at, _| self.raw[at as usize].0[0])
    }

    fn many(&self) -> usize {
        self.bytes.chunks(BATCH).map(|tags| black_box(self.table.find_many(tags)).len()).sum()
    }

    fn independent_reads(&self) -> u64 {
        self.places.iter().fold(0, |sum, at| sum.wrapping_add(self.raw[*at].0[0]))
    }
}

/// Nanoseconds of one of them.
fn time<T>(work: impl FnOnce() -> T) -> f64 {
    let begun = Instant::now();
    black_box(work());
    begun.elapsed().as_nanos() as f64 / LOOKS as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A comparison with a limit, as a line of `rows.json`.
fn row(name: &str, unit: &str, ours: f64, limit: f64, spread: f64, note: &str) -> String {
    // A limit of nothing is held by nothing alone; what may fall below nothing is better by as much.
    let ratio = match (limit, ours) {
        (0.0, _) => f64::from(ours == 0.0),
        (_, ..=0.0) => 1.0 + limit - ours,
        _ => limit / ours,
    };
    format!(
        r#"{{"name":"{name}","unit":"{unit}","ours":{ours},"peer":{limit},"peerName":"limit","ratio":{ratio},"spread":{spread},"note":"{note}"}}"#
    )
}

/// Looks and reads in turns. Returns the rows, and the ratio of one look at a time to a dependent read.
fn compare(rows: usize, ground: &Ground) -> (Vec<String>, f64) {
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(time(|| ground.one_at_a_time()));
        times[1].push(time(|| ground.dependent_reads()));
        times[2].push(time(|| ground.many()));
        times[3].push(time(|| ground.independent_reads()));
    }
    let compared = |ours: usize, read: usize, name: &str, kind: &str| {
        let mut ratios: Vec<f64> =
            times[ours].iter().zip(&times[read]).map(|(ours, read)| ours / read).collect();
        let ratio = median(&mut ratios);
        let spread = (ratios[ROUNDS - 1] - ratios[0]) / ratio;
        let (mine, raw) = (median(&mut times[ours].clone()), median(&mut times[read].clone()));
        let note = format!("{mine:.1} ns against {raw:.1} ns of {kind} read of as much memory, in turns");
        (row(&format!("engram/{name}/{rows}"), "×", ratio, LIMIT, spread, &note), ratio)
    };
    let (one, ratio) = compared(0, 1, "get-rust", "a dependent");
    let (many, _) = compared(2, 3, "get-many-rust", "an independent");
    (vec![one, many], ratio)
}

fn lookups(criterion: &mut Criterion) {
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    for size in SIZES {
        let ground = Ground::of(size);
        let (compared, ratio) = compare(size, &ground);
        rows.extend(compared);
        ratios.push(ratio);
        if size == 1_000_000 {
            rows.extend(counted(&ground));
            let mut group = criterion.benchmark_group("engram/look");
            group.throughput(Throughput::Elements(LOOKS as u64));
            group.bench_function(BenchmarkId::new("ours", size), |bencher| {
                bencher.iter(|| ground.one_at_a_time())
            });
            group.bench_function(BenchmarkId::new("raw dependent reads", size), |bencher| {
                bencher.iter(|| ground.dependent_reads());
            });
            group.finish();
        }
    }
    rows.push(slope(&ratios));
    if let Some(home) = std::env::var_os("CRITERION_HOME") {
        std::fs::write(std::path::Path::new(&home).join("rows.json"), format!("[{}]", rows.join(",")))
            .unwrap();
    }
    rows.iter().for_each(|row| eprintln!("{row}"));
}

/// What does not depend on time: lines read for a hit, and tags that are nowhere and are found all the same.
fn counted(ground: &Ground) -> Vec<String> {
    let lines: Vec<usize> = ground.wanted.iter().map(|tag| ground.table.lines_read(*tag)).collect();
    let mean = lines.iter().sum::<usize>() as f64 / lines.len() as f64;
    let most = lines.iter().max().copied().unwrap() as f64;
    let absent = if std::env::var_os("KARYON_LONG").is_some() { ABSENT * 100 } else { ABSENT };
    let mut accepted = 0;
    for from in (0..absent).step_by(BATCH) {
        let tags: Vec<_> =
            (from..from + BATCH as u64).map(|n| tag(SEED, &n.to_le_bytes()).to_le_bytes()).collect();
        accepted += ground.table.find_many(&tags).iter().filter(|found| **found != MISSING).count();
    }
    let note = format!("cache lines of a hit, the most; {mean:.3} on average, of a table as it is built");
    let probes = format!("of {absent} tags that are nowhere");
    vec![
        row("engram/lines", "×", most, 2.0, 0.0, &note),
        row("engram/false-accept", "×", accepted as f64, 0.0, 0.0, &probes),
    ]
}

/// The slope of the ratio over the logarithm of the rows, by least squares.
fn slope(ratios: &[f64]) -> String {
    let points: Vec<(f64, f64)> =
        SIZES.iter().map(|size| (*size as f64).log10()).zip(ratios.iter().copied()).collect();
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / 4.0, y + point.1 / 4.0));
    let over = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>();
    let slope = over / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>();
    let note = "growth of get-rust's ratio while the rows grow tenfold, 10^4 to 10^7";
    row("engram/get-rust-slope", "×", slope, SLOPE_LIMIT, 0.0, note)
}

criterion_group!(engram, lookups);
criterion_main!(engram);
