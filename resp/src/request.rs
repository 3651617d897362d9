//! The request decoder: bytes of a connection to argument lists that point back into them; it never copies a multibulk.

use std::ops::{Index, Range};

use memchr::memchr;

use crate::error::ProtocolError;
use crate::number::parse_i64;

/// Spans are 32 bits wide, so one request may not reach further than this; every sane query buffer limit is below it.
const MAX_REQUEST: usize = i32::MAX as usize;

/// Most arguments of a request before the client has authenticated.
const UNAUTHENTICATED_ARGS: usize = 10;

/// Longest argument before the client has authenticated.
const UNAUTHENTICATED_BULK: usize = 16_384;

/// What a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest argument in bytes (`proto-max-bulk-len`).
    pub max_bulk: usize,
    /// Most arguments of one request.
    pub max_args: usize,
    /// Longest inline command, and longest line that holds a count, in bytes.
    pub max_inline: usize,
    /// Whether the client has authenticated. If not, it may send ten arguments of 16 KiB at most.
    pub authenticated: bool,
}

impl Limits {
    /// What a client may send before it has authenticated. A caller that applies it decodes one request at a time, as
    /// the first may be the one that authenticates.
    pub const UNAUTHENTICATED: Limits = Limits {
        max_bulk: 512 * 1024 * 1024,
        max_args: i32::MAX as usize,
        max_inline: 64 * 1024,
        authenticated: false,
    };

    /// Longest argument that is beyond complaint.
    #[inline]
    fn bulk(&self) -> usize {
        if self.authenticated { self.max_bulk } else { self.max_bulk.min(UNAUTHENTICATED_BULK) }
    }

    /// Highest count that is beyond complaint.
    #[inline]
    fn args(&self) -> usize {
        if self.authenticated { self.max_args } else { self.max_args.min(UNAUTHENTICATED_ARGS) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits { authenticated: true, ..Limits::UNAUTHENTICATED }
    }
}

/// Where one argument lies in the bytes of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Both numbers fit: a request ends below [`MAX_REQUEST`] and a batch is cut before its spans leave 32 bits.
    #[inline]
    fn new(start: usize, len: usize) -> Self {
        Span { start: start as u32, len: len as u32 }
    }

    #[inline]
    fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &bytes[start..start + self.len as usize]
    }
}

/// The requests that one call of [`Decoder::decode`] found. Keep it and [`clear`](Batch::clear) it: its vectors are
/// reused.
#[derive(Debug, Default)]
pub struct Batch {
    spans: Vec<Span>,
    requests: Vec<Request>,
    unquoted: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    first: u32,
    end: u32,
    source: Source,
}

/// All arguments of one request lie in one place, so that reading an argument needs no branch.
#[derive(Debug, Clone, Copy)]
enum Source {
    Input,
    Unquoted,
}

impl Batch {
    /// An empty batch; allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the requests and keeps the memory.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.requests.clear();
        self.unquoted.clear();
    }

    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is no request.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// The arguments of request `i`; `bytes` is the input that was decoded.
    ///
    /// # Panics
    /// If there is no request `i`.
    #[inline]
    pub fn args<'a>(&'a self, i: usize, bytes: &'a [u8]) -> Args<'a> {
        let request = self.requests[i];
        let bytes = match request.source {
            Source::Input => bytes,
            Source::Unquoted => &self.unquoted,
        };
        Args { bytes, spans: &self.spans[request.first as usize..request.end as usize] }
    }

    /// The requests in order; `bytes` is the input that was decoded.
    pub fn iter<'a>(&'a self, bytes: &'a [u8]) -> impl ExactSizeIterator<Item = Args<'a>> {
        (0..self.len()).map(move |i| self.args(i, bytes))
    }

    #[inline]
    fn close(&mut self, first: usize, source: Source) {
        self.requests.push(Request { first: first as u32, end: self.spans.len() as u32, source });
    }
}

