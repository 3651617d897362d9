//! DEBUG PROTOCOL: one reply of each type that the protocol has, for the tests of clients.

use crate::commands::is;
use crate::error::{CmdResult, CommandError};
use resplite_resp::reply::Reply;

/// The names of the types in the order in which the error lists them.
const TYPES: &str = "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";

/// The number that clients' tests wait for.
#[allow(clippy::approx_constant, reason = "it is Redis' number and no circle's")]
const DOUBLE: f64 = 3.141;

pub(super) fn write(name: &[u8], out: &mut Reply) -> CmdResult {
    let Some(name) = TYPES.split('|').find(|known| is(name, known)) else {
        return Err(CommandError::text(format!(
            "ERR Wrong protocol type name. Please use one of the following: {TYPES}"
        )));
    };
    match name {
        "string" => out.bulk("Hello World"),
        "integer" => out.int(12345),
        "double" => out.double(DOUBLE),
        "bignum" => out.big_number("1234567999999999999999999999999999999"),
        "null" => out.nil(),
        "array" => {
            out.array(3);
            (0..3).for_each(|number| out.int(number));
        }
        "set" => {
            out.set(3);
            (0..3).for_each(|number| out.int(number));
        }
        "map" => {
            out.map(3);
            for number in 0..3 {
                out.int(number);
                out.bool(number == 1);
            }
        }
        "attrib" => {
            if out.attribute(1) {
                out.bulk("key-popularity");
                out.array(2);
                out.bulk("key:123");
                out.int(90);
            }
            out.bulk("Some real reply following the attribute");
        }
        "push" if out.is_resp3() => {
            out.push(2);
            out.bulk("server-cpu-usage");
            out.int(42);
            out.bulk("Some real reply following the push reply");
        }
        "push" => return Err(CommandError::text("ERR RESP2 is not supported by this command")),
        "verbatim" => out.verbatim(b"txt", b"This is a verbatim\nstring"),
        "true" => out.bool(true),
        _ => out.bool(false),
    }
    Ok(())
}
