//! Streams with the redis crate: groups whose consumer goes away, and reading that waits, with and without async.

use super::{patient, runtime, server};
use redis::streams::{
    StreamAddOptions, StreamAutoClaimOptions, StreamAutoClaimReply, StreamClaimReply, StreamInfoConsumersReply,
    StreamInfoGroupsReply, StreamInfoStreamReply, StreamPendingCountReply, StreamPendingReply, StreamRangeReply,
    StreamReadOptions, StreamReadReply, StreamTrimStrategy, StreamTrimmingMode,
};
use redis::{AsyncCommands, Commands};
use std::collections::BTreeSet;

const NEW: &[&str] = &[">"];

fn numbers(reply: &StreamReadReply) -> Vec<i64> {
    reply.keys.iter().flat_map(|key| &key.ids).map(|entry| entry.get("number").unwrap()).collect()
}

#[test]
fn a_group_loses_a_consumer() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        let mut connection = client.get_connection().unwrap();
        let () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        let () = connection.xgroup_create_mkstream("orders", "kitchen", "$").unwrap();
        let again: redis::RedisResult<()> = connection.xgroup_create("orders", "kitchen", "$");
        assert_eq!(again.unwrap_err().code(), Some("BUSYGROUP"));
        let ids: Vec<String> = (0..100)
            .map(|number| connection.xadd("orders", "*", &[("number", number.to_string()), ("dish", "soup".into())]))
            .collect::<Result<_, _>>()
            .unwrap();

        let mut done = BTreeSet::new();
        {
            let mut victim = client.get_connection().unwrap();
            let options = StreamReadOptions::default().group("kitchen", "victim").count(30);
            let taken: StreamReadReply = victim.xread_options(&["orders"], NEW, &options).unwrap();
            assert_eq!(numbers(&taken), (0..30).collect::<Vec<_>>());
            for entry in &taken.keys[0].ids[..10] {
                assert_eq!(victim.xack::<_, _, _, i64>("orders", "kitchen", &[&entry.id]).unwrap(), 1);
                done.insert(entry.get::<i64>("number").unwrap());
            }
            // Here it goes away with twenty orders in hand.
        }
        let StreamPendingReply::Data(pending) = connection.xpending("orders", "kitchen").unwrap() else {
            panic!("nothing is pending");
        };
        assert_eq!((pending.count, &pending.start_id, &pending.end_id), (20, &ids[10], &ids[29]));
        assert_eq!((pending.consumers[0].name.as_str(), pending.consumers[0].pending), ("victim", 20));

        // Not idle for an hour yet.
        let none: StreamAutoClaimReply = connection
            .xautoclaim_options("orders", "kitchen", "heir", 3_600_000, "0-0", StreamAutoClaimOptions::default())
            .unwrap();
        assert!(none.claimed.is_empty() && none.next_stream_id == "0-0");
        let claimed: StreamClaimReply = connection.xclaim("orders", "kitchen", "heir", 0, &[&ids[10]]).unwrap();
        assert_eq!(claimed.ids[0].get::<i64>("number"), Some(10));
        let detail: StreamPendingCountReply = connection.xpending_count("orders", "kitchen", "-", "+", 1).unwrap();
        assert_eq!((detail.ids[0].consumer.as_str(), detail.ids[0].times_delivered), ("heir", 2));

        let mut cursor = "0-0".to_owned();
        loop {
            let options = StreamAutoClaimOptions::default().count(7);
            let found: StreamAutoClaimReply =
                connection.xautoclaim_options("orders", "kitchen", "heir", 0, &cursor, options).unwrap();
            assert!(found.deleted_ids.is_empty());
            for entry in &found.claimed {
                done.insert(entry.get::<i64>("number").unwrap());
                let () = connection.xack("orders", "kitchen", &[&entry.id]).unwrap();
            }
            cursor = found.next_stream_id;
            if cursor == "0-0" {
                break;
            }
        }
        let options = StreamReadOptions::default().group("kitchen", "heir").noack();
        let rest: Option<StreamReadReply> = connection.xread_options(&["orders"], NEW, &options).unwrap();
        done.extend(numbers(&rest.unwrap()));
        assert_eq!(done, (0..100).collect(), "an order is lost");
        assert_eq!(connection.xpending::<_, _, StreamPendingReply>("orders", "kitchen").unwrap().count(), 0);
        let empty: Option<StreamReadReply> = connection.xread_options(&["orders"], NEW, &options).unwrap();
        assert!(empty.is_none_or(|reply| reply.keys.is_empty()));

        let groups: StreamInfoGroupsReply = connection.xinfo_groups("orders").unwrap();
        let group = &groups.groups[0];
        assert_eq!((group.consumers, group.pending, group.entries_read, group.lag), (2, 0, Some(100), Some(0)));
        assert_eq!(&group.last_delivered_id, &ids[99]);
        let consumers: StreamInfoConsumersReply = connection.xinfo_consumers("orders", "kitchen").unwrap();
        assert_eq!(consumers.consumers.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["heir", "victim"]);
        assert_eq!(connection.xgroup_delconsumer::<_, _, _, i64>("orders", "kitchen", "victim").unwrap(), 0);
        assert!(connection.xgroup_destroy::<_, _, bool>("orders", "kitchen").unwrap());
    }
}