/// The arguments of one request, the command's name first. Two words and a length: pass it by value.
#[derive(Clone, Copy, Default)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// How many arguments there are, the name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Argument `i`, if there are so many. Unlike indexing, the slice outlives this copy of the list.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&'a [u8]> {
        self.spans.get(i).map(|span| span.of(self.bytes))
    }

    /// The command's name as the client wrote it; empty if there are no arguments.
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.get(0).unwrap_or_default()
    }

    /// The arguments from `i` on; none if there are fewer.
    #[inline]
    pub fn from(&self, i: usize) -> Args<'a> {
        Args { bytes: self.bytes, spans: self.spans.get(i..).unwrap_or_default() }
    }

    /// The arguments in `range`, cut to those that exist.
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> Args<'a> {
        let end = range.end.min(self.spans.len());
        Args { bytes: self.bytes, spans: self.spans.get(range.start..end).unwrap_or_default() }
    }

    /// The arguments in order.
    #[inline]
    pub fn iter(&self) -> ArgsIter<'a> {
        ArgsIter { bytes: self.bytes, spans: self.spans.iter() }
    }

    /// Bytes of all arguments together.
    pub fn byte_len(&self) -> usize {
        self.spans.iter().map(|span| span.len as usize).sum()
    }

    /// A copy that owns its bytes.
    pub fn to_owned(&self) -> OwnedArgs {
        OwnedArgs::from(*self)
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    /// Argument `i`.
    ///
    /// # Panics
    /// If there are fewer: index only behind an arity check.
    #[inline]
    fn index(&self, i: usize) -> &[u8] {
        self.spans[i].of(self.bytes)
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = ArgsIter<'a>;

    fn into_iter(self) -> ArgsIter<'a> {
        self.iter()
    }
}

impl PartialEq for Args<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Args<'_> {}

impl std::fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|arg| format!("{}", arg.escape_ascii()))).finish()
    }
}

/// Walks over the arguments of a request.
#[derive(Debug, Clone)]
pub struct ArgsIter<'a> {
    bytes: &'a [u8],
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for ArgsIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.spans.next().map(|span| span.of(self.bytes))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl DoubleEndedIterator for ArgsIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.spans.next_back().map(|span| span.of(self.bytes))
    }
}

impl ExactSizeIterator for ArgsIter<'_> {}

/// Arguments that own their bytes: what the in-process client sends and what MULTI queues.
#[derive(Debug, Clone, Default)]
pub struct OwnedArgs {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl OwnedArgs {
    /// No arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an argument at the end.
    ///
    /// # Panics
    /// If all arguments together would exceed 4 GiB, which no decoded request can.
    pub fn push(&mut self, arg: &[u8]) {
        let start = self.bytes.len();
        assert!(start + arg.len() <= u32::MAX as usize, "arguments of one request exceed 4 GiB");
        self.bytes.extend_from_slice(arg);
        self.spans.push(Span::new(start, arg.len()));
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Forgets the arguments and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// The list that handlers read.
    #[inline]
    pub fn as_args(&self) -> Args<'_> {
        Args { bytes: &self.bytes, spans: &self.spans }
    }
}

impl From<Args<'_>> for OwnedArgs {
    fn from(args: Args<'_>) -> Self {
        let mut owned = OwnedArgs { bytes: Vec::with_capacity(args.byte_len()), spans: Vec::with_capacity(args.len()) };
        owned.extend(args);
        owned
    }
}

impl<A: AsRef<[u8]>> Extend<A> for OwnedArgs {
    fn extend<T: IntoIterator<Item = A>>(&mut self, args: T) {
        for arg in args {
            self.push(arg.as_ref());
        }
    }
}

impl<A: AsRef<[u8]>> FromIterator<A> for OwnedArgs {
    fn from_iter<T: IntoIterator<Item = A>>(args: T) -> Self {
        let mut owned = OwnedArgs::new();
        owned.extend(args);
        owned
    }
}

