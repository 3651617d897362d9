//! Words of a configuration line and how they are quoted, sizes with units; nothing of particular settings.

/// Splits a line into words: blanks separate, `"..."` knows escapes, `'...'` only `\'`. `None` if a quote is not closed
/// or a word goes on behind its closing quote.
pub(crate) fn split(line: &[u8]) -> Option<Vec<String>> {
    Some(split_bytes(line)?.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// As [`split`], for words that need not be text.
pub(crate) fn split_bytes(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        let (word, behind) = split_one(rest)?;
        words.push(word);
        rest = behind.trim_ascii_start();
    }
    Some(words)
}

/// The first word and what stands behind it.
fn split_one(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' | b'\'' => {
                let (quoted, len) =
                    if byte == b'"' { double_quoted(&text[at..])? } else { single_quoted(&text[at..])? };
                word.extend_from_slice(&quoted);
                let behind = &text[at + len..];
                let ends = behind.first().is_none_or(u8::is_ascii_whitespace);
                return ends.then_some((word, behind));
            }
            byte if byte.is_ascii_whitespace() => break,
            byte => word.push(byte),
        }
        at += 1;
    }
    Some((word, &text[at..]))
}

/// The content of a text in double quotes and its length with them.
fn double_quoted(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut content = Vec::new();
    let mut at = 1;
    loop {
        match text.get(at..)? {
            [b'"', ..] => return Some((content, at + 1)),
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
                content.push(digit(*high) << 4 | digit(*low));
                at += 4;
            }
            [b'\\', escaped, ..] => {
                content.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                at += 2;
            }
            [byte, ..] => {
                content.push(*byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

/// The content of a text in single quotes and its length with them.
fn single_quoted(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut content = Vec::new();
    let mut at = 1;
    loop {
        match text.get(at..)? {
            [b'\'', ..] => return Some((content, at + 1)),
            [b'\\', b'\'', ..] => {
                content.push(b'\'');
                at += 2;
            }
            [byte, ..] => {
                content.push(*byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

/// A text in double quotes that [`split`] reads back.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            control if control.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", control as u32)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A word that [`split_bytes`] reads back: as it is, or in quotes if it has to be.
pub(crate) fn quote_bytes(word: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\".contains(byte);
    if !word.is_empty() && word.iter().all(is_plain) {
        return word.to_vec();
    }
    let mut quoted = vec![b'"'];
    for byte in word {
        match byte {
            b'"' | b'\\' => quoted.extend([b'\\', *byte]),
            b' '..=b'~' => quoted.push(*byte),
            other => quoted.extend(format!("\\x{other:02x}").into_bytes()),
        }
    }
    quoted.push(b'"');
    quoted
}

/// The unit names of sizes: `k` and its like count in thousands, `kb` and its like in 1024s.
const UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("b", 1),
    ("k", 1000),
    ("kb", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1 << 30),
];

/// A number of bytes with or without a unit, in any case.
pub(crate) fn parse_memory(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let (_, scale) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

/// A number of bytes in the largest unit that divides it.
pub(crate) fn format_memory(bytes: u64) -> String {
    match bytes {
        0 => "0".into(),
        bytes if bytes % (1 << 30) == 0 => format!("{}gb", bytes >> 30),
        bytes if bytes % (1 << 20) == 0 => format!("{}mb", bytes >> 20),
        bytes if bytes % (1 << 10) == 0 => format!("{}kb", bytes >> 10),
        bytes => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Option<Vec<String>> {
        split(line.as_bytes())
    }

    #[test]
    fn lines_split_as_redis_splits_them() {
        let check = |line: &str, expected: &[&str]| assert_eq!(words(line).unwrap(), expected, "{line}");
        check("port 7", &["port", "7"]);
        check("  save \"\"\t", &["save", ""]);
        check(r#"a "b \"c\" \x41\n" 'd "e" \' \n'"#, &["a", "b \"c\" A\n", "d \"e\" ' \\n"]);
        check(r#"a"b c" d"#, &["ab c", "d"]);
        for unbalanced in ["\"a", "'a", "\"a\"b", "'a'b", "\"a\\", "\"a\\\""] {
            assert_eq!(words(unbalanced), None, "{unbalanced}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("1k", 1000), ("1KB", 1024), ("2m", 2_000_000), ("2Mb", 2 << 20), ("3gB", 3 << 30), ("7b", 7)]
        {
            assert_eq!(parse_memory(text), Some(bytes), "{text}");
        }
        for wrong in ["", "k", "-1", "1 kb", "1tb", "10%", "99999999999999999999", "99999999999gb"] {
            assert_eq!(parse_memory(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(text in any::<String>()) {
            prop_assert_eq!(words(&quote(&text)), Some(vec![text]));
        }

        #[test]
        fn any_line_splits_or_not(line in any::<Vec<u8>>()) {
            split(&line);
        }

        #[test]
        fn sizes_read_back(bytes in any::<u64>()) {
            prop_assert_eq!(parse_memory(&format_memory(bytes)), Some(bytes));
        }
    }
}
