//! Waiting and telling: what it costs to publish to many, to feed a stream's workers, and to hand an element to one who
//! waits.

use super::{Kind, Server, Tools, command, machine, now};
use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

/// Clients that listen.
const LISTENERS: usize = 1000;
/// Workers of the stream's group.
const WORKERS: usize = 50;

/// One measurement: CPU microseconds per operation, and microseconds of the median and the slowest hundredth, if it takes
/// them.
struct Sample {
    cpu: f64,
    latency: Option<(f64, f64)>,
}

type Measure = fn(&Server, usize) -> Result<Sample, String>;

/// A row: its name, what measures it, and how many operations.
const ROWS: &[(&str, Measure, usize)] = &[
    ("PUBLISH to 1000 subscribers, for each that hears it", publish_to_all, 300),
    ("PUBLISH to 1000 patterns that match, for each that hears it", publish_to_patterns, 300),
    ("PUBLISH beside 1000 patterns of which one matches", publish_to_one, 20_000),
    ("XADD, XREADGROUP and XACK by 50 workers, for each entry", work_on_stream, 50_000),
    ("LPUSH to a waiting BRPOP, for each element", hand_over, 20_000),
];

/// Prints the table, or those of its rows that begin with one of the words in `wanted`.
pub(super) fn run(tools: &Tools, rounds: usize, wanted: Option<&str>) -> Result<(), String> {
    println!("Waiting and telling: server CPU in microseconds, {}.\n", machine());
    // The load has the other core to itself.
    let pid = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-cp", "1", &pid]).stdout(Stdio::null()).status();
    if !pinned.is_ok_and(|status| status.success()) {
        return Err("taskset cannot pin this process".to_owned());
    }

    println!("| | Resplite | redis-server | valkey-server | ratio to the best peer | null |");
    println!("|---|---|---|---|---|---|");
    let arms = [
        (Kind::Resplite, "Resplite"),
        (Kind::Redis, "redis-server"),
        (Kind::Valkey, "valkey-server"),
        (Kind::Valkey, "valkey-server again"),
    ];
    let is_wanted =
        |name: &str| wanted.is_none_or(|words| words.split(',').any(|word| name.to_uppercase().starts_with(word)));
    for (name, measure, count) in ROWS.iter().filter(|(name, ..)| is_wanted(name)) {
        let mut samples: [Vec<Sample>; 4] = Default::default();
        for _ in 0..rounds {
            for ((kind, arm), samples) in arms.iter().zip(&mut samples) {
                let server = tools.start(*kind, arm)?;
                samples.push(measure(&server, *count)?);
            }
        }
        let median = |samples: &mut Vec<Sample>| {
            samples.sort_by(|one, other| one.cpu.total_cmp(&other.cpu));
            samples.swap_remove(samples.len() / 2)
        };
        let [ours, redis, valkey, again] = samples.each_mut().map(median);
        let show = |sample: &Sample| match sample.latency {
            Some((half, most)) => format!("{:.2} (p50 {half:.0} us, p99 {most:.0} us)", sample.cpu),
            None => format!("{:.2}", sample.cpu),
        };
        println!(
            "| {name} | {} | {} | {} | **{:.2}** | {:.2} |",
            show(&ours),
            show(&redis),
            show(&valkey),
            ours.cpu / redis.cpu.min(valkey.cpu).min(again.cpu),
            again.cpu / valkey.cpu,
        );
    }
    Ok(())
}

/// Runs a load that never sleeps: whether a server has to wake the other core for each message is a matter of luck, and
/// costs more than all the rest.
fn block_on<T>(future: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        future.await
    })
}

fn failed(error: std::io::Error) -> String {
    format!("the connection: {error}")
}

async fn connect(port: u16) -> Result<tokio::net::TcpStream, String> {
    let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

/// Sends a command and reads until its reply, of which no part may come later, is there.
async fn call(stream: &mut tokio::net::TcpStream, args: &[&str]) -> Result<Vec<u8>, String> {
    stream.write_all(&command(args)).await.map_err(failed)?;
    let mut reply = vec![0; 4096];
    let read = stream.read(&mut reply).await.map_err(failed)?;
    reply.truncate(read);
    match reply.first() {
        None | Some(b'-') => Err(format!("{args:?}: {}", String::from_utf8_lossy(&reply))),
        _ => Ok(reply),
    }
}

/// What the clients that listen have heard, in bytes.
#[derive(Default)]
struct Heard {
    bytes: AtomicU64,
    wanted: AtomicU64,
    enough: Notify,
}

impl Heard {
    fn add(&self, bytes: usize) {
        let bytes = self.bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if bytes >= self.wanted.load(Ordering::Relaxed) {
            self.enough.notify_one();
        }
    }

    async fn wait(&self) {
        while self.bytes.load(Ordering::Relaxed) < self.wanted.load(Ordering::Relaxed) {
            self.enough.notified().await;
        }
    }
}

/// Publishes to clients that have each sent a command of their own; `heard` is what one message is to one of them.
fn publish(
    server: &Server,
    count: usize,
    subscribe: impl Fn(usize) -> [String; 2],
    channel: &str,
    heard_by_all: impl Fn() -> usize,
) -> Result<Sample, String> {
    block_on(async {
        let heard = Arc::new(Heard::default());
        for number in 0..LISTENERS {
            let mut stream = connect(server.port).await?;
            let [verb, name] = subscribe(number);
            call(&mut stream, &[&verb, &name]).await?;
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    heard.add(read);
                }
            });
        }
        let mut publisher = connect(server.port).await?;
        let before = server.cpu()?;
        for _ in 0..count {
            heard.wanted.fetch_add(heard_by_all() as u64, Ordering::Relaxed);
            call(&mut publisher, &["PUBLISH", channel, "a message of some thirty bytes"]).await?;
            heard.wait().await;
        }
        let cpu = (server.cpu()? - before).as_secs_f64() * 1e6 / (count * LISTENERS) as f64;
        Ok(Sample { cpu, latency: None })
    })
}