impl PartialEq for OwnedArgs {
    fn eq(&self, other: &Self) -> bool {
        self.as_args() == other.as_args()
    }
}

impl Eq for OwnedArgs {}

/// How far one call of [`Decoder::decode`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Decoded {
    /// Bytes of the complete requests at the front of the input; the caller may drop them once the batch is done.
    pub consumed: usize,
    /// What is wrong with the request behind them. The requests before it are in the batch and deserve their replies.
    pub error: Option<ProtocolError>,
}

/// Progress inside the one request that has not yet arrived completely.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Arguments that are complete, relative to the start of the request.
    partial: Vec<Span>,
    /// Arguments still to come; 0 means that not even the count is known.
    missing: usize,
    /// Length of the argument whose `$` line has been read.
    bulk: Option<usize>,
    /// Everything before this offset into the request has been read.
    at: usize,
    /// No line end lies between `at` and this offset.
    scanned: usize,
    /// How much of the request the caller has shown.
    seen: usize,
}

/// "Not enough yet" is a value, not an error.
enum Step {
    Complete,
    Incomplete,
}

impl Decoder {
    /// A decoder at the start of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes the complete requests at the front of `input`, at most `most` of them, and adds them to `batch`.
    ///
    /// Spans in `batch` are relative to `input`, so the batch should have been cleared before. The caller keeps what
    /// lies behind `consumed` and presents it again, at the front and with more behind it: the decoder remembers how
    /// far it came, so a request that arrives in many small pieces costs linear time. Nothing is reserved for what was
    /// only announced. After an error the connection is lost; the same input gives the same error again.
    pub fn decode(&mut self, input: &[u8], limits: &Limits, most: usize, batch: &mut Batch) -> Decoded {
        // Spans must fit 32 bits: what lies beyond waits for the next call, at the front then.
        let input = &input[..input.len().min(u32::MAX as usize)];
        let mut consumed = 0;
        let mut decoded = 0;
        while decoded < most && consumed < input.len() {
            let requests = batch.len();
            match self.request(input, consumed, limits, batch) {
                Ok(Step::Complete) => {
                    consumed += self.at;
                    self.restart();
                    decoded += batch.len() - requests;
                }
                Ok(Step::Incomplete) => {
                    self.seen = input.len() - consumed;
                    if self.seen > MAX_REQUEST {
                        return Decoded { consumed, error: Some(ProtocolError::InvalidBulkLength) };
                    }
                    break;
                }
                Err(error) => return Decoded { consumed, error: Some(error) },
            }
        }
        Decoded { consumed, error: None }
    }

    /// How many bytes the argument that is under way still needs, its line end included: a hint for growing the read
    /// buffer. 0 between arguments. The number comes from the client: reserve it in bounded steps.
    pub fn wanted(&self) -> usize {
        self.bulk.map_or(0, |len| (self.at + len + 2).saturating_sub(self.seen))
    }

    fn restart(&mut self) {
        debug_assert!(self.partial.is_empty());
        self.missing = 0;
        self.bulk = None;
        self.at = 0;
        self.scanned = 0;
        self.seen = 0;
    }

