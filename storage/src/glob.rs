//! Redis' glob patterns over bytes, as KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET use them.

/// Stars that a pattern may hold before it stops matching anything, as in Redis (the last character may be one more).
const MAX_STARS: usize = 1000;
/// Comparisons after which a match is given up: a quarter of a second, where honest patterns take microseconds.
const MAX_STEPS: usize = 100_000_000;

/// Whether ASCII letters match whatever their case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Letters match themselves only.
    Sensitive,
    /// `a` matches `A`.
    Insensitive,
}

/// Whether `text` as a whole matches `pattern`.
///
/// `*` is any run of bytes, `?` any byte, `[a-z_]` one of these, `[^a-z]` none of these, `\x` is x. A class that is not
/// closed ends with the pattern, a range may run backwards, a final `\` is itself. As in Redis, an empty text matches
/// the empty pattern only, not even `*`. Time is at most the product of the lengths, and bounded.
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut in_pattern, mut in_text) = (0, 0);
    // Where to go on when a literal part fails: behind the last star, one byte further. A later star makes going back to
    // an earlier one pointless, so that one such place is all that a match ever needs.
    let mut retry: Option<(usize, usize)> = None;
    let (mut stars, mut steps) = (0, 0);
    while in_text < text.len() {
        if pattern.get(in_pattern) == Some(&b'*') {
            while pattern.get(in_pattern) == Some(&b'*') {
                in_pattern += 1;
            }
            if in_pattern == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > MAX_STARS {
                return false;
            }
            retry = Some((in_pattern, in_text));
            continue;
        }
        let (same, consumed) = match_one(&pattern[in_pattern..], text[in_text], case);
        steps += consumed.max(1);
        if same {
            in_pattern += consumed;
            in_text += 1;
            continue;
        }
        let Some((after_star, from)) = retry else { return false };
        if steps > MAX_STEPS {
            return false;
        }
        retry = Some((after_star, from + 1));
        (in_pattern, in_text) = (after_star, from + 1);
    }
    pattern[in_pattern..].iter().all(|byte| *byte == b'*')
}

/// Matches one byte against the pattern's first element (never a star); returns also that element's length.
#[inline]
fn match_one(pattern: &[u8], byte: u8, case: Case) -> (bool, usize) {
    match *pattern {
        [] => (false, 0),
        [b'?', ..] => (true, 1),
        [b'[', ref class @ ..] => {
            let (same, len) = match_class(class, byte, case);
            (same, len + 1)
        }
        [b'\\', literal, ..] => (equal(literal, byte, case), 2),
        [literal, ..] => (equal(literal, byte, case), 1),
    }
}

/// Matches one byte against what follows a `[`; returns also how much of the pattern that is.
fn match_class(class: &[u8], byte: u8, case: Case) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match class[at..] {
            [] => break,
            [b'\\', literal, ..] => {
                // Exact even without case: so it is in Redis.
                found |= literal == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [first, b'-', last, ..] => {
                let (low, high) = if first <= last { (first, last) } else { (last, first) };
                found |= match case {
                    Case::Sensitive => (low..=high).contains(&byte),
                    Case::Insensitive => {
                        (low.to_ascii_lowercase()..=high.to_ascii_lowercase()).contains(&byte.to_ascii_lowercase())
                    }
                };
                at += 3;
            }
            [literal, ..] => {
                found |= equal(literal, byte, case);
                at += 1;
            }
        }
    }
    (found != negated, at)
}

#[inline]
fn equal(a: u8, b: u8, case: Case) -> bool {
    match case {
        Case::Sensitive => a == b,
        Case::Insensitive => a.eq_ignore_ascii_case(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, match_one, matches};
    use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};

    fn glob(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive)
    }

    /// The definition, as a recursion.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            ([], _) => text.is_empty(),
            (_, []) => false,
            (_, [byte, rest @ ..]) => {
                let (same, len) = match_one(pattern, *byte, Case::Sensitive);
                same && naive(&pattern[len..], rest)
            }
        }
    }

    #[test]
    fn odd_patterns_match_as_in_redis() {
        let yes = [
            ("", ""),
            ("[a", "a"),
            ("[^a", "b"),
            ("[^]", "a"),
            ("[^", "a"),
            ("[^", "^"),
            ("[z-a]", "c"),
            ("[a-", "a"),
            ("[a-", "-"),
            ("[a-]", "a"),
            ("[a-]", "]"),
            ("[a-]]", "_"),
            ("[\\]]", "]"),
            ("[\\", "\\"),
            ("\\", "\\"),
            ("a\\", "a\\"),
            ("\\a", "a"),
            ("\\*", "*"),
            ("[\\a-z]", "-"),
            ("[\\a-z]", "a"),
            ("[a\\-z]", "-"),
            ("[!a]", "!"),
            ("a*", "a"),
            ("*a", "a"),
            ("*?", "a"),
            ("*[a]*", "xxa"),
            ("[^]a]", "ba]"),
            ("[a-c-e]", "-"),
            ("[--/]", "."),
            ("[ab*", "*"),
            ("x[^", "xy"),
            ("[\\\\]", "\\"),
            ("[a-\\]", "_"),
            ("h[ae]llo", "hallo"),
        ];
        let no = [
            ("*", ""),
            ("**", ""),
            ("?", ""),
            ("", "a"),
            ("[", "["),
            ("[a", "b"),
            ("[]", "a"),
            ("[]", "]"),
            ("[a-]", "-"),
            ("[a-]", "b"),
            ("[a-]]", "b"),
            ("[\\]", "\\"),
            ("\\*", "x"),
            ("[\\a-z]", "b"),
            ("[a\\-z]", "b"),
            ("[!a]", "b"),
            ("a*", ""),
            ("[]a]", "a"),
            ("[]a]", "]a"),
            ("[a-c-e]", "d"),
            ("[a", "ab"),
            ("x[", "x"),
            ("x[", "xy"),
            ("[a-\\]]", "_"),
            ("[a-\\]", "b"),
            ("h[^e]llo", "hello"),
        ];
        for (pattern, text) in yes {
            assert!(glob(pattern, text), "{pattern} should match {text}");
        }
        for (pattern, text) in no {
            assert!(!glob(pattern, text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn a_thousand_stars_are_the_limit() {
        assert!(glob(&"*a".repeat(1000), &"a".repeat(1000)));
        assert!(!glob(&"*a".repeat(1001), &"a".repeat(1001)));
        assert!(glob(&"*".repeat(5000), "a"));
    }

    #[test]
    fn case_may_be_ignored() {
        assert!(matches(b"h[A-C]L?o", b"HbllO", Case::Insensitive));
        assert!(!matches(b"h[A-C]L?o", b"HbllO", Case::Sensitive));
    }

    #[test]
    fn hostile_patterns_end() {
        assert!(!glob(&"a*".repeat(500), &format!("{}b", "a".repeat(400))));
        assert!(!glob(&format!("*{}b", "a".repeat(20_000)), &"a".repeat(40_000)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 20 } else { 4000 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn agrees_with_the_recursive_definition(pattern in "[ab*?\\[\\]^\\\\-]{0,8}", text in "[ab\\]-]{1,8}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text, Case::Sensitive), naive(pattern, text));
        }

        #[test]
        fn any_bytes_are_a_pattern(pattern in prop::collection::vec(0u8..=255, 0..30), text in prop::collection::vec(0u8..=255, 0..30)) {
            matches(&pattern, &text, Case::Insensitive);
        }
    }
}
