//! How fast requests are decoded and replies written, next to redis-protocol on the same bytes.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis_protocol::resp2::decode::{decode_bytes, decode_range};
use redis_protocol::resp2::encode::extend_encode;
use redis_protocol::resp2::types::BytesFrame;
use resplite_resp::{Batch, Decoder, Limits, Protocol, Reply};

const PIPELINE: usize = 64;

fn pipeline(command: &str, value: Option<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for i in 0..PIPELINE {
        let key = format!("key:{:012}", i * 7919);
        let mut request = Reply::new(Protocol::Resp2);
        request.array(2 + usize::from(value.is_some()));
        request.bulk(command);
        request.bulk(key);
        value.iter().for_each(|value| request.bulk(value));
        bytes.extend_from_slice(&request.as_bytes());
    }
    bytes
}

fn decode(c: &mut Criterion) {
    let inputs = [("get", pipeline("GET", None)), ("set", pipeline("SET", Some("0123456789abcdef")))];
    for (name, input) in inputs {
        let mut group = c.benchmark_group(format!("decode_{name}_x64"));
        group.throughput(Throughput::Elements(PIPELINE as u64));
        group.bench_function("resplite", |b| {
            let (mut decoder, mut batch, limits) = (Decoder::new(), Batch::new(), Limits::default());
            b.iter(|| {
                batch.clear();
                let decoded = decoder.decode(black_box(&input), &limits, usize::MAX, &mut batch);
                assert_eq!((decoded.consumed, batch.len()), (input.len(), PIPELINE));
                batch.iter(&input).map(|args| args[1].len()).sum::<usize>()
            });
        });
        group.bench_function("redis_protocol_range", |b| {
            b.iter(|| {
                let mut at = 0;
                while let Ok(Some((frame, len))) = decode_range(black_box(&input[at..])) {
                    black_box(frame);
                    at += len;
                }
                assert_eq!(at, input.len());
            });
        });
        group.bench_function("redis_protocol_bytes", |b| {
            let input = Bytes::from(input.clone());
            b.iter(|| {
                let mut rest = input.clone();
                while let Ok(Some((frame, len))) = decode_bytes(black_box(&rest)) {
                    black_box(frame);
                    rest = rest.slice(len..);
                }
                assert!(rest.is_empty());
            });
        });
        group.finish();
    }
}

fn write(c: &mut Criterion) {
    let value = b"0123456789abcdef";
    let mut group = c.benchmark_group("write_bulk_x64");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    group.bench_function("resplite", |b| {
        let mut reply = Reply::new(Protocol::Resp2);
        b.iter(|| {
            reply.clear();
            (0..PIPELINE).for_each(|_| reply.bulk(black_box(value)));
            reply.len()
        });
    });
    group.bench_function("redis_protocol", |b| {
        let mut buffer = bytes::BytesMut::new();
        b.iter(|| {
            buffer.clear();
            for _ in 0..PIPELINE {
                let frame = BytesFrame::BulkString(Bytes::from_static(black_box(value)));
                extend_encode(&mut buffer, &frame, false).unwrap();
            }
            buffer.len()
        });
    });
    group.finish();

    let mut group = c.benchmark_group("write_double_x64");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    group.bench_function("resplite", |b| {
        let mut reply = Reply::new(Protocol::Resp3);
        b.iter(|| {
            reply.clear();
            (0..PIPELINE).for_each(|i| reply.double(black_box(i as f64 * 0.37)));
            reply.len()
        });
    });
    group.finish();
}

criterion_group!(benches, decode, write);
criterion_main!(benches);