    /// Goes on with the request that starts at `start`. When it is complete, `self.at` is its length.
    #[inline]
    fn request(
        &mut self,
        input: &[u8],
        start: usize,
        limits: &Limits,
        batch: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        if self.missing > 0 {
            return self.resume(&input[start..], limits, batch);
        }
        if input[start] != b'*' {
            return self.inline(input, start, limits, batch);
        }
        let request = &input[start..];
        let (count, at) = match short_number(&request[1..]) {
            Some((count, used)) if count <= limits.args() => (count, 1 + used),
            _ => {
                let Some(line) = self.line(request, limits, ProtocolError::TooBigMultibulkCount)? else {
                    return Ok(Step::Incomplete);
                };
                let count = parse_i64(&request[1..line]).ok_or(ProtocolError::InvalidMultibulkLength)?;
                // A negative count is as good as none.
                let count = usize::try_from(count).unwrap_or(0);
                if count > limits.max_args {
                    return Err(ProtocolError::InvalidMultibulkLength);
                }
                if count > limits.args() {
                    return Err(ProtocolError::UnauthenticatedMultibulkLength);
                }
                (count, line + 2)
            }
        };
        self.at = at;
        self.missing = count;
        // Straight into the batch, since nearly every request is complete; what is not moves out again.
        let first = batch.spans.len();
        match self.bulks(request, start, limits, &mut batch.spans) {
            Ok(Step::Complete) => {
                if count > 0 {
                    batch.close(first, Source::Input);
                }
                Ok(Step::Complete)
            }
            Ok(Step::Incomplete) => {
                let rebased =
                    batch.spans[first..].iter().map(|span| Span { start: span.start - start as u32, ..*span });
                self.partial.extend(rebased);
                batch.spans.truncate(first);
                Ok(Step::Incomplete)
            }
            Err(error) => {
                batch.spans.truncate(first);
                // The same bytes must give the same error again.
                self.restart();
                Err(error)
            }
        }
    }

    fn resume(&mut self, request: &[u8], limits: &Limits, batch: &mut Batch) -> Result<Step, ProtocolError> {
        let mut partial = std::mem::take(&mut self.partial);
        let step = self.bulks(request, 0, limits, &mut partial);
        self.partial = partial;
        if let Ok(Step::Complete) = step {
            let first = batch.spans.len();
            batch.spans.append(&mut self.partial);
            batch.close(first, Source::Input);
            // A request of a million arguments leaves no memory behind.
            self.partial.shrink_to(64);
        }
        step
    }

