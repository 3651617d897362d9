//! Configuration files: reading them with what they include, and writing changed settings back; nothing of what settings mean.

use super::Settings;
use super::table::{self, SETTINGS, Setting};
use super::words::{split, split_bytes};
use resplite_storage::glob::{self, Case};
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// Includes within includes, at most.
const MOST_INCLUDES: usize = 16;

/// What is wrong with a configuration file.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// A line cannot be understood.
    Line {
        /// Its number, from 1.
        number: usize,
        /// The line.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Line { number, text, reason } => {
                write!(f, "Reading the configuration file, at line {number}\n>>> '{text}'\n{reason}")
            }
            ConfigError::File { path, error } => {
                write!(f, "can't open config file '{}': {}", path.display(), reason(error))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// What the operating system says, without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Applies a file's lines.
pub(super) fn read(settings: &mut Settings, path: &Path) -> Result<(), ConfigError> {
    read_nested(settings, path, 0)
}

/// Applies lines that come from no file.
pub(super) fn read_text(settings: &mut Settings, text: &[u8]) -> Result<(), ConfigError> {
    apply_lines(settings, text, 0)
}

fn read_nested(settings: &mut Settings, path: &Path, depth: usize) -> Result<(), ConfigError> {
    let text = fs::read(path).map_err(|error| ConfigError::File { path: path.into(), error })?;
    apply_lines(settings, &text, depth)
}

fn apply_lines(settings: &mut Settings, text: &[u8], depth: usize) -> Result<(), ConfigError> {
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let wrong = |reason: String| ConfigError::Line {
            number: index + 1,
            text: String::from_utf8_lossy(line).into_owned(),
            reason,
        };
        let words = split_bytes(line).ok_or_else(|| wrong("Unbalanced quotes in configuration line".into()))?;
        if let Some((_, user)) = words.split_first().filter(|(name, _)| name.eq_ignore_ascii_case(b"user")) {
            settings.declare_user(user.to_vec()).map_err(wrong)?;
            continue;
        }
        let words: Vec<String> = words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            // A line of empty quotes names nothing.
            [] | [""] => {}
            [name, pattern] if name.eq_ignore_ascii_case("include") => {
                if depth == MOST_INCLUDES {
                    return Err(wrong("Files include each other too deeply".into()));
                }
                for path in expand(pattern) {
                    read_nested(settings, &path, depth + 1)?;
                }
            }
            [name, ref values @ ..] => settings.apply(name, values).map_err(wrong)?,
        }
    }
    Ok(())
}

/// The files that a path with wildcards means, in order; a path without them means itself, there or not.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let is_wild = |part: &str| part.contains(['*', '?', '[']);
    if !is_wild(pattern) {
        return vec![pattern.into()];
    }
    let mut found = vec![PathBuf::new()];
    for part in Path::new(pattern).components() {
        let name = match part {
            Component::Normal(name) => name.to_string_lossy(),
            other => {
                found.iter_mut().for_each(|path| path.push(other));
                continue;
            }
        };
        found = found.into_iter().flat_map(|dir| expand_part(dir, &name, is_wild(&name))).collect();
    }
    found
}

fn expand_part(dir: PathBuf, name: &str, wild: bool) -> Vec<PathBuf> {
    if !wild {
        let path = dir.join(name);
        return if path.exists() { vec![path] } else { Vec::new() };
    }
    let here = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
    let Ok(entries) = fs::read_dir(here) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    names.retain(|entry| {
        // As in a shell, hidden files want their dot to be written.
        entry.starts_with('.') == name.starts_with('.')
            && glob::matches(name.as_bytes(), entry.as_bytes(), Case::Sensitive)
    });
    names.sort();
    names.into_iter().map(|name| dir.join(name)).collect()
}

/// Stands before the lines that a rewrite adds.
const SIGNATURE: &[u8] = b"# Generated by CONFIG REWRITE";

/// Writes the settings that differ from what the configuration file says into it, and `users`, the lines that say who
/// there is; all other lines stay as they are.
pub(crate) fn rewrite(settings: &Settings, users: &[Vec<u8>]) -> io::Result<()> {
    let path = Path::new(&settings.config_file);
    let old = fs::read(path)?;
    let new = rewritten(settings, users, &old)?;
    if new == old { Ok(()) } else { replace(path, &new) }
}

/// The text of the file after the rewrite.
fn rewritten(settings: &Settings, users: &[Vec<u8>], old: &[u8]) -> io::Result<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = old.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    // What follows the last line end is not a line.
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    for setting in differing(settings, &lines)? {
        put_in_place(setting, settings, &mut lines);
    }
    let place = lines.iter().position(|line| declares_user(line));
    lines.retain(|line| !declares_user(line));
    if let Some(place) = place {
        lines.splice(place..place, users.iter().cloned());
    }
    // What still differs is not in this file, or a file that is included later says otherwise.
    let missing = differing(settings, &lines)?;
    let has_new_users = place.is_none() && !users.is_empty();
    if (has_new_users || !missing.is_empty()) && !lines.iter().any(|line| line == SIGNATURE) {
        lines.extend([Vec::new(), SIGNATURE.to_vec()]);
    }
    for setting in missing {
        lines.retain(|line| !says(line, setting));
        lines.extend(setting.lines(settings).into_iter().map(String::into_bytes));
    }
    if has_new_users {
        lines.extend(users.iter().cloned());
    }
    let mut text = lines.join(&b'\n');
    text.push(b'\n');
    Ok(text)
}

fn declares_user(line: &[u8]) -> bool {
    line.split(u8::is_ascii_whitespace)
        .find(|word| !word.is_empty())
        .is_some_and(|word| word.eq_ignore_ascii_case(b"user"))
}

