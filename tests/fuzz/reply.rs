//! Whether bytes are replies, by the protocol's rules alone; it shares nothing with the server's own decoder.

/// Counts the complete replies at the front; returns the count and how many bytes are left behind them.
pub fn count(bytes: &[u8], may_be_resp3: bool) -> Result<(usize, usize), String> {
    let mut at = 0;
    let mut found = 0;
    while at < bytes.len() {
        match end_of_reply(bytes, at, may_be_resp3)? {
            Some(end) => at = end,
            None => break,
        }
        found += 1;
    }
    Ok((found, bytes.len() - at))
}

/// Checks that a connection's output is nothing but replies. The last one may be cut off: as for Redis, a client that
/// ends its side of the connection gets only what its socket takes by then.
#[track_caller]
pub fn check_stream(bytes: &[u8], may_be_resp3: bool) {
    if let Err(error) = count(bytes, may_be_resp3) {
        panic!("not replies: {error}: {}", bytes[..bytes.len().min(3000)].escape_ascii());
    }
}

/// Where the reply at `at` ends, if all of it is there.
fn end_of_reply(bytes: &[u8], mut at: usize, may_be_resp3: bool) -> Result<Option<usize>, String> {
    // Elements still to come, over all levels.
    let mut missing: u64 = 1;
    while missing > 0 {
        let Some(len) = bytes[at..].windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let line = &bytes[at..at + len];
        let Some((kind, text)) = line.split_first() else { return Err(format!("an empty line at {at}")) };
        if text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            return Err(format!("a line end inside a line at {at}"));
        }
        at += len + 2;
        missing -= 1;
        let number = || std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
        if !may_be_resp3 && !matches!(kind, b'+' | b'-' | b':' | b'$' | b'*') {
            return Err(format!("{} in RESP2 at {at}", kind.escape_ascii()));
        }
        match kind {
            b'+' => {}
            b'-' if !text.is_empty() => {}
            b':' if number().is_some() => {}
            b',' if is_double(text) => {}
            b'#' if matches!(text, b"t" | b"f") => {}
            b'_' if text.is_empty() => {}
            b'$' | b'*' if text == b"-1" => {}
            b'$' | b'=' => {
                let len = number().and_then(|len| usize::try_from(len).ok());
                let len = len.ok_or_else(|| format!("a bulk of length {} at {at}", text.escape_ascii()))?;
                if bytes.len() < at + len + 2 {
                    return Ok(None);
                }
                if &bytes[at + len..at + len + 2] != b"\r\n" {
                    return Err(format!("a bulk without its end at {at}"));
                }
                at += len + 2;
            }
            b'*' | b'~' | b'>' | b'%' => {
                let len = number().and_then(|len| u64::try_from(len).ok());
                let len = len.ok_or_else(|| format!("{} elements at {at}", text.escape_ascii()))?;
                missing += if *kind == b'%' { 2 * len } else { len };
            }
            _ => return Err(format!("not a reply at {at}: {}", line[..line.len().min(100)].escape_ascii())),
        }
    }
    Ok(Some(at))
}

fn is_double(text: &[u8]) -> bool {
    matches!(text, b"inf" | b"-inf" | b"nan")
        || std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite))
}