    /// Reads the arguments that are there; `start` is where `request` lies in the input.
    #[inline]
    fn bulks(
        &mut self,
        request: &[u8],
        start: usize,
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Step, ProtocolError> {
        let longest = limits.bulk();
        let mut at = self.at;
        let mut missing = self.missing;
        while missing > 0 {
            let len = match self.bulk.take() {
                Some(len) => len,
                None => match short_bulk(&request[at..]) {
                    Some((len, used)) if len <= longest => {
                        at += used;
                        len
                    }
                    _ => {
                        (self.at, self.missing) = (at, missing);
                        let Some(len) = self.bulk_length(request, limits)? else {
                            return Ok(Step::Incomplete);
                        };
                        at = self.at;
                        len
                    }
                },
            };
            if request.len() - at < len + 2 {
                (self.at, self.missing, self.bulk) = (at, missing, Some(len));
                return Ok(Step::Incomplete);
            }
            spans.push(Span::new(start + at, len));
            // The two bytes behind an argument are not looked at, as in Redis.
            at += len + 2;
            missing -= 1;
        }
        (self.at, self.missing) = (at, 0);
        Ok(Step::Complete)
    }

    /// The length of the next argument, however it is written, or every complaint that there is about it.
    #[cold]
    fn bulk_length(&mut self, request: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let Some(line) = self.line(request, limits, ProtocolError::TooBigBulkCount)? else {
            return Ok(None);
        };
        if request[self.at] != b'$' {
            return Err(ProtocolError::ExpectedBulk(request[self.at]));
        }
        let len = parse_i64(&request[self.at + 1..line]).ok_or(ProtocolError::InvalidBulkLength)?;
        let len = usize::try_from(len).map_err(|_| ProtocolError::InvalidBulkLength)?;
        if len > limits.max_bulk || len > MAX_REQUEST.saturating_sub(line + 4) {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if len > limits.bulk() {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        self.at = line + 2;
        self.scanned = 0;
        Ok(Some(len))
    }

    /// Where the line at `self.at` ends: the offset of its CR, once the byte behind it has arrived too.
    fn line(
        &mut self,
        request: &[u8],
        limits: &Limits,
        endless: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let from = self.at.max(self.scanned);
        let end = memchr(b'\r', &request[from..]).map_or(request.len(), |offset| from + offset);
        self.scanned = end;
        if end - self.at > limits.max_inline {
            return Err(endless);
        }
        Ok((end + 1 < request.len()).then_some(end))
    }

    /// An inline command: one line of words, quoted as in a shell. A NUL is a byte like any other.
    #[cold]
    fn inline(
        &mut self,
        input: &[u8],
        start: usize,
        limits: &Limits,
        batch: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        let request = &input[start..];
        let newline = memchr(b'\n', &request[self.scanned..]).map(|offset| self.scanned + offset);
        self.scanned = newline.unwrap_or(request.len());
        if self.scanned > limits.max_inline {
            return Err(ProtocolError::TooBigInline);
        }
        let Some(newline) = newline else {
            return Ok(Step::Incomplete);
        };
        let line = &request[..newline];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let first = batch.spans.len();
        let source = if line.iter().any(|byte| matches!(byte, b'"' | b'\'')) {
            let unquoted = batch.unquoted.len();
            if let Err(error) = unquote(line, &mut batch.unquoted, &mut batch.spans) {
                batch.spans.truncate(first);
                batch.unquoted.truncate(unquoted);
                return Err(error);
            }
            Source::Unquoted
        } else {
            words(line, start, &mut batch.spans);
            Source::Input
        };
        if batch.spans.len() > first {
            batch.close(first, source);
        }
        self.at = newline + 1;
        Ok(Step::Complete)
    }
}

/// A number of one or two digits and its line end, which is nearly every one, and how many bytes it takes.
#[inline]
fn short_number(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes {
        [one @ b'0'..=b'9', b'\r', _, ..] => Some((usize::from(one - b'0'), 3)),
        [ten @ b'1'..=b'9', one @ b'0'..=b'9', b'\r', _, ..] => {
            Some((usize::from(ten - b'0') * 10 + usize::from(one - b'0'), 4))
        }
        _ => None,
    }
}

/// The same behind a `$`, and up to six digits.
#[inline]
fn short_bulk(bytes: &[u8]) -> Option<(usize, usize)> {
    let [b'$', digits @ ..] = bytes else {
        return None;
    };
    if let Some((len, used)) = short_number(digits) {
        return Some((len, used + 1));
    }
    let mut len = 0;
    for (i, &byte) in digits.iter().take(7).enumerate() {
        match byte {
            b'0' if i == 0 => return None,
            b'0'..=b'9' => len = len * 10 + usize::from(byte - b'0'),
            b'\r' if i > 0 && i + 1 < digits.len() => return Some((len, i + 3)),
            _ => return None,
        }
    }
    None
}

/// The bytes that C calls white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// What ends a bare word; vertical tab and form feed do not, though they are skipped before one.
fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Splits a line without quotes.
fn words(line: &[u8], start: usize, spans: &mut Vec<Span>) {
    let mut at = 0;
    while let Some(skip) = line[at..].iter().position(|&byte| !is_space(byte)) {
        at += skip;
        let len = line[at..].iter().position(|&byte| ends_word(byte)).unwrap_or(line.len() - at);
        spans.push(Span::new(start + at, len));
        at += len;
    }
}

/// Splits a line with quotes; the words are written to `out`, as what they mean is not what they look like.
fn unquote(line: &[u8], out: &mut Vec<u8>, spans: &mut Vec<Span>) -> Result<(), ProtocolError> {
    let mut rest = line;
    loop {
        while let [byte, tail @ ..] = rest
            && is_space(*byte)
        {
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let start = out.len();
        loop {
            match rest {
                [b'"', tail @ ..] => {
                    rest = double_quoted(tail, out)?;
                    break;
                }
                [b'\'', tail @ ..] => {
                    rest = single_quoted(tail, out)?;
                    break;
                }
                [byte, tail @ ..] if !ends_word(*byte) => {
                    out.push(*byte);
                    rest = tail;
                }
                _ => break,
            }
        }
        spans.push(Span::new(start, out.len() - start));
    }
}

/// Reads up to the closing `"` and returns what lies behind it.
fn double_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        rest = match rest {
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex_digit(*high) << 4 | hex_digit(*low));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                tail
            }
            [b'"', tail @ ..] => return closed(tail),
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
            [] => return Err(ProtocolError::UnbalancedQuotes),
        };
    }
}

