//! The redis crate: synchronous, asynchronous and pooled, with pipelines and transactions, in both protocols.

mod scripts;
mod streams;

use futures_util::StreamExt;
use redis::{AsyncCommands, AsyncConnectionConfig, Commands, PushKind, RedisResult, Value, pipe};
use resplite::Server;
use std::collections::HashMap;

fn server() -> (Server, redis::Client, redis::Client) {
    let server = Server::builder().start().unwrap();
    let url = format!("redis://{}/", server.address().unwrap());
    let resp2 = redis::Client::open(url.as_str()).unwrap();
    let resp3 = redis::Client::open(format!("{url}?protocol=resp3")).unwrap();
    (server, resp2, resp3)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The crate gives up after half a second by itself, which is too little for who waits, and on a busy machine.
fn patient() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None)
}

#[test]
fn synchronous() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        let mut connection = client.get_connection().unwrap();
        let () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        let () = connection.set("answer", 42).unwrap();
        assert_eq!(connection.get::<_, i64>("answer").unwrap(), 42);
        assert_eq!(connection.get::<_, Option<String>>("missing").unwrap(), None);
        let () = connection.hset_multiple("session", &[("state", "menu"), ("user", "7")]).unwrap();
        let session: HashMap<String, String> = connection.hgetall("session").unwrap();
        assert_eq!(session["state"], "menu");
        let () = connection.rpush("chat", &["a", "b", "c"]).unwrap();
        assert_eq!(connection.lrange::<_, Vec<String>>("chat", -2, -1).unwrap(), ["b", "c"]);
        let () = connection.zadd_multiple("board", &[(1.5, "ann"), (2.5, "bob")]).unwrap();
        let board: Vec<(String, f64)> = connection.zrange_withscores("board", 0, -1).unwrap();
        assert_eq!(board, [("ann".to_owned(), 1.5), ("bob".to_owned(), 2.5)]);
        let () = connection.sadd("muted", &[1, 2, 3]).unwrap();
        assert!(connection.sismember::<_, _, bool>("muted", 2).unwrap());
        assert!(connection.expire::<_, bool>("muted", 100).unwrap());
        assert_eq!(connection.ttl::<_, i64>("muted").unwrap(), 100);
        let mut keys: Vec<String> = connection.scan_match::<_, String>("*").unwrap().map(Result::unwrap).collect();
        keys.sort();
        assert_eq!(keys, ["answer", "board", "chat", "muted", "session"]);
        let wrong: RedisResult<i64> = connection.incr("chat", 1);
        assert_eq!(wrong.unwrap_err().code(), Some("WRONGTYPE"));
    }
}

#[test]
fn messages() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        let mut publisher = client.get_connection().unwrap();
        let mut listener = client.get_connection().unwrap();
        let mut listening = listener.as_pubsub();
        listening.subscribe(&["news", "sport"]).unwrap();
        listening.psubscribe("n*").unwrap();
        assert_eq!(publisher.publish::<_, _, i64>("news", "hello").unwrap(), 2);
        let by_name = listening.get_message().unwrap();
        assert_eq!(
            (by_name.get_channel_name(), by_name.get_payload::<String>().unwrap()),
            ("news", "hello".to_owned())
        );
        let by_pattern = listening.get_message().unwrap();
        assert_eq!(by_pattern.get_pattern::<String>().unwrap(), "n*");
        // Dropping it ends the subscriptions, and the connection serves on.
        drop(listening);
        assert_eq!(publisher.publish::<_, _, i64>("news", "nobody").unwrap(), 0);
        let () = listener.set("key", 1).unwrap();
    }
}

#[test]
fn asynchronous_messages() {
    let (_server, resp2, resp3) = server();
    // Over RESP2 a connection that listens gets its PING answered as a message.
    let message = Value::Array(vec![Value::BulkString(b"pong".to_vec()), Value::BulkString(Vec::new())]);
    for (client, pong) in [(resp2, message), (resp3, Value::SimpleString("PONG".to_owned()))] {
        runtime().block_on(async {
            let mut publisher = client.get_multiplexed_async_connection_with_config(&patient()).await.unwrap();
            let mut listener = client.get_async_pubsub().await.unwrap();
            listener.subscribe("news").await.unwrap();
            listener.psubscribe(&["chat:*", "n?ws"]).await.unwrap();
            assert_eq!(listener.ping::<Value>().await.unwrap(), pong);
            let (mut orders, mut messages) = listener.split();
            let heard = tokio::spawn(async move {
                let mut heard = Vec::new();
                while let Some(message) = messages.next().await {
                    let pattern: Option<String> = message.get_pattern().unwrap();
                    let (channel, text): (String, String) =
                        (message.get_channel().unwrap(), message.get_payload().unwrap());
                    let last = text == "end";
                    heard.push((pattern, channel, text));
                    if last {
                        break;
                    }
                }
                heard
            });
            assert_eq!(publisher.publish::<_, _, i64>("news", "hello").await.unwrap(), 2);
            assert_eq!(publisher.publish::<_, _, i64>("chat:7", "all").await.unwrap(), 1);
            // Orders can be given while a task listens.
            orders.unsubscribe("news").await.unwrap();
            orders.punsubscribe("n?ws").await.unwrap();
            orders.subscribe("late").await.unwrap();
            assert_eq!(publisher.publish::<_, _, i64>("news", "nobody").await.unwrap(), 0);
            assert_eq!(publisher.publish::<_, _, i64>("late", "end").await.unwrap(), 1);
            let message = |pattern: Option<&str>, channel: &str, text: &str| {
                (pattern.map(str::to_owned), channel.to_owned(), text.to_owned())
            };
            let expected = [
                message(None, "news", "hello"),
                message(Some("n?ws"), "news", "hello"),
                message(Some("chat:*"), "chat:7", "all"),
                message(None, "late", "end"),
            ];
            assert_eq!(heard.await.unwrap(), expected);
        });
    }
}

