//! TLS between a socket and its connection; it is polled like a socket and knows nothing of certificates or commands.

use super::connection::{Asking, Stream};
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::ReadBuf;

/// Sealed bytes that one read may bring. What they open to, with the rest of a record from before, fits into any buffer
/// that a connection reads into.
const CHUNK: usize = 16 * 1024;

/// A socket whose bytes are sealed.
pub(crate) struct Secure {
    socket: Stream,
    session: ServerConnection,
    /// Bytes of the caller's that have been sealed, and count as written once the socket has all of them: so what is
    /// unsent is with the connection, as it is without TLS, and the caller is to come again with the same bytes.
    sealed: usize,
    /// All that this client is told, after the handshake, as nothing is understood before.
    refusal: Option<&'static [u8]>,
}

impl Secure {
    pub(crate) fn new(socket: Stream, config: Arc<ServerConfig>, refusal: Option<&'static [u8]>) -> io::Result<Self> {
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Secure { socket, session, sealed: 0, refusal })
    }

    pub(crate) fn socket(&self) -> &Stream {
        &self.socket
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        asking: Asking,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            let is_end = self.open(buffer)?;
            if is_end || buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            // The handshake's own words. Sealed replies are left to those who wait for their leaving.
            if self.sealed == 0
                && let Poll::Ready(Err(error)) = self.poll_leave(cx, asking)
            {
                return Poll::Ready(Err(error));
            }
            if !self.session.is_handshaking()
                && let Some(text) = self.refusal
            {
                // What is not taken at once is lost, as it is without TLS.
                self.session.writer().write_all(text)?;
                let _ = self.poll_leave(cx, asking);
                return Poll::Ready(Ok(()));
            }
            let mut space = [MaybeUninit::<u8>::uninit(); CHUNK];
            let mut sealed = ReadBuf::uninit(&mut space);
            ready!(self.socket.poll_read(cx, asking, &mut sealed))?;
            let mut sealed = sealed.filled();
            if sealed.is_empty() {
                return Poll::Ready(Ok(()));
            }
            while !sealed.is_empty() {
                let taken = self.session.read_tls(&mut sealed)?;
                if let Err(error) = self.session.process_new_packets() {
                    // The peer is told why, if the socket takes it.
                    let _ = self.poll_leave(cx, asking);
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                }
                // Behind its last word a peer has nothing to say.
                if self.open(buffer)? || taken == 0 {
                    break;
                }
            }
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        asking: Asking,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.sealed == 0 {
            ready!(self.poll_leave(cx, asking))?;
            self.sealed = self.session.writer().write_vectored(slices)?;
        }
        ready!(self.poll_leave(cx, asking))?;
        Poll::Ready(Ok(std::mem::take(&mut self.sealed)))
    }

    /// Moves what has been opened to the buffer, as much as there is room for; returns whether the peer has said that no
    /// more will come.
    fn open(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
        while buffer.remaining() > 0 {
            let room = buffer.remaining().min(CHUNK);
            match self.session.reader().read(buffer.initialize_unfilled_to(room)) {
                Ok(0) => return Ok(true),
                Ok(read) => buffer.advance(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Sends what is sealed.
    fn poll_leave(&mut self, cx: &mut Context<'_>, asking: Asking) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            let mut way = Way { socket: &mut self.socket, cx, asking };
            match self.session.write_tls(&mut way) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        // Without a last word a client cannot tell an end from a cut.
        self.session.send_close_notify();
        let _ = self.poll_leave(&mut Context::from_waker(Waker::noop()), Asking::Socket);
    }
}

/// The socket as rustls writes to it.
struct Way<'a, 'c> {
    socket: &'a mut Stream,
    cx: &'a mut Context<'c>,
    asking: Asking,
}

impl Write for Way<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.socket.poll_write(self.cx, self.asking, slices) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
