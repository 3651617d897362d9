//! JSON as Lua values.

use super::Setting;
use crate::script::base::want_string;
use crate::script::lua::{Outcome, Raised, Stack};
use resplite_resp::number::read_f64;
use std::ops::Range;

/// Values that one text may have: of a table with more Lua itself would make an error.
const MOST_VALUES: usize = 1 << 26;

pub(super) fn decode(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 {
        return Err(stack.bad_argument(1, "expected 1 argument"));
    }
    want_string(stack, 1)?;
    let text = stack.bytes(1).unwrap_or_default();
    // Of what JSON can begin with these have zeros there.
    if matches!(text, [0, _, ..] | [_, 0, ..]) {
        return Err(stack.raise(b"JSON parser does not support UTF-16 or UTF-32"));
    }
    // Values are pushed while it is read.
    let text = text.to_vec();
    let most_depth = Setting::DecodeDepth.get(stack);
    let takes_invalid = Setting::DecodeInvalid.get(stack) != 0;
    stack.host().with_buffer(|unescaped| {
        let lexer = Lexer { text: &text, at: 0, begin: 0, unescaped, takes_invalid };
        Decoder { lexer, open: Vec::new(), values: 0, most_depth: most_depth as usize }.run(stack)
    })
}

/// A table that is being filled. It is on the stack, of an object with the key of the next value above it.
enum Open {
    Array { next: i32 },
    Object,
}

/// Which tables are open is kept here and not on Rust's stack, so that it does not matter how deep they are.
struct Decoder<'t> {
    lexer: Lexer<'t>,
    open: Vec<Open>,
    values: usize,
    most_depth: usize,
}

impl Decoder<'_> {
    /// Pushes the value that the text is.
    fn run(&mut self, stack: &mut Stack<'_>) -> Outcome {
        let mut token = self.lexer.next();
        loop {
            self.values += 1;
            if stack.spare() == 0 || self.values > MOST_VALUES {
                return Err(stack.raise_out_of_memory());
            }
            stack.step(1)?;
            match token {
                Token::String(_) => self.push_string(stack, &token),
                Token::Number(number) => stack.push_number(number),
                Token::Bool(value) => stack.push_bool(value),
                Token::Null => stack.push_null(),
                Token::ObjectBegin => {
                    self.begin_table(stack, 3)?;
                    token = self.lexer.next();
                    if token != Token::ObjectEnd {
                        self.open.push(Open::Object);
                        token = self.key(stack, &token)?;
                        continue;
                    }
                }
                Token::ArrayBegin => {
                    self.begin_table(stack, 2)?;
                    token = self.lexer.next();
                    if token != Token::ArrayEnd {
                        self.open.push(Open::Array { next: 1 });
                        continue;
                    }
                }
                other => return Err(self.expected(stack, "value", &other)),
            }
            match self.put(stack)? {
                Some(next) => token = next,
                None => return Ok(1),
            }
        }
    }

    fn begin_table(&mut self, stack: &mut Stack<'_>, slots: i32) -> Result<(), Raised> {
        let depth = self.open.len() + 1;
        if depth > self.most_depth || !stack.has_room(slots) {
            let text = format!("Found too many nested data structures ({depth}) at character {}", self.lexer.at);
            return Err(stack.raise(text.as_bytes()));
        }
        stack.push_table(0, 0);
        Ok(())
    }

    /// Pushes a key, which `token` must be, and passes its colon over; returns what is behind it.
    fn key(&mut self, stack: &mut Stack<'_>, token: &Token) -> Result<Token, Raised> {
        if !matches!(token, Token::String(_)) {
            return Err(self.expected(stack, "object key string", token));
        }
        self.push_string(stack, token);
        match self.lexer.next() {
            Token::Colon => Ok(self.lexer.next()),
            other => Err(self.expected(stack, "colon", &other)),
        }
    }

    /// Puts the value on top into the table that it is in, which may be complete then and is a value itself. Returns what
    /// the next value begins with, or nothing at the end of the text.
    fn put(&mut self, stack: &mut Stack<'_>) -> Result<Option<Token>, Raised> {
        while let Some(open) = self.open.last_mut() {
            let (end, expected) = match open {
                Open::Array { next } => {
                    stack.set_element(-2, *next);
                    *next += 1;
                    (Token::ArrayEnd, "comma or array end")
                }
                Open::Object => {
                    stack.set(-3)?;
                    (Token::ObjectEnd, "comma or object end")
                }
            };
            let is_object = matches!(open, Open::Object);
            match self.lexer.next() {
                Token::Comma => {
                    let token = self.lexer.next();
                    return if is_object { self.key(stack, &token).map(Some) } else { Ok(Some(token)) };
                }
                token if token == end => self.open.pop(),
                other => return Err(self.expected(stack, expected, &other)),
            };
        }
        match self.lexer.next() {
            Token::End => Ok(None),
            other => Err(self.expected(stack, "the end", &other)),
        }
    }

    fn push_string(&self, stack: &mut Stack<'_>, token: &Token) {
        match token {
            Token::String(Some(range)) => stack.push_bytes(&self.lexer.text[range.clone()]),
            _ => stack.push_bytes(self.lexer.unescaped),
        }
    }

    fn expected(&self, stack: &mut Stack<'_>, expected: &str, found: &Token) -> Raised {
        let at = self.lexer.begin + 1;
        let text = format!("Expected {expected} but found {} at character {at}", found.name());
        stack.raise(text.as_bytes())
    }
}