#[test]
fn messages_on_a_connection_that_also_asks() {
    let (_server, _, resp3) = server();
    runtime().block_on(async {
        let (sender, mut pushes) = tokio::sync::mpsc::unbounded_channel();
        let config = patient().set_push_sender(sender);
        let mut connection = resp3.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        connection.subscribe("news").await.unwrap();
        connection.psubscribe("n*").await.unwrap();
        // RESP3 lets one connection listen, publish and ask.
        assert_eq!(connection.publish::<_, _, i64>("news", "hello").await.unwrap(), 2);
        assert_eq!(connection.incr::<_, _, i64>("n", 1).await.unwrap(), 1);
        connection.unsubscribe("news").await.unwrap();
        connection.punsubscribe("n*").await.unwrap();
        let mut kinds = Vec::new();
        while kinds.last() != Some(&PushKind::PUnsubscribe) {
            kinds.push(pushes.recv().await.unwrap().kind);
        }
        use PushKind::{Message, PMessage, PSubscribe, PUnsubscribe, Subscribe, Unsubscribe};
        assert_eq!(kinds, [Subscribe, PSubscribe, Message, PMessage, Unsubscribe, PUnsubscribe]);
    });
}

#[test]
fn pipelines_and_transactions() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        let mut connection = client.get_connection().unwrap();
        let () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        let (one, two): (i64, Option<String>) = pipe().cmd("INCR").arg("n").get("none").query(&mut connection).unwrap();
        assert_eq!((one, two), (1, None));
        let (set, sum): (String, i64) = pipe().atomic().set("k", "v").incr("n", 5).query(&mut connection).unwrap();
        assert_eq!((set.as_str(), sum), ("OK", 6));
        // A watched transaction that is disturbed once is tried again.
        let mut disturb = client.get_connection().unwrap();
        let mut tries = 0;
        let (total,): (i64,) = redis::transaction(&mut connection, &["balance"], |connection, pipe| {
            let balance: Option<i64> = connection.get("balance")?;
            tries += 1;
            if tries == 1 {
                let () = disturb.set("balance", 100)?;
            }
            pipe.set("balance", balance.unwrap_or(0) + 1).ignore().get("balance").query(connection)
        })
        .unwrap();
        assert_eq!((total, tries), (101, 2));
    }
}

#[test]
fn asynchronous_and_multiplexed() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        runtime().block_on(async {
            let connection = client.get_multiplexed_async_connection_with_config(&patient()).await.unwrap();
            let tasks = (0..50).map(|_| {
                let mut connection = connection.clone();
                tokio::spawn(async move {
                    for _ in 0..20 {
                        let () = connection.incr("counter", 1).await.unwrap();
                    }
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.unwrap();
            }
            let mut connection = connection.clone();
            assert_eq!(connection.get::<_, i64>("counter").await.unwrap(), 1000);
            let () = connection.del("counter").await.unwrap();
            let mut managed = client.get_connection_manager().await.unwrap();
            let answers: (i64, String) =
                pipe().atomic().incr("managed", 2).set("k", 1).query_async(&mut managed).await.unwrap();
            assert_eq!(answers, (2, "OK".to_owned()));
            let () = managed.del("managed").await.unwrap();
        });
    }
}

#[test]
fn pooled() {
    let (_server, resp2, _) = server();
    let pool = r2d2::Pool::builder().max_size(4).build(resp2).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let () = pool.get().unwrap().incr("n", 1).unwrap();
                }
            });
        }
    });
    assert_eq!(pool.get().unwrap().get::<_, i64>("n").unwrap(), 400);
}

#[test]
fn over_a_unix_socket_and_with_a_password() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("resplite.sock");
    let _server = Server::builder().no_port().unix_socket(path.to_str().unwrap()).password("secret").start().unwrap();
    let url = format!("redis+unix://{}?pass=secret&db=3", path.display());
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    let () = connection.set("k", "v").unwrap();
    assert_eq!(connection.get::<_, String>("k").unwrap(), "v");
    let refused = redis::Client::open(format!("redis+unix://{}", path.display())).unwrap();
    assert!(refused.get_connection().and_then(|mut connection| connection.get::<_, Option<String>>("k")).is_err());
}
