//! Scripts with the redis crate: invoked, loaded, in pipelines and transactions, and fetched back when the server forgot them.

use super::{patient, runtime, server};
use redis::{AsyncCommands, Commands, Connection, RedisResult, Script, ServerErrorKind, Value, pipe};

/// Increments unless that would pass a limit, and tells both.
const LIMITED: &str = r"
    local count = tonumber(redis.call('GET', KEYS[1]) or '0')
    if count >= tonumber(ARGV[1]) then
        return {count, false}
    end
    return {redis.call('INCR', KEYS[1]), ARGV[2]}
";

type Told = (i64, Option<String>);

fn exists(connection: &mut Connection, script: &Script) -> bool {
    let found: Vec<bool> = redis::cmd("SCRIPT").arg("EXISTS").arg(script.get_hash()).query(connection).unwrap();
    found == [true]
}

fn flush(connection: &mut Connection) {
    let () = redis::cmd("SCRIPT").arg("FLUSH").query(connection).unwrap();
}

#[track_caller]
fn is_missing<T: std::fmt::Debug>(result: RedisResult<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), redis::ErrorKind::Server(ServerErrorKind::NoScript), "{error}");
}

#[test]
fn invoked_and_loaded() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        let mut connection = client.get_connection().unwrap();
        let () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        flush(&mut connection);
        let limited = Script::new(LIMITED);
        // Not known yet, so the crate loads it.
        assert!(!exists(&mut connection, &limited));
        let told: Told = limited.key("quota").arg(2).arg("taken").invoke(&mut connection).unwrap();
        assert_eq!(told, (1, Some("taken".to_owned())));
        assert!(exists(&mut connection, &limited));
        // What was prepared once is invoked as often as one likes, also when the server has forgotten it meanwhile.
        let mut prepared = limited.prepare_invoke();
        prepared.key("quota").arg(2).arg("again");
        assert_eq!(prepared.invoke::<Told>(&mut connection).unwrap(), (2, Some("again".to_owned())));
        flush(&mut connection);
        assert_eq!(prepared.invoke::<Told>(&mut connection).unwrap(), (2, None));
        flush(&mut connection);
        assert_eq!(limited.load(&mut connection).unwrap(), limited.get_hash());
        assert_eq!(prepared.load(&mut connection).unwrap(), limited.get_hash());
        assert!(exists(&mut connection, &limited));
    }
}

#[test]
fn values_and_errors() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        let mut connection = client.get_connection().unwrap();
        let () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        let mut tell = |script: &str| Script::new(script).invoke::<Value>(&mut connection);
        assert_eq!(tell("return 3.99"), Ok(Value::Int(3)));
        assert_eq!(tell("return nil"), Ok(Value::Nil));
        assert_eq!(tell("return true"), Ok(Value::Int(1)));
        assert_eq!(tell("return redis.status_reply('FINE')"), Ok(Value::SimpleString("FINE".to_owned())));
        assert_eq!(tell("return {1, {}, nil, 4}"), Ok(Value::Array(vec![Value::Int(1), Value::Array(Vec::new())])));
        let told = tell("return redis.error_reply('MINE to tell')").unwrap_err();
        assert_eq!((told.code(), told.detail()), (Some("MINE"), Some("to tell")));
        assert_eq!(tell("return redis.call('LPUSH', 'list', 'a', 'b')"), Ok(Value::Int(2)));
        assert_eq!(tell("return redis.call('INCR', 'list')").unwrap_err().code(), Some("WRONGTYPE"));
        assert_eq!(tell("return (").unwrap_err().kind(), redis::ErrorKind::Server(ServerErrorKind::ResponseError));

        let everything: Vec<u8> = (0..=255).collect();
        let echo = Script::new("return {KEYS[1], ARGV[1], #ARGV[1]}");
        let told: (Vec<u8>, Vec<u8>, usize) =
            echo.key(&everything[..]).arg(&everything[..]).invoke(&mut connection).unwrap();
        assert_eq!(told, (everything.clone(), everything, 256));
        let sum = Script::new("local sum = 0 for _, n in ipairs(ARGV) do sum = sum + n end return {#KEYS, '' .. sum}");
        let told: (i64, f64) = sum.key(&["a", "b"]).arg(&[1.5, 2.25, 1e6]).invoke(&mut connection).unwrap();
        assert_eq!(told, (2, 1_000_003.75));
    }
}

#[test]
fn in_pipelines_and_transactions() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        let mut connection = client.get_connection().unwrap();
        let limited = Script::new(LIMITED);
        for transaction in [false, true] {
            let () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
            flush(&mut connection);
            let mut invocation = limited.key("quota");
            invocation.arg(1).arg("taken");
            let mut pipeline = pipe();
            if transaction {
                pipeline.atomic();
            }
            // A pipeline loads nothing by itself: what the server does not know fails in its place.
            let mut unloaded = pipeline.clone();
            unloaded.set("before", 1).invoke_script(&invocation).set("after", 1);
            is_missing(unloaded.query::<Value>(&mut connection));
            assert_eq!(connection.mget::<_, Vec<Option<i64>>>(&["before", "after"]).unwrap(), [Some(1), Some(1)]);

            let mut loaded = pipeline.clone();
            loaded.load_script(&limited).ignore().invoke_script(&invocation).invoke_script(&invocation).get("quota");
            let told: (Told, Told, i64) = loaded.query(&mut connection).unwrap();
            assert_eq!(told, ((1, Some("taken".to_owned())), (1, None), 1));
        }
    }
}

#[test]
fn invoked_asynchronously() {
    let (_server, resp2, resp3) = server();
    for client in [resp2, resp3] {
        runtime().block_on(async {
            let mut connection = client.get_multiplexed_async_connection_with_config(&patient()).await.unwrap();
            let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
            let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection).await.unwrap();
            // All find it missing at about the same time, and each loads it: that does no harm.
            let tasks: Vec<_> = (0..50)
                .map(|_| {
                    let mut connection = connection.clone();
                    tokio::spawn(async move {
                        let limited = Script::new(LIMITED);
                        limited.key("quota").arg(20).arg("taken").invoke_async::<Told>(&mut connection).await.unwrap()
                    })
                })
                .collect();
            let mut taken = Vec::new();
            for task in tasks {
                if let (count, Some(_)) = task.await.unwrap() {
                    taken.push(count);
                }
            }
            taken.sort_unstable();
            assert_eq!(taken, (1..=20).collect::<Vec<i64>>(), "each once");

            let limited = Script::new(LIMITED);
            let () = redis::cmd("SCRIPT").arg("FLUSH").arg("ASYNC").query_async(&mut connection).await.unwrap();
            is_missing(
                redis::cmd("EVALSHA")
                    .arg(limited.get_hash())
                    .arg(1)
                    .arg("quota")
                    .query_async::<Value>(&mut connection)
                    .await,
            );
            assert_eq!(limited.load_async(&mut connection).await.unwrap(), limited.get_hash());
            let told: (Told, i64) = pipe()
                .atomic()
                .invoke_script(limited.key("quota").arg(21).arg("last"))
                .get("quota")
                .query_async(&mut connection)
                .await
                .unwrap();
            assert_eq!(told, ((21, Some("last".to_owned())), 21));
            assert_eq!(connection.get::<_, i64>("quota").await.unwrap(), 21);
        });
    }
}