fn publish_to_all(server: &Server, count: usize) -> Result<Sample, String> {
    let message = command(&["message", "news", "a message of some thirty bytes"]).len();
    publish(server, count, |_| ["SUBSCRIBE".into(), "news".into()], "news", || message * LISTENERS)
}

/// A pattern that matches `news:today` and that nobody else has.
fn pattern(number: usize) -> String {
    format!("news:[{number}t]*")
}

fn publish_to_patterns(server: &Server, count: usize) -> Result<Sample, String> {
    let message =
        |number| command(&["pmessage", &pattern(number), "news:today", "a message of some thirty bytes"]).len();
    let all: usize = (0..LISTENERS).map(message).sum();
    publish(server, count, |number| ["PSUBSCRIBE".into(), pattern(number)], "news:today", || all)
}

fn publish_to_one(server: &Server, count: usize) -> Result<Sample, String> {
    let message = command(&["pmessage", "room:500:*", "room:500:x", "a message of some thirty bytes"]).len();
    let subscribe = |number| ["PSUBSCRIBE".into(), format!("room:{number}:*")];
    let sample = publish(server, count, subscribe, "room:500:x", || message)?;
    Ok(Sample { cpu: sample.cpu * LISTENERS as f64, ..sample })
}

fn work_on_stream(server: &Server, count: usize) -> Result<Sample, String> {
    block_on(async {
        let mut producer = connect(server.port).await?;
        call(&mut producer, &["XGROUP", "CREATE", "jobs", "workers", "$", "MKSTREAM"]).await?;
        let done = Arc::new(Heard::default());
        for number in 0..WORKERS {
            let mut stream = connect(server.port).await?;
            let done = done.clone();
            tokio::spawn(async move {
                let name = format!("worker:{number}");
                let read =
                    ["XREADGROUP", "GROUP", "workers", &name, "COUNT", "1", "BLOCK", "0", "STREAMS", "jobs", ">"];
                while let Ok(reply) = call(&mut stream, &read).await {
                    // The id is the first thing in the reply with a dash.
                    let text = String::from_utf8_lossy(&reply).into_owned();
                    let Some(id) = text.split("\r\n").find(|part| part.contains('-')) else { break };
                    if call(&mut stream, &["XACK", "jobs", "workers", id]).await.is_err() {
                        break;
                    }
                    done.add(1);
                }
            });
        }
        let before = server.cpu()?;
        let add = command(&["XADD", "jobs", "*", "task", "some work to do", "for", "a user of the bot"]);
        let mut replies = vec![0; 65536];
        for _ in 0..count / WORKERS {
            // As many entries as there are workers, and then until they are done.
            done.wanted.fetch_add(WORKERS as u64, Ordering::Relaxed);
            producer.write_all(&add.repeat(WORKERS)).await.map_err(failed)?;
            done.wait().await;
            producer.read(&mut replies).await.map_err(failed)?;
        }
        let cpu = (server.cpu()? - before).as_secs_f64() * 1e6 / (count / WORKERS * WORKERS) as f64;
        Ok(Sample { cpu, latency: None })
    })
}

fn hand_over(server: &Server, count: usize) -> Result<Sample, String> {
    let open = || -> Result<TcpStream, String> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        Ok(stream)
    };
    let (mut giver, mut taker) = (open()?, open()?);
    let (wait, ping) = (command(&["BRPOP", "queue", "0"]), command(&["PING"]));
    let push = command(&["LPUSH", "queue", "an element of thirty bytes, or"]);
    let mut reply = [0; 256];
    let mut latencies = Vec::with_capacity(count);
    let before = server.cpu()?;
    for _ in 0..count {
        taker.write_all(&wait).map_err(failed)?;
        // Once this is answered the other one has been read, too.
        giver.write_all(&ping).map_err(failed)?;
        let _ = giver.read(&mut reply).map_err(failed)?;
        let begin = now();
        giver.write_all(&push).map_err(failed)?;
        let _ = taker.read(&mut reply).map_err(failed)?;
        latencies.push(begin.elapsed().as_secs_f64() * 1e6);
        let _ = giver.read(&mut reply).map_err(failed)?;
    }
    let cpu = (server.cpu()? - before).as_secs_f64() * 1e6 / count as f64;
    latencies.sort_by(f64::total_cmp);
    Ok(Sample { cpu, latency: Some((latencies[count / 2], latencies[count * 99 / 100])) })
}
