//! JSON: the table `cjson`.

mod decode;
mod encode;

use super::base::{want_integer, want_string};
use super::lua::{Function, Kind, Outcome, Raised, Stack};
use std::ffi::c_int;

/// All of these keep the settings of their instance, a table that nothing else can reach.
const FUNCTIONS: &[(&[u8], Function)] = &[
    (b"decode", decode::decode),
    (b"decode_invalid_numbers", |stack| choose(stack, Setting::DecodeInvalid, &SWITCH)),
    (b"decode_max_depth", |stack| set(stack, Setting::DecodeDepth, 1, c_int::MAX)),
    (b"encode", encode::encode),
    (b"encode_invalid_numbers", |stack| choose(stack, Setting::EncodeInvalid, &SWITCH_OR_NULL)),
    (b"encode_keep_buffer", |stack| choose(stack, Setting::KeepBuffer, &SWITCH)),
    (b"encode_max_depth", |stack| set(stack, Setting::EncodeDepth, 1, c_int::MAX)),
    (b"encode_number_precision", |stack| set(stack, Setting::Precision, 1, 14)),
    (b"encode_sparse_array", encode_sparse_array),
    (b"new", new),
];

/// What can be set, by its place in the table of settings, and what holds until then.
#[derive(Clone, Copy)]
enum Setting {
    /// Whether an array with too few elements becomes an object.
    SparseConvert = 1,
    /// How many times as long as its number of elements an array may be.
    SparseRatio,
    /// How long any array may be.
    SparseSafe,
    EncodeDepth,
    DecodeDepth,
    /// Digits of numbers.
    Precision,
    /// Has no effect: the buffer is that of the host.
    KeepBuffer,
    EncodeInvalid,
    DecodeInvalid,
}

const DEFAULTS: [(Setting, c_int); 9] = [
    (Setting::SparseConvert, 0),
    (Setting::SparseRatio, 2),
    (Setting::SparseSafe, 10),
    (Setting::EncodeDepth, 1000),
    (Setting::DecodeDepth, 1000),
    (Setting::Precision, 14),
    (Setting::KeepBuffer, 1),
    (Setting::EncodeInvalid, 0),
    (Setting::DecodeInvalid, 1),
];

/// Names of what a setting can be; the first two are also false and true.
const SWITCH: [&str; 2] = ["off", "on"];
const SWITCH_OR_NULL: [&str; 3] = ["off", "on", "null"];

/// Pushes the table.
pub(super) fn push(stack: &mut Stack<'_>) {
    stack.push_table(DEFAULTS.len(), 0);
    for (setting, value) in DEFAULTS {
        stack.push_number(value.into());
        stack.set_element(-2, setting as c_int);
    }
    stack.push_table(0, FUNCTIONS.len() + 3);
    for (name, function) in FUNCTIONS {
        stack.push_copy(-2);
        stack.push_closure(*function, 1);
        stack.set_field(-2, name);
    }
    stack.push_null();
    stack.set_field(-2, b"null");
    stack.push_bytes(b"cjson");
    stack.set_field(-2, b"_NAME");
    stack.push_bytes(b"2.1.0");
    stack.set_field(-2, b"_VERSION");
    stack.remove(-2);
}

/// Another instance with settings of its own.
fn new(stack: &mut Stack<'_>) -> Outcome {
    push(stack);
    Ok(1)
}

impl Setting {
    /// What the instance of the running function has.
    fn get(self, stack: &mut Stack<'_>) -> c_int {
        stack.push_kept(0);
        stack.push_element(-1, self as c_int);
        let value = stack.number(-1).unwrap_or_default() as c_int;
        stack.pop(2);
        value
    }

    fn put(self, stack: &mut Stack<'_>, value: c_int) {
        stack.push_kept(0);
        stack.push_number(value.into());
        stack.set_element(-2, self as c_int);
        stack.pop(1);
    }

    /// Takes an integer argument, if it is given, and pushes what holds now.
    fn take_integer(self, stack: &mut Stack<'_>, number: c_int, least: c_int, most: c_int) -> Result<(), Raised> {
        if stack.kind(number) != Kind::Nil {
            // Of integers the lowest 32 bits count.
            let value = want_integer(stack, number)? as c_int;
            if !(least..=most).contains(&value) {
                return Err(stack.bad_argument(1, format!("expected integer between {least} and {most}")));
            }
            self.put(stack, value);
        }
        let value = self.get(stack);
        stack.push_number(value.into());
        Ok(())
    }

    /// Takes an argument that is one of `names`, if it is given, and pushes what holds now.
    fn take_name(self, stack: &mut Stack<'_>, number: c_int, names: &[&str]) -> Result<(), Raised> {
        match stack.kind(number) {
            Kind::Nil => {}
            Kind::Boolean => self.put(stack, stack.truth(number).into()),
            _ => {
                want_string(stack, number)?;
                let given = stack.bytes(number).unwrap_or_default();
                let given = given.split(|byte| *byte == 0).next().unwrap_or_default();
                let Some(value) = names.iter().position(|name| name.as_bytes() == given) else {
                    let why = [b"invalid option '", given, b"'"].concat();
                    return Err(stack.bad_argument(number, why));
                };
                self.put(stack, value as c_int);
            }
        }
        match self.get(stack) {
            value @ (0 | 1) => stack.push_bool(value == 1),
            value => stack.push_bytes(names[value as usize].as_bytes()),
        }
        Ok(())
    }
}

/// Asks for so many arguments at most, and makes those that are missing nil.
fn expect_arguments(stack: &mut Stack<'_>, most: c_int) -> Result<(), Raised> {
    if stack.top() > most {
        return Err(stack.bad_argument(most + 1, "found too many arguments"));
    }
    stack.set_top(most);
    Ok(())
}

fn set(stack: &mut Stack<'_>, setting: Setting, least: c_int, most: c_int) -> Outcome {
    expect_arguments(stack, 1)?;
    setting.take_integer(stack, 1, least, most)?;
    Ok(1)
}

fn choose(stack: &mut Stack<'_>, setting: Setting, names: &[&str]) -> Outcome {
    expect_arguments(stack, 1)?;
    setting.take_name(stack, 1, names)?;
    Ok(1)
}

fn encode_sparse_array(stack: &mut Stack<'_>) -> Outcome {
    expect_arguments(stack, 3)?;
    Setting::SparseConvert.take_name(stack, 1, &SWITCH)?;
    Setting::SparseRatio.take_integer(stack, 2, 0, c_int::MAX)?;
    Setting::SparseSafe.take_integer(stack, 3, 0, c_int::MAX)?;
    Ok(3)
}
