//! A client that knows sockets and reply bytes and nothing else, so that nothing is hidden from a test.

use super::frame;
use bytes::BytesMut;
use resplite::Value;
use resplite_resp::reply::Protocol;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A stream of either kind.
trait Stream: Read + Write + Send {
    fn set_waits(&self, waits: bool);
}

impl Stream for TcpStream {
    fn set_waits(&self, waits: bool) {
        self.set_nonblocking(!waits).expect("an open socket");
    }
}

impl Stream for UnixStream {
    fn set_waits(&self, waits: bool) {
        self.set_nonblocking(!waits).expect("an open socket");
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn set_waits(&self, waits: bool) {
        self.sock.set_waits(waits);
    }
}

/// A connection to any server that speaks the protocol.
pub struct Connection {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
    pub protocol: Protocol,
}

/// Nothing here takes so long; a test that waits longer has found a hang.
const PATIENCE: Duration = Duration::from_secs(60);

impl Connection {
    /// Connects over TCP.
    pub fn tcp(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(stream)
    }

    /// Connects over TCP to a server that may be gone.
    pub fn try_tcp(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        Some(Self::over(stream))
    }

    /// Connects by TLS as `config` says, with the handshake behind it.
    pub fn tls(address: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::from(address.ip());
        let mut session = ClientConnection::new(config, name).map_err(std::io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        Ok(Self::over(StreamOwned::new(session, stream)))
    }

    /// Connects over a Unix socket.
    pub fn unix(path: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self::over(stream))
    }

    fn over(stream: impl Stream + 'static) -> Self {
        Connection { stream: Box::new(stream), buffer: BytesMut::new(), protocol: Protocol::Resp2 }
    }

    /// Switches to RESP3.
    pub fn hello3(mut self) -> Self {
        self.protocol = Protocol::Resp3;
        let reply = self.call(["HELLO", "3"]);
        assert!(reply.as_error().is_none(), "HELLO 3: {reply:?}");
        self
    }

    /// Sends a command and reads its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: impl IntoIterator<Item = A>) -> Value {
        self.send(args);
        self.read()
    }

    /// Sends a command.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: impl IntoIterator<Item = A>) {
        self.send_raw(&encode(args));
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes what is sent");
    }

    /// Sends bytes to a server that may end the connection meanwhile.
    pub fn try_send_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads a reply.
    pub fn read(&mut self) -> Value {
        self.try_read().expect("a reply, not the end of the connection")
    }

    /// Reads a reply, or `None` at the end of the connection.
    pub fn try_read(&mut self) -> Option<Value> {
        loop {
            if let Some(value) = Value::decode_mut(self.protocol, &mut self.buffer).expect("a well-formed reply") {
                return Some(value);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads a reply from a server that may cut the connection, in whatever way.
    pub fn try_answer(&mut self) -> Option<Value> {
        let mut chunk = [0; 1024];
        loop {
            if let Some(value) = Value::decode_mut(self.protocol, &mut self.buffer).expect("a well-formed reply") {
                return Some(value);
            }
            let read = self.stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }

    /// Reads a reply as its bytes.
    pub fn read_raw(&mut self) -> Vec<u8> {
        loop {
            if let Some(len) = frame::len(&self.buffer) {
                return self.buffer.split_to(len).to_vec();
            }
            assert!(self.fill(), "a reply, not the end of the connection");
        }
    }

    /// Whether the server shows another client as one that waits.
    pub fn shows_blocked(&mut self, id: &str) -> bool {
        let line = self.call(["CLIENT", "LIST", "ID", id]);
        let line = String::from_utf8_lossy(line.as_bytes().expect("a line")).into_owned();
        line.split(' ').any(|field| field.strip_prefix("flags=").is_some_and(|flags| flags.contains('b')))
    }

    /// What has arrived and was not read yet.
    pub fn arrived(&mut self) -> &[u8] {
        let mut chunk = [0; 1024];
        self.stream.set_waits(false);
        if let Ok(read) = self.stream.read(&mut chunk) {
            self.buffer.extend_from_slice(&chunk[..read]);
        }
        self.stream.set_waits(true);
        &self.buffer
    }

    /// Everything until the end of the connection.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill() {}
        self.buffer.split().to_vec()
    }

    fn fill(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(read) => {
                self.buffer.extend_from_slice(&chunk[..read]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("reading a reply: {error}"),
        }
    }
}

/// A command as its bytes on the wire.
pub fn encode<A: AsRef<[u8]>>(args: impl IntoIterator<Item = A>) -> Vec<u8> {
    let args: Vec<A> = args.into_iter().collect();
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in &args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