/// The settings whose value is not the one that these lines give them.
fn differing(settings: &Settings, lines: &[Vec<u8>]) -> io::Result<Vec<&'static Setting>> {
    let mut read = Settings::default();
    read_text(&mut read, &lines.join(&b'\n')).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(SETTINGS.iter().filter(|setting| setting.value(&read) != setting.value(settings)).collect())
}

/// Lets the first line that says the setting say its value, and drops the others.
fn put_in_place(setting: &Setting, settings: &Settings, lines: &mut Vec<Vec<u8>>) {
    let Some(first) = lines.iter().position(|line| says(line, setting)) else { return };
    let rest = lines.split_off(first);
    lines.extend(setting.lines(settings).into_iter().map(String::into_bytes));
    lines.extend(rest.into_iter().filter(|line| !says(line, setting)));
}

fn says(line: &[u8], setting: &Setting) -> bool {
    let line = line.trim_ascii();
    if line.starts_with(b"#") {
        return false;
    }
    let first = split(line).and_then(|words| table::find(words.first()?));
    first.is_some_and(|named| named.name == setting.name)
}

/// Replaces a file as a whole: at any moment, and after a crash, it is the old one or the new one.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = fs::File::create(&temporary)?;
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // The error that counts is the one that made the file useless.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(text: &str) -> String {
        Settings::default().read_text(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn lines_are_applied_and_comments_are_not() {
        let mut settings = Settings::default();
        settings.read_text(b"# port 1\n\n  Port 7 \r\nrequirepass \"a b\"\nbind 127.0.0.1 ::1\nport 8").unwrap();
        assert_eq!((settings.port, settings.requirepass.as_str()), (Some(8), "a b"));
        assert_eq!(settings.bind, ["127.0.0.1", "::1"]);
    }

    #[test]
    fn errors_name_line_and_reason() {
        assert_eq!(
            failed("port 1\n\nfoo \"bar\" # no\n"),
            "Reading the configuration file, at line 3\n>>> 'foo \"bar\" # no'\n\
             Bad directive or wrong number of arguments"
        );
        assert!(failed("port \"1").ends_with("Unbalanced quotes in configuration line"));
        assert_eq!(
            failed("include /no/such/file"),
            "can't open config file '/no/such/file': No such file or directory"
        );
    }

    #[test]
    fn files_include_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        fs::write(path("b.conf"), "port 2\n").unwrap();
        fs::write(path("a.conf"), "port 1\ntimeout 5\n").unwrap();
        fs::write(path(".c.conf"), "port 3\n").unwrap();
        fs::write(path("main"), format!("include {}\nmaxclients 9\n", path("*.conf"))).unwrap();
        let mut settings = Settings::default();
        settings.read_file(path("main")).unwrap();
        assert_eq!((settings.port, settings.timeout, settings.maxclients), (Some(2), 5, 9));
        assert_eq!(settings.config_file, path("main"));
        fs::write(path("loop"), format!("include {}\n", path("loop"))).unwrap();
        let error = Settings::default().read_file(path("loop")).unwrap_err().to_string();
        assert!(error.ends_with("too deeply"), "{error}");
    }

    #[test]
    fn the_example_file_has_every_setting_with_its_default() {
        let text = include_str!("../../../resplite.conf");
        let lines: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix('#'))
            .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
            .collect();
        for setting in SETTINGS {
            let named = lines.iter().filter(|line| line.split(' ').next() == Some(setting.name));
            let named: Vec<String> = named.map(|&line| line.to_owned()).collect();
            match setting.name {
                "dir" => assert_eq!(named, ["dir ."]),
                name => assert_eq!(named, setting.lines(&Settings::default()), "{name}"),
            }
        }
        let mut settings = Settings::default();
        settings.read_text(lines.join("\n").as_bytes()).unwrap();
        settings.read_text(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_rewrite_touches_only_what_changed() {
        let old = "# mine\nport 7\n\nmaxmemory 100mb\n# tail\nmaxmemory 5mb\nbind 127.0.0.1";
        let mut settings = Settings::default();
        settings.read_text(old.as_bytes()).unwrap();
        let same = rewritten(&settings, &[], old.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(same).unwrap(), format!("{old}\n"));
        settings.apply("maxmemory", &["7mb"]).unwrap();
        settings.apply("requirepass", &["a \"b"]).unwrap();
        settings.apply("client-output-buffer-limit", &["normal 1 2 3"]).unwrap();
        let new = rewritten(&settings, &[], old.as_bytes()).unwrap();
        let expected = "# mine\nport 7\n\nmaxmemory 7mb\n# tail\nbind 127.0.0.1\n\n# Generated by CONFIG REWRITE\n\
            requirepass \"a \\\"b\"\nclient-output-buffer-limit normal 1 2 3\n\
            client-output-buffer-limit slave 268435456 67108864 60\n\
            client-output-buffer-limit pubsub 33554432 8388608 60\n";
        assert_eq!(String::from_utf8(new.clone()).unwrap(), expected);
        assert_eq!(rewritten(&settings, &[], &new).unwrap(), new);
    }

    #[test]
    fn a_rewrite_wins_over_later_includes() {
        let dir = tempfile::tempdir().unwrap();
        let (main, other) = (dir.path().join("main"), dir.path().join("other"));
        fs::write(&other, "timeout 5\n").unwrap();
        fs::write(&main, format!("timeout 1\ninclude {}\n", other.display())).unwrap();
        let mut settings = Settings::default();
        settings.read_file(&main).unwrap();
        settings.apply("timeout", &["9"]).unwrap();
        rewrite(&settings, &[]).unwrap();
        let mut again = Settings::default();
        again.read_file(&main).unwrap();
        assert_eq!(again.timeout, 9);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
