//! Micro-benches of the structures: one operation at a time, without server, sockets or protocol.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use foldhash::quality::FixedState;
use resplite_storage::glob::{self, Case};
use resplite_storage::listpack::Listpack;
use resplite_storage::packed::{Header, Packed};
use resplite_storage::table::Table;
use resplite_storage::tree::Tree;
use resplite_storage::types::Limits;
use resplite_storage::types::bitmap::{self, Operation};
use resplite_storage::types::hash::Hash;
use resplite_storage::types::list::{List, Side};
use resplite_storage::types::set::Set;
use resplite_storage::types::sorted_set::{AddOptions, Aggregate, ScoreBound, ScoreRange, SortedSet, Source};
use std::hash::BuildHasher;
use std::hint::black_box;

/// Large enough that entries and leaves do not lie in the processor's caches.
const MANY: u32 = 1_000_000;
const LIMITS: Limits = Limits::DEFAULT;

#[derive(Clone, Copy)]
struct Len(u32);

// SAFETY: the length is that of the key that every entry below is made with.
unsafe impl Header for Len {
    fn tail_len(&self) -> usize {
        self.0 as usize
    }
}

/// The key of a number: twelve bytes, as clients like them.
fn key(number: u32) -> [u8; 12] {
    let mut key = *b"key:00000000";
    let mut rest = number;
    for byte in key.iter_mut().rev().take(8) {
        *byte = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

fn mix(key: &[u8]) -> u64 {
    FixedState::with_seed(1).hash_one(key)
}

fn table(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table");
    group.throughput(Throughput::Elements(1));
    let mut rng = Rng::with_seed(1);
    let entry = |number| Packed::new(Len(12), &[&key(number)]);
    let mut table = Table::new();
    for number in 0..MANY {
        table.insert(mix(&key(number)), entry(number), |entry| mix(entry.tail()));
    }
    group.bench_function("find in 1M", |bench| {
        bench.iter(|| {
            let key = key(rng.u32(..MANY));
            table.find(mix(&key), |entry| entry.tail() == key).is_some()
        });
    });
    group.bench_function("remove and insert in 1M", |bench| {
        bench.iter(|| {
            let key = key(rng.u32(..MANY));
            let entry = table.remove(mix(&key), |entry| entry.tail() == key, |entry| mix(entry.tail()));
            if let Some(entry) = entry {
                table.insert(mix(&key), entry, |entry| mix(entry.tail()));
            }
        });
    });
    drop(table);
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("insert 100k", |bench| {
        bench.iter(|| {
            let mut table = Table::new();
            for number in 0..100_000 {
                table.insert(mix(&key(number)), entry(number), |entry| mix(entry.tail()));
            }
            table
        });
    });
    group.finish();
}

fn tree(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tree");
    let mut rng = Rng::with_seed(2);
    let mut tree = Tree::new();
    for number in 0..MANY {
        tree.insert((rng.u64(..), u64::from(number)));
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("insert and remove in 1M", |bench| {
        bench.iter(|| {
            let key = (rng.u64(..), 0);
            tree.insert(key) && tree.remove(&key)
        });
    });
    group.bench_function("rank in 1M", |bench| {
        bench.iter(|| {
            let bound = rng.u64(..);
            tree.partition_point(|key| key.0 < bound)
        });
    });
    group.bench_function("select in 1M", |bench| bench.iter(|| tree.get(rng.usize(..tree.len())).copied()));
    group.throughput(Throughput::Elements(100));
    group.bench_function("range of 100 in 1M", |bench| {
        bench.iter(|| {
            let start = rng.usize(..tree.len() - 100);
            tree.range(start..start + 100).fold(0, |sum, key| sum ^ key.0)
        });
    });
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("append 100k", |bench| {
        bench.iter(|| {
            let mut tree = Tree::new();
            (0..100_000u64).for_each(|key| {
                tree.insert((key, 0));
            });
            tree
        });
    });
    group.finish();
}

fn hash(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hash");
    group.throughput(Throughput::Elements(1));
    let mut rng = Rng::with_seed(3);
    for (name, count) in [("16 fields", 16), ("1M fields", MANY)] {
        let mut hash = Hash::new();
        for number in 0..count {
            hash.set(&key(number), b"a value", &LIMITS);
        }
        group.bench_function(format!("get of {name}"), |bench| {
            bench.iter(|| hash.get(&key(rng.u32(..count))).map(|value| value.len()));
        });
        group.bench_function(format!("set of {name}"), |bench| {
            bench.iter(|| hash.set(&key(rng.u32(..count)), b"a value", &LIMITS));
        });
        group.bench_function(format!("remove and set of {name}"), |bench| {
            bench.iter(|| {
                let key = key(rng.u32(..count));
                hash.remove(&key) && hash.set(&key, b"a value", &LIMITS)
            });
        });
    }
    group.finish();
}

fn set(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("set");
    group.throughput(Throughput::Elements(1));
    let mut rng = Rng::with_seed(4);
    let build = |members: std::ops::Range<u32>| {
        let mut set = Set::new();
        members.for_each(|number| {
            set.insert(&key(number), &LIMITS);
        });
        set
    };
    for (name, count) in [("16 members", 16), ("1M members", MANY)] {
        let mut set = build(0..count);
        group.bench_function(format!("contains of {name}"), |bench| {
            bench.iter(|| set.contains(&key(rng.u32(..count))));
        });
        group.bench_function(format!("random of {name}"), |bench| {
            bench.iter(|| set.random(&mut rng).map(|member| member.len()));
        });
        group.bench_function(format!("pop and insert of {name}"), |bench| {
            bench.iter(|| {
                let mut popped = Vec::new();
                set.pop(1, &mut rng, &LIMITS, |member| member.write_to(&mut popped));
                set.insert(&popped, &LIMITS)
            });
        });
    }
    let mut numbers = Set::new();
    (0..500).for_each(|number: u32| {
        numbers.insert((number * 1000).to_string().as_bytes(), &LIMITS);
    });
    group.bench_function("contains of 500 integers", |bench| {
        bench.iter(|| numbers.contains(black_box(b"250000")));
    });
    let (one, two) = (build(0..20_000), build(10_000..30_000));
    group.throughput(Throughput::Elements(20_000));
    group.bench_function("intersect 20k with 20k", |bench| bench.iter(|| Set::intersection_count(&[&one, &two], 0)));
    group.bench_function("unite 20k with 20k", |bench| bench.iter(|| Set::union(&[&one, &two], &LIMITS)));
    group.finish();
}

fn list(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("list");
    group.throughput(Throughput::Elements(1));
    let mut rng = Rng::with_seed(5);
    for (name, count) in [("16 elements", 16), ("1M elements", MANY)] {
        let mut list = List::new();
        (0..count).for_each(|number| list.push(Side::Back, &key(number), &LIMITS));
        group.bench_function(format!("push back and pop front of {name}"), |bench| {
            bench.iter(|| {
                list.push(Side::Back, b"key:00000000", &LIMITS);
                list.pop(Side::Front, &LIMITS, |item| item.len())
            });
        });
        group.bench_function(format!("push front and pop back of {name}"), |bench| {
            bench.iter(|| {
                list.push(Side::Front, b"key:00000000", &LIMITS);
                list.pop(Side::Back, &LIMITS, |item| item.len())
            });
        });
        group.bench_function(format!("get of {name}"), |bench| {
            bench.iter(|| list.get(i64::from(rng.u32(..count))).map(|item| item.len()));
        });
    }
    let mut list = List::new();
    (0..MANY).for_each(|number| list.push(Side::Back, &key(number), &LIMITS));
    group.throughput(Throughput::Elements(100));
    group.bench_function("range of 100 at the front of 1M", |bench| {
        bench.iter(|| list.range(0..100).map(|item| item.len()).sum::<usize>());
    });
    group.finish();
}

fn sorted_set(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sorted set");
    group.throughput(Throughput::Elements(1));
    let mut rng = Rng::with_seed(6);
    for (name, count) in [("16 members", 16), ("1M members", MANY)] {
        let mut set = SortedSet::new();
        for number in 0..count {
            set.add(&key(number), f64::from(rng.u32(..)), AddOptions::default(), &LIMITS);
        }
        group.bench_function(format!("add to {name}"), |bench| {
            bench.iter(|| {
                let member = key(rng.u32(..count));
                set.add(&member, f64::from(rng.u32(..)), AddOptions::default(), &LIMITS)
            });
        });
        group.bench_function(format!("remove and add new of {name}"), |bench| {
            bench.iter(|| {
                let member = key(rng.u32(..count));
                set.remove(&member);
                set.add(&member, f64::from(rng.u32(..)), AddOptions::default(), &LIMITS)
            });
        });
        group.bench_function(format!("increment in {name}"), |bench| {
            let options = AddOptions { increment: true, ..AddOptions::default() };
            bench.iter(|| set.add(&key(rng.u32(..count)), 1.0, options, &LIMITS));
        });
        group.bench_function(format!("score of {name}"), |bench| bench.iter(|| set.score(&key(rng.u32(..count)))));
        group.bench_function(format!("rank of {name}"), |bench| bench.iter(|| set.rank(&key(rng.u32(..count)))));
        group.bench_function(format!("ten by score of {name}"), |bench| {
            bench.iter(|| {
                let min = ScoreBound { value: f64::from(rng.u32(..)), exclusive: false };
                let ranks = set.ranks_by_score(ScoreRange { min, ..ScoreRange::ALL });
                set.range(ranks).take(10).fold(0.0, |sum, (_, score)| sum + score)
            });
        });
    }
    let build = |members: std::ops::Range<u32>| {
        let mut set = SortedSet::new();
        members.for_each(|number| {
            set.add(&key(number), f64::from(number), AddOptions::default(), &LIMITS);
        });
        set
    };
    let (one, two) = (build(0..20_000), build(10_000..30_000));
    let sources = [(Source::Sorted(&one), 1.0), (Source::Sorted(&two), 2.0)];
    group.throughput(Throughput::Elements(40_000));
    group.bench_function("unite 20k with 20k", |bench| {
        bench.iter(|| SortedSet::union(&sources, Aggregate::Sum, &LIMITS));
    });
    group.throughput(Throughput::Elements(20_000));
    group.bench_function("pop 20k", |bench| {
        let pop = |mut set: SortedSet| {
            set.pop_min(20_000, |member, _| {
                black_box(member.len());
            });
            set
        };
        bench.iter_batched(|| one.clone(), pop, BatchSize::LargeInput);
    });
    group.finish();
}

fn small_parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("small parts");
    let mut listpack = Listpack::new();
    (0..128).for_each(|number| listpack.push_back(key(number).as_slice()));
    group.bench_function("find the last of 128 in a listpack", |bench| {
        bench.iter(|| listpack.find(listpack.start(), black_box(&key(127)), 0));
    });
    group.bench_function("glob with two stars", |bench| {
        bench.iter(|| glob::matches(black_box(b"key:*:name*"), black_box(b"key:00001234:name:first"), Case::Sensitive));
    });
    group.finish();
}

fn bitmap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bitmap");
    let mut rng = Rng::with_seed(1);
    let strings: Vec<Vec<u8>> = (0..3).map(|_| (0..1 << 20).map(|_| rng.u8(..)).collect()).collect();
    let zeros = vec![0; 1 << 20];
    group.throughput(Throughput::Bytes(1 << 20));
    group.bench_function("count 1 MiB", |bench| bench.iter(|| bitmap::count(black_box(&strings[0]))));
    group.bench_function("find nothing in 1 MiB", |bench| {
        bench.iter(|| bitmap::position(black_box(&zeros), true, 0..8 << 20));
    });
    group.throughput(Throughput::Bytes(3 << 20));
    for operation in [Operation::And, Operation::Xor, Operation::Diff1, Operation::One] {
        group.bench_function(format!("{operation:?} of three times 1 MiB"), |bench| {
            bench.iter(|| bitmap::combine(operation, black_box(&strings)));
        });
    }
    group.finish();
}

criterion_group!(benches, table, tree, hash, set, list, sorted_set, bitmap, small_parts);
criterion_main!(benches);