#[test]
fn ranges_and_bounds() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        let mut connection = client.get_connection().unwrap();
        let () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        let bounded = StreamAddOptions::default().trim(StreamTrimStrategy::maxlen(StreamTrimmingMode::Exact, 50));
        for number in 1..=200 {
            let id: Option<String> =
                connection.xadd_options("log", format!("{number}-1"), &[("number", number)], &bounded).unwrap();
            assert_eq!(id, Some(format!("{number}-1")));
        }
        let absent = StreamAddOptions::default().nomkstream();
        assert_eq!(connection.xadd_options::<_, _, _, Option<String>>("no", "*", &[("a", 1)], &absent).unwrap(), None);
        assert_eq!(connection.xlen::<_, i64>("log").unwrap(), 50);
        let some: StreamRangeReply = connection.xrange_count("log", "(151-1", "+", 2).unwrap();
        assert_eq!(some.ids.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["152-1", "153-1"]);
        let newest: StreamRangeReply = connection.xrevrange_count("log", "+", "-", 1).unwrap();
        assert_eq!(newest.ids[0].get::<i64>("number"), Some(200));
        assert_eq!(connection.xdel::<_, _, i64>("log", &["200-1", "1-1"]).unwrap(), 1);
        let info: StreamInfoStreamReply = connection.xinfo_stream("log").unwrap();
        assert_eq!((info.length, info.groups, info.last_generated_id.as_str()), (49, 0, "200-1"));
        assert_eq!((info.first_entry.id.as_str(), info.last_entry.id.as_str()), ("151-1", "199-1"));
        let backwards: redis::RedisResult<String> = connection.xadd("log", "7-7", &[("a", 1)]);
        assert!(backwards.unwrap_err().to_string().contains("equal or smaller than the target stream top item"));
    }
}

#[test]
fn waiting_for_what_comes() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        let mut connection = client.get_connection().unwrap();
        let () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        let none: Option<StreamReadReply> =
            connection.xread_options(&["live"], &["$"], &StreamReadOptions::default().block(1)).unwrap();
        assert!(none.is_none_or(|reply| reply.keys.is_empty()));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| -> StreamReadReply {
                let options = StreamReadOptions::default().block(60_000);
                client.get_connection().unwrap().xread_options(&["other", "live"], &["$", "$"], &options).unwrap()
            });
            // Added only when the reader waits, or `$` would lie behind it.
            while !redis::cmd("INFO")
                .arg("clients")
                .query::<String>(&mut connection)
                .unwrap()
                .contains("blocked_clients:1")
            {}
            let () = connection.xadd("live", "*", &[("number", 7)]).unwrap();
            let heard = reader.join().unwrap();
            assert_eq!((heard.keys[0].key.as_str(), numbers(&heard)), ("live", vec![7]));
        });
    }
}

#[test]
fn asynchronous_workers() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        runtime().block_on(async {
            let mut producer = client.get_multiplexed_async_connection_with_config(&patient()).await.unwrap();
            let () = redis::cmd("FLUSHALL").query_async(&mut producer).await.unwrap();
            let () = producer.xgroup_create_mkstream("jobs", "workers", "0").await.unwrap();
            let workers: Vec<_> = (0..4)
                .map(|worker| {
                    let client = client.clone();
                    tokio::spawn(async move {
                        // One that waits would hold up all others on a shared connection.
                        let mut connection =
                            client.get_multiplexed_async_connection_with_config(&patient()).await.unwrap();
                        let options =
                            StreamReadOptions::default().group("workers", format!("w{worker}")).count(5).block(60_000);
                        let mut done: Vec<i64> = Vec::new();
                        loop {
                            let batch: StreamReadReply =
                                connection.xread_options(&["jobs"], NEW, &options).await.unwrap();
                            let ids: Vec<&str> =
                                batch.keys.iter().flat_map(|key| &key.ids).map(|one| one.id.as_str()).collect();
                            let acknowledged: usize = connection.xack("jobs", "workers", &ids).await.unwrap();
                            assert_eq!(acknowledged, ids.len());
                            let found = numbers(&batch);
                            done.extend(found.iter().filter(|number| **number >= 0));
                            if let Some(stops) = found.iter().filter(|number| **number < 0).count().checked_sub(1) {
                                // Who got the orders of others to stop passes them on.
                                for _ in 0..stops {
                                    let () = connection.xadd("jobs", "*", &[("number", -1)]).await.unwrap();
                                }
                                return done;
                            }
                        }
                    })
                })
                .collect();
            for number in 0..200 {
                let () = producer.xadd("jobs", "*", &[("number", number)]).await.unwrap();
            }
            for _ in &workers {
                let () = producer.xadd("jobs", "*", &[("number", -1)]).await.unwrap();
            }
            let mut done: Vec<i64> = Vec::new();
            for worker in workers {
                done.extend(worker.await.unwrap());
            }
            done.sort_unstable();
            assert_eq!(done, (0..200).collect::<Vec<i64>>(), "each once");
            let pending: StreamPendingReply = producer.xpending("jobs", "workers").await.unwrap();
            assert_eq!(pending.count(), 0);
        });
    }
}
