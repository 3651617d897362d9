//! A server that gets commands from this one: a connection that waits, each step up to a time-out.

use resplite_resp::number;
use resplite_storage::clock::Stopwatch;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Longest line that a target may answer.
const MOST_LINE: usize = 16 * 1024;

/// Why a target has not done what it was told.
pub(crate) enum Failure {
    /// Nobody knows the host.
    Unknown,
    /// It could not be reached, or did not take what was sent.
    Writing,
    /// It did not answer, or not in a way that makes sense.
    Reading,
    /// What it answered instead of OK.
    Refused(Vec<u8>),
}

/// A server that has got commands and is to answer.
pub(crate) struct Target {
    answers: BufReader<TcpStream>,
    timeout: Duration,
}

/// Connects and sends everything, each step within the time-out.
pub(crate) fn send(host: &[u8], port: &[u8], timeout: Duration, commands: &[u8]) -> Result<Target, Failure> {
    let host = std::str::from_utf8(host).map_err(|_| Failure::Unknown)?;
    // What is no port is one where nobody listens.
    let port = number::parse_i64(port).and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
    let addresses = (host, port).to_socket_addrs().map_err(|_| Failure::Unknown)?;
    let connect = || -> io::Result<TcpStream> {
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    };
    let stream = connect().and_then(|mut stream| {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(timeout))?;
        stream.write_all(commands)?;
        Ok(stream)
    });
    Ok(Target { answers: BufReader::new(stream.map_err(|_| Failure::Writing)?), timeout })
}

impl Target {
    /// Reads an answer, which has to be OK: whatever else is no server may say anything.
    pub(crate) fn expect_ok(&mut self) -> Result<(), Failure> {
        let line = self.line().map_err(|_| Failure::Reading)?;
        let line = line.strip_suffix(b"\r\n").ok_or(Failure::Reading)?;
        match line {
            b"+OK" => Ok(()),
            [b'-', why @ ..] => Err(Failure::Refused(why.to_vec())),
            _ => Err(Failure::Reading),
        }
    }

    /// A line with its end, or as much as a line may have. The time-out is for all of it, however it trickles in.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let (began, mut line) = (Stopwatch::start(), Vec::new());
        while line.len() < MOST_LINE && !line.ends_with(b"\n") {
            let left = self.timeout.checked_sub(began.elapsed()).filter(|left| !left.is_zero());
            self.answers.get_ref().set_read_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
            let there = self.answers.fill_buf()?;
            if there.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let taken = there.iter().position(|byte| *byte == b'\n').map_or(there.len(), |end| end + 1);
            line.extend_from_slice(&there[..taken]);
            self.answers.consume(taken);
        }
        Ok(line)
    }
}
