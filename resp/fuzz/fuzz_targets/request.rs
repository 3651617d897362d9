//! Any bytes, cut anywhere: the decoder must not panic, and pieces must give the requests and the error that the whole gives.

#![no_main]

use libfuzzer_sys::fuzz_target;
use resplite_resp::{Batch, Decoder, Limits, ProtocolError};

const LIMITS: Limits = Limits { max_bulk: 4096, max_args: 1000, max_inline: 64, authenticated: true };

// The first byte says how many bytes behind it are lengths of pieces; the rest is the input.
fuzz_target!(|data: &[u8]| {
    let Some((&count, rest)) = data.split_first() else {
        return;
    };
    let (pieces, input) = rest.split_at(usize::from(count).min(rest.len()));
    assert_eq!(decode(input, &[]), decode(input, pieces));
});

fn decode(input: &[u8], pieces: &[u8]) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let mut decoder = Decoder::new();
    let mut batch = Batch::new();
    let mut requests = Vec::new();
    let (mut start, mut end) = (0, 0);
    for len in pieces.iter().map(|&len| usize::from(len)).chain([input.len()]) {
        end = (end + len).min(input.len());
        let buffer = &input[start..end];
        batch.clear();
        let decoded = decoder.decode(buffer, &LIMITS, usize::MAX, &mut batch);
        requests.extend(batch.iter(buffer).map(|args| args.iter().map(<[u8]>::to_vec).collect()));
        if decoded.error.is_some() {
            return (requests, decoded.error);
        }
        start += decoded.consumed;
    }
    (requests, None)
}