#[derive(PartialEq, Debug)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    /// Where it stands, if it stands there as it is; else it is what the lexer has unescaped last.
    String(Option<Range<usize>>),
    Number(f64),
    Bool(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    /// As errors call it.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Bool(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(what) => what,
        }
    }
}

/// Cuts a text into tokens. A zero byte outside of strings is the end of the text.
struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    /// Where the last token began, or where in it an error was found.
    begin: usize,
    unescaped: &'t mut Vec<u8>,
    /// Whether numbers are taken that JSON does not know.
    takes_invalid: bool,
}

impl Lexer<'_> {
    fn next(&mut self) -> Token {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.byte(0) {
            self.at += 1;
        }
        self.begin = self.at;
        let (token, len) = match self.byte(0) {
            0 => (Token::End, 0),
            b'{' => (Token::ObjectBegin, 1),
            b'}' => (Token::ObjectEnd, 1),
            b'[' => (Token::ArrayBegin, 1),
            b']' => (Token::ArrayEnd, 1),
            b':' => (Token::Colon, 1),
            b',' => (Token::Comma, 1),
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => return self.number(),
            _ if self.rest().starts_with(b"true") => (Token::Bool(true), 4),
            _ if self.rest().starts_with(b"false") => (Token::Bool(false), 5),
            _ if self.rest().starts_with(b"null") => (Token::Null, 4),
            b'+' | b'i' | b'I' | b'n' | b'N' if self.takes_invalid && self.is_invalid_number() => return self.number(),
            _ => (Token::Error("invalid token"), 0),
        };
        self.at += len;
        token
    }

    /// The byte so many behind the current one; 0 behind the end.
    fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    /// Whether there is a number that C reads and JSON does not know: with a plus, leading zeros or hexadecimal digits, not
    /// finite, or none. Others may still be no numbers.
    fn is_invalid_number(&self) -> bool {
        let begins = |text: &[u8], word: &[u8]| text.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
        let rest = self.rest();
        match rest.strip_prefix(b"-").unwrap_or(rest) {
            [b'0', next, ..] => matches!(next, b'x' | b'X' | b'0'..=b'9'),
            unsigned => rest.starts_with(b"+") || begins(unsigned, b"inf") || begins(unsigned, b"nan"),
        }
    }

    fn number(&mut self) -> Token {
        if !self.takes_invalid && self.is_invalid_number() {
            return Token::Error("invalid number");
        }
        let Some((number, len)) = read_f64(self.rest()) else { return Token::Error("invalid number") };
        self.at += len;
        Token::Number(number)
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let begin = self.at;
        self.unescaped.clear();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0)).unwrap_or(rest.len());
            let is_whole = self.at == begin;
            self.at += plain;
            match self.byte(0) {
                b'"' if is_whole => {
                    self.at += 1;
                    return Token::String(Some(begin..self.at - 1));
                }
                b'"' => {
                    self.unescaped.extend_from_slice(&rest[..plain]);
                    self.at += 1;
                    return Token::String(None);
                }
                b'\\' => {
                    self.unescaped.extend_from_slice(&rest[..plain]);
                    if let Err(what) = self.escape() {
                        self.begin = self.at;
                        return Token::Error(what);
                    }
                }
                _ => {
                    self.begin = self.at;
                    return Token::Error("unexpected end of string");
                }
            }
        }
    }

    /// Passes over what begins with a backslash and adds what it stands for.
    fn escape(&mut self) -> Result<(), &'static str> {
        let byte = match self.byte(1) {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode_escape().ok_or("invalid unicode escape code"),
            _ => return Err("invalid escape code"),
        };
        self.unescaped.push(byte);
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Option<()> {
        let unit = self.code_unit(0)?;
        let (code, len) = match unit {
            // One half of a pair.
            0xd800..0xdc00 => {
                let low = self.code_unit(6).filter(|low| (0xdc00..0xe000).contains(low))?;
                (0x10000 + ((unit & 0x3ff) << 10 | low & 0x3ff), 12)
            }
            _ => (unit, 6),
        };
        // A second half without its first is no character.
        let character = char::from_u32(code)?;
        self.unescaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += len;
        Some(())
    }

    /// The number that `\u` and four digits are.
    fn code_unit(&self, ahead: usize) -> Option<u32> {
        if (self.byte(ahead), self.byte(ahead + 1)) != (b'\\', b'u') {
            return None;
        }
        (2..6).try_fold(0, |unit, digit| Some(unit << 4 | char::from(self.byte(ahead + digit)).to_digit(16)?))
    }
}
