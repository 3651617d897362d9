//! What a script or function says of itself: flags, and the first line of a script that holds them.

/// What a script promises or asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ScriptFlags(u8);

impl ScriptFlags {
    /// It writes nothing.
    pub(crate) const NO_WRITES: Self = Self(1);
    /// It may run when memory has run out.
    pub(crate) const ALLOW_OOM: Self = Self(1 << 1);
    /// It may run on a replica whose data are old, of which there are none.
    pub(crate) const ALLOW_STALE: Self = Self(1 << 2);
    /// It may not run in a cluster, of which there are none.
    pub(crate) const NO_CLUSTER: Self = Self(1 << 3);
    /// Its keys may lie in several slots of a cluster.
    pub(crate) const ALLOW_CROSS_SLOT_KEYS: Self = Self(1 << 4);
    /// It says nothing of itself, as scripts before Redis 7: then its commands are looked at one by one.
    pub(crate) const SILENT: Self = Self(1 << 7);

    const NAMES: [(&'static str, Self); 5] = [
        ("no-writes", Self::NO_WRITES),
        ("allow-oom", Self::ALLOW_OOM),
        ("allow-stale", Self::ALLOW_STALE),
        ("no-cluster", Self::NO_CLUSTER),
        ("allow-cross-slot-keys", Self::ALLOW_CROSS_SLOT_KEYS),
    ];

    /// The flag of that name.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, flag)| *flag)
    }

    /// The names of all that are set.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(_, flag)| self.has(*flag)).map(|(name, _)| *name)
    }

    #[inline]
    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The flags in a script's first line, and where its code begins.
///
/// # Errors
/// What is wrong with the line, as the reply says it.
pub(crate) fn of_script(source: &[u8]) -> Result<(ScriptFlags, usize), String> {
    if !source.starts_with(b"#!") {
        return Ok((ScriptFlags::SILENT, 0));
    }
    let Some(end) = memchr::memchr(b'\n', source) else { return Err("Invalid script shebang".into()) };
    let line = String::from_utf8_lossy(&source[..end]);
    let mut words = line.split_ascii_whitespace();
    let engine = words.next().unwrap_or_default();
    if engine != "#!lua" {
        return Err(format!("Unexpected engine in script shebang: {engine}"));
    }
    let mut flags = ScriptFlags::default();
    for word in words {
        let Some(names) = word.strip_prefix("flags=") else {
            return Err(format!("Unknown lua shebang option: {word}"));
        };
        for name in names.split(',').filter(|name| !name.is_empty()) {
            let flag = ScriptFlags::named(name.as_bytes());
            flags = flags.with(flag.ok_or_else(|| format!("Unexpected flag in script shebang: {name}"))?);
        }
    }
    // The line end stays, so that lines keep their numbers.
    Ok((flags, end))
}
