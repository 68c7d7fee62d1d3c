//! Measures a store alone: reads, writes, appends and commits, without topology or log.
//!
//! The time of writes includes a commit after every ten thousand rows.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{BenchResult, criterion, load, pipeline::Backend, report::Report};
use criterion::{SamplingMode, Throughput};
use tempfile::TempDir;
use tidemill::state::{ByteStore, ByteWindowStore, MemoryBackend, RocksDbBackend, RocksDbOptions, RocksDbShared, Row};

const ROWS: usize = 200_000;
const FRAMES: usize = 100_000;
const COMMIT_ROWS: usize = 10_000;
const SECOND_MS: i64 = 1000;

fn main() {
    let (mut criterion, mut report) = (criterion(), Report::default());
    let keys: Vec<_> = (0..load(ROWS) as u64).map(key).collect();
    let mut group = criterion.benchmark_group("stores");
    group.sampling_mode(SamplingMode::Flat);
    for backend in Backend::BOTH {
        let mut bench = |what: &str, count: usize, run: &dyn Fn(&mut Report, &str) -> BenchResult<Duration>| {
            let name = format!("{what}/{}", backend.name());
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(&name, |bencher| {
                bencher.iter_custom(|runs| (0..runs).map(|_| run(&mut report, &name).expect("the store works")).sum());
            });
        };
        bench("put-commit", keys.len(), &|report, name| {
            let dir = TempDir::new()?;
            let mut store = open(backend, &dir, &RocksDbOptions::default())?;
            let (wall, filled) = report.measure(name, keys.len() as u64, || fill(&mut store, &keys));
            filled.map(|()| wall)
        });
        bench("get", keys.len(), &|report, name| {
            let dir = TempDir::new()?;
            let mut store = open(backend, &dir, &RocksDbOptions::default())?;
            fill(&mut store, &keys)?;
            store.flush()?;
            let read =
                || keys.iter().rev().try_fold(0, |found, key| Ok(found + usize::from(store.get(key)?.is_some())));
            let (wall, found): (_, BenchResult<usize>) = report.measure(name, keys.len() as u64, read);
            assert_eq!(found?, keys.len(), "{name}: every row is found");
            Ok(wall)
        });
        bench("append-1800-bytes-expire", load(FRAMES), &|report, name| {
            let dir = TempDir::new()?;
            let store = open(backend, &dir, &RocksDbOptions::windows())?;
            let mut windows = ByteWindowStore::new(store, 4 * SECOND_MS)?;
            let (wall, appended) = report.measure(name, load(FRAMES) as u64, || append(&mut windows));
            appended.map(|()| wall)
        });
    }
    group.finish();
    criterion.final_summary();
    report.print();
}

fn open(backend: Backend, dir: &TempDir, options: &RocksDbOptions) -> BenchResult<ByteStore> {
    Ok(match backend {
        Backend::Memory => ByteStore::new("rows", Box::new(MemoryBackend::new())),
        Backend::RocksDb => {
            let shared = RocksDbShared::default();
            ByteStore::new("rows", Box::new(RocksDbBackend::open(dir.path(), options, &shared, false)?))
        }
    })
}

/// A key. Consecutive numbers give keys in random order.
fn key(i: u64) -> Bytes {
    Bytes::from(format!("{:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

fn fill(store: &mut ByteStore, keys: &[Bytes]) -> BenchResult<()> {
    for (part, keys) in keys.chunks(COMMIT_ROWS).enumerate() {
        for key in keys {
            store.put(key.clone(), Row { timestamp: 0, value: Bytes::from_static(&[b'v'; 50]) });
        }
        store.commit(Some(part as i64))?;
    }
    Ok(())
}

/// Appends frames of a thousand users, five per second each, in windows of three seconds that expire one second later.
fn append(windows: &mut ByteWindowStore) -> BenchResult<()> {
    let keys: Vec<_> = (0..1000).map(|user| format!("stream-{user}")).collect();
    let frame = Bytes::from(vec![b'f'; 1800]);
    for i in 0..load(FRAMES) {
        let timestamp = (i / 5000) as i64 * SECOND_MS;
        let start = timestamp / (3 * SECOND_MS) * 3 * SECOND_MS;
        windows.append(start, keys[i % 1000].as_bytes(), Row { timestamp, value: frame.clone() })?;
        if i % COMMIT_ROWS == COMMIT_ROWS - 1 {
            windows.expire_before(timestamp - 4 * SECOND_MS + 1);
            windows.commit(Some(i as i64))?;
        }
    }
    Ok(())
}