/// Reads up to the closing `'` and returns what lies behind it.
fn single_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        rest = match rest {
            [b'\\', b'\'', tail @ ..] => {
                out.push(b'\'');
                tail
            }
            [b'\'', tail @ ..] => return closed(tail),
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
            [] => return Err(ProtocolError::UnbalancedQuotes),
        };
    }
}

/// A closing quote ends its word: white space follows, or nothing.
fn closed(rest: &[u8]) -> Result<&[u8], ProtocolError> {
    match rest.first() {
        Some(&byte) if !is_space(byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(rest),
    }
}

fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redis_protocol::resp2::encode;
    use redis_protocol::resp2::types::{OwnedFrame, Resp2Frame};

    use super::*;

    /// Requests and the error behind them, owned.
    type Outcome = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

    /// Feeds `input` in pieces that end at `cuts`, as a connection does.
    fn decode_in_pieces(input: &[u8], cuts: &[usize], limits: &Limits, most: usize) -> Outcome {
        let mut decoder = Decoder::new();
        let mut batch = Batch::new();
        let mut buffer = Vec::new();
        let mut requests = Vec::new();
        let mut at = 0;
        for &cut in cuts.iter().chain([&input.len()]) {
            buffer.extend_from_slice(&input[at..cut]);
            at = cut;
            loop {
                batch.clear();
                let decoded = decoder.decode(&buffer, limits, most, &mut batch);
                requests.extend(batch.iter(&buffer).map(|args| args.iter().map(<[u8]>::to_vec).collect::<Vec<_>>()));
                if decoded.error.is_some() {
                    let (mut again, consumed) = (Batch::new(), decoded.consumed);
                    let error = decoder.decode(&buffer[consumed..], limits, most, &mut again).error;
                    assert_eq!((error, again.len()), (decoded.error, 0), "an error stays");
                    return (requests, decoded.error);
                }
                buffer.drain(..decoded.consumed);
                if batch.len() < most {
                    break;
                }
            }
        }
        (requests, None)
    }

    fn decode(input: impl AsRef<[u8]>) -> Outcome {
        decode_in_pieces(input.as_ref(), &[], &Limits::default(), usize::MAX)
    }

    #[track_caller]
    fn check(input: impl AsRef<[u8]>, requests: &[&[&str]]) {
        let (decoded, error) = decode(input);
        assert_eq!(error, None);
        let decoded: Vec<Vec<String>> =
            decoded.iter().map(|args| args.iter().map(|arg| arg.escape_ascii().to_string()).collect()).collect();
        assert_eq!(decoded, requests);
    }

    #[track_caller]
    fn check_error(input: impl AsRef<[u8]>, limits: &Limits, text: &str) {
        let (requests, error) = decode_in_pieces(input.as_ref(), &[], limits, usize::MAX);
        assert_eq!(requests.len(), 0);
        let text = format!("ERR Protocol error: {text}");
        assert_eq!(error.map(|error| String::from_utf8_lossy(&error.reply()).into_owned()), Some(text));
    }

    #[test]
    fn multibulk_requests() {
        check("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n", &[&["PING"], &["GET", ""]]);
        check(format!("*1\r\n$100\r\n{}\r\n", "x".repeat(100)), &[&[&"x".repeat(100)]]);
        check(format!("*1\r\n$9\r\n{}\r\n", "a\r\n$1\r\n\r\n"), &[&["a\\r\\n$1\\r\\n\\r\\n"]]);
    }

    #[test]
    fn empty_requests_are_skipped() {
        check("*0\r\n*-1\r\n*-9223372036854775808\r\n\r\n\n   \r\nPING\r\n", &[&["PING"]]);
    }

    #[test]
    fn bytes_behind_a_line_or_argument_are_not_looked_at() {
        check("*1\rX$4\rYPINGxx*1\r\n$4\r\nPING\r\n", &[&["PING"], &["PING"]]);
    }

    #[test]
    fn inline_requests() {
        check("PING\nECHO  a\tb \r\n", &[&["PING"], &["ECHO", "a", "b"]]);
        check("\x0b\x0cECHO \x0bq\x0c\r\n", &[&["ECHO", "q\\x0c"]]);
        check("ECHO a\rb\r\nPING\r\r\n", &[&["ECHO", "a", "b"], &["PING"]]);
        check("ECHO a\\nb\r\n", &[&["ECHO", "a\\\\nb"]]);
    }

    #[test]
    fn inline_quotes() {
        check(r#"ECHO "a\n\r\t\b\a\x41\q\"z""#.to_owned() + "\n", &[&["ECHO", r#"a\n\r\t\x08\x07Aq\"z"#]]);
        check("ECHO 'a\\'b\\n'\r\n", &[&["ECHO", r"a\'b\\n"]]);
        check("ECHO a\"b c\"\r\nECHO \"\" ''\r\n", &[&["ECHO", "ab c"], &["ECHO", "", ""]]);
        check("ECHO \"\\x4g\"\r\nECHO \"a\"\x0b\r\n", &[&["ECHO", "x4g"], &["ECHO", "a"]]);
    }

    #[test]
    fn unbalanced_quotes() {
        for line in ["ECHO \"a\"b\n", "ECHO \"a\n", "ECHO 'a\n", "ECHO a'b'c\n", "ECHO \"a\\\n"] {
            check_error(line, &Limits::default(), "unbalanced quotes in request");
        }
    }

    #[test]
    fn invalid_counts() {
        for count in ["2147483648", "-0", "+1", "01", "", "a", "-9223372036854775809", "1 ", "1\0"] {
            check_error(format!("*{count}\r\n"), &Limits::default(), "invalid multibulk length");
        }
        let limits = Limits { max_args: 5, ..Limits::default() };
        check_error("*6\r\n", &limits, "invalid multibulk length");
    }

    #[test]
    fn invalid_lengths() {
        for len in ["-1", "-0", "04", "536870913", "", "9223372036854775808", "1x"] {
            check_error(format!("*1\r\n${len}\r\n"), &Limits::default(), "invalid bulk length");
        }
        let limits = Limits { max_bulk: usize::MAX, ..Limits::default() };
        check_error("*1\r\n$2147483647\r\n", &limits, "invalid bulk length");
    }

    #[test]
    fn something_else_than_an_argument() {
        check_error("*1\r\nX4\r\n", &Limits::default(), "expected '$', got 'X'");
        check_error(b"*1\r\n\xff\r\n", &Limits::default(), "expected '$', got '\u{fffd}'");
        assert_eq!(decode("*1\r\nX").1, None, "the line is not complete");
    }

    #[test]
    fn before_authentication() {
        let limits = Limits::UNAUTHENTICATED;
        check_error("*11\r\n", &limits, "unauthenticated multibulk length");
        check_error("*100\r\n", &limits, "unauthenticated multibulk length");
        check_error("*1\r\n$16385\r\n", &limits, "unauthenticated bulk length");
        check_error("*2147483648\r\n", &limits, "invalid multibulk length");
        check_error("*1\r\n$999999999999\r\n", &limits, "invalid bulk length");
        assert_eq!(decode_in_pieces(b"*10\r\n$16384\r\n", &[], &limits, 1).1, None);
    }

    #[test]
    fn endless_lines() {
        let limits = Limits::default();
        let long = "1".repeat(limits.max_inline);
        assert_eq!(decode(&long).1, None);
        check_error(format!("{long}1"), &limits, "too big inline request");
        check_error(format!("{long}1\r\n"), &limits, "too big inline request");
        check_error(format!("*{long}"), &limits, "too big mbulk count string");
        check_error(format!("*1\r\n${long}"), &limits, "too big bulk count string");
    }

    #[test]
    fn requests_before_an_error_are_kept() {
        let (requests, error) = decode("PING\r\n*1\r\n$1\r\na\r\n*x\r\n");
        assert_eq!(requests, [[b"PING".to_vec()], [b"a".to_vec()]]);
        assert_eq!(error, Some(ProtocolError::InvalidMultibulkLength));
    }

    #[test]
    fn announced_sizes_reserve_nothing() {
        let mut decoder = Decoder::new();
        let mut batch = Batch::new();
        let input = b"*2147483647\r\n$3\r\nSET\r\n$500000000\r\nabc";
        let decoded = decoder.decode(input, &Limits::default(), usize::MAX, &mut batch);
        assert_eq!(decoded, Decoded { consumed: 0, error: None });
        assert_eq!(decoder.wanted(), 500_000_000 + 2 - 3);
        assert!(batch.spans.capacity() + decoder.partial.capacity() < 64);
    }

    #[test]
    fn arguments_as_a_list() {
        let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nvv\r\n";
        let mut batch = Batch::new();
        let decoded = Decoder::new().decode(input, &Limits::default(), usize::MAX, &mut batch);
        assert_eq!(decoded.consumed, input.len());
        let args = batch.args(0, input);
        assert_eq!((args.len(), args.name(), &args[1], args.get(3)), (3, b"SET".as_slice(), b"k".as_slice(), None));
        assert_eq!(args.from(1), OwnedArgs::from_iter(["k", "vv"]).as_args());
        assert_eq!(args.slice(1..2), OwnedArgs::from_iter(["k"]).as_args());
        assert!(args.from(4).is_empty() && args.slice(7..9).is_empty());
        assert_eq!(args.to_owned().as_args(), args);
        assert_eq!(args.iter().next_back(), Some(b"vv".as_slice()));
    }

    fn multibulk(args: &[Vec<u8>]) -> Vec<u8> {
        let frame = OwnedFrame::Array(args.iter().cloned().map(OwnedFrame::BulkString).collect());
        let mut bytes = vec![0; frame.encode_len(false)];
        let len = encode::encode(&mut bytes, &frame, false).unwrap();
        bytes.truncate(len);
        bytes
    }

    fn args() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let arg = prop_oneof![
            4 => proptest::collection::vec(any::<u8>(), 0..12),
            1 => proptest::collection::vec(any::<u8>(), 0..1200),
        ];
        proptest::collection::vec(arg, 1..14)
    }

    /// Valid requests, inline lines and broken bytes in any order.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => args().prop_map(|args| multibulk(&args)),
            2 => "[a-c \"'\\\\x4\t]{0,12}\r?\n".prop_map(String::into_bytes),
            1 => "\\*[0-3]\r\n(\\$[0-3]\r\n[a-c]{0,3}\r\n){0,3}".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 0..8),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn pieces_change_nothing(
            input in stream(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
            most in 1_usize..4,
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            cuts.sort_unstable();
            let limits = Limits { max_bulk: 1024, max_inline: 16, max_args: 100, authenticated: true };
            let whole = decode_in_pieces(&input, &[], &limits, usize::MAX);
            prop_assert_eq!(&decode_in_pieces(&input, &cuts, &limits, most), &whole);
            let every: Vec<usize> = (0..input.len()).collect();
            prop_assert_eq!(&decode_in_pieces(&input, &every, &limits, usize::MAX), &whole);
        }

        #[test]
        fn what_redis_protocol_encodes_is_decoded(requests in proptest::collection::vec(args(), 0..6)) {
            let input: Vec<u8> = requests.iter().flat_map(|args| multibulk(args)).collect();
            prop_assert_eq!(decode(&input), (requests, None));
        }
    }
}
