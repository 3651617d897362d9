//! A client inside the process: commands go to the engine on the caller's thread, without a socket.

use crate::engine::Engine;
use crate::registry::ClientRecord;
use crate::session::Session;
use crate::waiting::Pending;
use resplite_resp::reply::{Protocol, Reply};
use resplite_resp::request::OwnedArgs;
use resplite_resp::value::Value;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::Thread;

/// A connection to a server in the same process, with its own database, transaction and name.
///
/// Commands run on the calling thread and return when they are done, those that wait (BLPOP, XREAD with BLOCK ..) when they
/// have waited; a client is `Send`, so each thread takes its own.
/// It needs no login and may do everything, whatever the rights of the user `default` are; AUTH makes it another user.
/// After its server has ended it gets nothing but errors.
pub struct Client {
    engine: Arc<Engine>,
    session: Session,
}

impl Client {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let id = engine.registry.next_id();
        let record = ClientRecord::local(id, "local".into(), engine.acl.host.clone(), engine.clock.millis());
        let session = engine.open_session(record);
        Client { engine, session }
    }

    /// Runs one command, its name first, and returns its reply; an error reply is a [`Value::Error`].
    ///
    /// ```
    /// let server = resplite::Server::builder().no_port().start()?;
    /// let mut client = server.client();
    /// assert!(client.call(["SET", "greeting", "hello"]).is_ok());
    /// assert_eq!(client.call(["GET", "greeting"]).as_str(), Some("hello"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn call<A: AsRef<[u8]>>(&mut self, args: impl IntoIterator<Item = A>) -> Value {
        let mut reply = Reply::new(self.session.protocol);
        self.run(args, &mut reply);
        let protocol = self.session.protocol;
        decode(protocol, reply).pop().unwrap_or(Value::Nil)
    }

    /// Runs several commands one after the other and returns their replies in order.
    pub fn pipeline<C, A>(&mut self, commands: impl IntoIterator<Item = C>) -> Vec<Value>
    where
        C: IntoIterator<Item = A>,
        A: AsRef<[u8]>,
    {
        commands.into_iter().map(|command| self.call(command)).collect()
    }

    /// What subscriptions have brought since the last call, in the order in which it came: each message as a socket would
    /// carry it.
    ///
    /// A client that lets more of it lie than `client-output-buffer-limit` allows subscribers has lost it, and all that
    /// would have come later.
    ///
    /// ```
    /// let server = resplite::Server::builder().no_port().start()?;
    /// let (mut listener, mut speaker) = (server.client(), server.client());
    /// listener.call(["SUBSCRIBE", "news"]);
    /// speaker.call(["PUBLISH", "news", "hello"]);
    /// let messages = listener.messages();
    /// assert_eq!(messages[0].as_slice().and_then(|parts| parts[2].as_str()), Some("hello"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn messages(&mut self) -> Vec<Value> {
        let mut frames = Reply::new(self.session.protocol);
        // After an overflow there is nothing left, which is what the caller is told.
        self.session.record.outbox.drain(&mut frames);
        decode(self.session.protocol, frames)
    }

    /// Runs one command and returns its reply as the bytes that a socket would carry.
    pub fn call_raw<A: AsRef<[u8]>>(&mut self, args: impl IntoIterator<Item = A>) -> Vec<u8> {
        let mut reply = Reply::new(self.session.protocol);
        self.run(args, &mut reply);
        reply.as_bytes().into_owned()
    }

    fn run<A: AsRef<[u8]>>(&mut self, args: impl IntoIterator<Item = A>, reply: &mut Reply) {
        let args: OwnedArgs = args.into_iter().collect();
        if args.is_empty() {
            return reply.error("ERR empty command");
        }
        let start = reply.checkpoint();
        self.engine.execute_one(&mut self.session, args.as_args(), reply);
        while self.session.is_paused {
            let (engine, record) = (&self.engine, &self.session.record);
            park_until(record, || !engine.pause.wait(record));
            self.engine.execute_one(&mut self.session, args.as_args(), reply);
        }
        self.finish_wait(reply);
        self.engine.log.throttle();
        self.engine.keyspace.throttle();
        if self.engine.must_wait(&mut self.session) && self.engine.log.wait_durable(self.session.log_position).is_err()
        {
            reply.rollback(start);
            reply.error(self.engine.log_failed().as_bytes());
        }
    }
}

impl Client {
    /// Waits, if the command does, until it is served or gives up.
    fn finish_wait(&mut self, reply: &mut Reply) {
        let record = self.session.record.clone();
        let (engine, session) = (&self.engine, &mut self.session);
        let Some(position) = session.pending.as_ref().and_then(Pending::log_position) else {
            return park_until(&record, || engine.poll_wait(session, reply));
        };
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        park_until(&record, || {
            // Whether it is ready already is asked again behind this.
            let _ = engine.log.poll_reached(position, &waker);
            engine.poll_wait(session, reply)
        });
        engine.log.forget(&waker);
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Parks this thread until `is_done`, which is asked again whenever the client's waker is called.
fn park_until(record: &ClientRecord, mut is_done: impl FnMut() -> bool) {
    if is_done() {
        return;
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        record.waker.register(&waker);
        if is_done() {
            return;
        }
        std::thread::park();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.engine.clone().close_session(&mut self.session);
    }
}

fn decode(protocol: Protocol, reply: Reply) -> Vec<Value> {
    let mut bytes = reply.into_bytes();
    let mut values = Vec::new();
    // HELLO switches in the middle of its own reply's making: what it wrote is in the new protocol, which reads both.
    let _ = protocol;
    while let Ok(Some(value)) = Value::decode(Protocol::Resp3, &mut bytes) {
        values.push(value);
    }
    values
}
