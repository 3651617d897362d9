//! The house rules as a test: who may depend on whom, and what may be named where.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server package lies in the workspace").to_owned()
}

/// All Rust files below a directory of the workspace, with their text.
fn sources(directory: &str) -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() && !path.ends_with("target") => walk(&path, found),
                Some(extension) if extension == "rs" => found.push(path),
                _ => {}
            }
        }
    }
    let root = root();
    let mut found = Vec::new();
    walk(&root.join(directory), &mut found);
    let named =
        |path: PathBuf| (path.strip_prefix(&root).unwrap().display().to_string(), fs::read_to_string(path).unwrap());
    found.into_iter().map(named).collect()
}

fn dependencies(package: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap_or("").split("\n[").next().unwrap_or("").to_owned();
    section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn arrows_point_down() {
    let ours = |package: &str| -> Vec<String> {
        dependencies(package).into_iter().filter(|name| name.starts_with("resplite")).collect()
    };
    assert_eq!(ours("resp"), Vec::<String>::new());
    assert_eq!(ours("storage"), ["resplite-resp"]);
    assert_eq!(ours("server"), ["resplite-resp", "resplite-storage"]);
    for (package, never) in
        [("resp", "tokio"), ("storage", "tokio"), ("storage", "dashmap"), ("server", "redis-protocol")]
    {
        assert!(!dependencies(package).iter().any(|name| name == never), "{package} must not know {never}");
    }
}

#[test]
fn files_say_what_they_are() {
    for directory in ["resp", "storage", "server", "xtask", "tests", "benches"] {
        for (path, text) in sources(directory) {
            assert!(text.starts_with("//!"), "{path} does not begin with what lives there");
        }
    }
}

#[test]
fn sockets_and_tokio_live_in_net() {
    for directory in ["resp/src", "storage/src", "server/src"] {
        for (path, text) in sources(directory) {
            if path.starts_with("server/src/net") {
                continue;
            }
            for word in ["tokio::", "TcpStream", "TcpListener", "UnixStream", "UnixListener", "socket2::"] {
                assert!(!text.contains(word), "{path} names {word}");
            }
        }
    }
}

#[test]
fn time_and_chance_come_from_their_places() {
    for directory in ["resp/src", "storage/src", "server/src"] {
        for (path, text) in sources(directory) {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            if path != "storage/src/clock.rs" {
                for word in ["Instant::now", "SystemTime::now"] {
                    assert!(!code.contains(word), "{path} looks at the clock: {word}");
                }
            }
            for word in ["fastrand::Rng::new", "fastrand::u", "fastrand::i", "thread_rng"] {
                assert!(!code.contains(word), "{path} makes its own chance: {word}");
            }
        }
    }
}

/// Comments, and the promise that a header's length is what it was made with: `packed.rs` checks it.
fn is_harmless(line: &str) -> bool {
    line.starts_with("//") || line.starts_with("unsafe impl Header for")
}

#[test]
fn unsafe_is_rare_and_explained() {
    const ALLOWED: &[&str] = &[
        "storage/src/packed.rs",
        "storage/src/table.rs",
        "storage/src/entry.rs",
        "storage/src/types/sorted_set/index.rs",
        "server/src/allocator.rs",
        "server/src/net/connection.rs",
        "server/src/process.rs",
        "server/src/script/lua.rs",
        "server/src/script/slot.rs",
        "server/src/usage.rs",
    ];
    for directory in ["resp/src", "storage/src", "server/src"] {
        for (path, text) in sources(directory) {
            let uses = text.lines().any(|line| line.contains("unsafe ") && !is_harmless(line.trim_start()));
            assert!(!uses || ALLOWED.contains(&path.as_str()), "{path} uses unsafe");
        }
    }
}

/// The words of a text that could be a command's.
fn words(text: &str) -> Vec<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && !"-_".contains(letter))
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn every_command_is_tested() {
    let here: Vec<(String, String)> = sources("tests")
        .into_iter()
        .filter(|(path, _)| path.starts_with("tests/commands/") || path.matches('/').count() == 1)
        .collect();
    let words: Vec<Vec<&str>> = here.iter().map(|(_, text)| words(text)).collect();
    let server = crate::support::server();
    let mut client = server.client();
    let list = client.call(["COMMAND", "LIST"]);
    let Some(commands) = list.as_slice() else { panic!("COMMAND LIST: {list:?}") };
    let untested: Vec<String> = commands
        .iter()
        .filter_map(|name| name.as_str())
        .map(|name| name.replace('|', " ").to_uppercase())
        .filter(|name| {
            let name: Vec<&str> = name.split(' ').collect();
            !words.iter().any(|words| words.windows(name.len()).any(|some| some == name))
        })
        .collect();
    assert!(!commands.is_empty());
    assert!(untested.is_empty(), "commands that no test under tests/ names: {}", untested.join(", "));
}

#[test]
fn the_root_stays_clean() {
    const ALLOWED: &[&str] = &[
        ".cargo",
        ".ci",
        ".git",
        ".gitignore",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "benches",
        "clippy.toml",
        "deny.toml",
        "docs",
        "resp",
        "resplite.conf",
        "rustfmt.toml",
        "server",
        "storage",
        "target",
        "test",
        "tests",
        "xtask",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(ALLOWED.contains(&name.as_str()), "{name} does not belong at the root");
    }
}
