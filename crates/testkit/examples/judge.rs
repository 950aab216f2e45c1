//! Judges histories with `adya`, for tests in other languages.
//!
//! On stdin: for each history a line `{"workload": "list-append" | "rw-register", "model": …}`, its operations as JSON lines, and a
//! blank line. On stdout: for each a line with the anomalies that the model forbids, in order, as a JSON array; empty when there
//! are none. A commit's `version`, where a line has one, is its place in the order of the writes.

use adya::{History, Opts, Valid, Workload, check};
use serde_json::{Value, from_str, json};
use std::io::{Read, stdin};
use std::time::Duration;

/// A search that ends before it is through would be no verdict.
const SEARCH_MAX: Duration = Duration::from_secs(60);

fn main() {
    let mut text = String::new();
    stdin().read_to_string(&mut text).expect("stdin is text");
    for history in text.split("\n\n").filter(|history| !history.trim().is_empty()) {
        let (head, lines) = history.trim_start().split_once('\n').expect("a history follows its head");
        println!("{}", json!(judge(&from_str(head).expect("the head is JSON"), lines)));
    }
}

fn judge(head: &Value, lines: &str) -> Vec<String> {
    let workload = match head["workload"].as_str() {
        Some("list-append") => Workload::ListAppend,
        Some("rw-register") => Workload::RwRegister,
        other => panic!("there is no workload {other:?}"),
    };
    let history = History::from_json(lines).expect("the history can be read");
    let operations = lines.lines().map(|line| from_str::<Value>(line).expect("an operation is JSON"));
    let order = operations.filter_map(|line| Some((line["index"].as_u64()?, line["version"].as_i64()?)));
    let options = Opts {
        models: vec![head["model"].as_str().expect("the head names a model").into()],
        timeout: SEARCH_MAX,
        transaction_order: (workload == Workload::RwRegister).then(|| order.collect()),
        ..Opts::default()
    };
    let report = check(&history, workload, &options);
    assert_ne!(report.valid, Valid::Unknown, "no verdict: {:?}", report.anomaly_types);
    if report.valid == Valid::True { Vec::new() } else { report.anomaly_types }
}
