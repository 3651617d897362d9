//! Where the binary's log lines go and how they look; the library only says what there is to log.

use jiff::tz::TimeZone;
use log::{Level, LevelFilter, Log, Metadata, Record};
use resplite::config::{LogLevel, Settings};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Installs the log that the settings ask for.
///
/// # Errors
/// The log file cannot be written.
pub(crate) fn install(settings: &Settings) -> io::Result<()> {
    let file = (!settings.logfile.is_empty()).then(|| settings.path(&settings.logfile));
    if let Some(path) = &file {
        open(path)?;
    }
    let sink = Sink { file, zone: TimeZone::system(), process: std::process::id() };
    // The binary installs its log once; a second one would come too late and is dropped.
    let _ = log::set_boxed_logger(Box::new(sink));
    follow(settings);
    Ok(())
}

/// Logs what the settings' level lets through from now on.
pub(crate) fn follow(settings: &Settings) {
    log::set_max_level(match settings.loglevel {
        LogLevel::Debug => LevelFilter::Trace,
        LogLevel::Verbose => LevelFilter::Debug,
        LogLevel::Notice => LevelFilter::Info,
        LogLevel::Warning => LevelFilter::Warn,
        LogLevel::Nothing => LevelFilter::Off,
    });
}

/// Whether a line of this level is seen on standard output.
pub(crate) fn is_on_stdout(settings: &Settings, level: Level) -> bool {
    settings.logfile.is_empty() && level <= log::max_level()
}

struct Sink {
    /// Standard output, if not given.
    file: Option<PathBuf>,
    zone: TimeZone,
    process: u32,
}

impl Sink {
    /// `pid:role date time mark message`, as tools that read logs of Redis expect.
    fn line(&self, record: &Record<'_>) -> String {
        let mark = match record.level() {
            Level::Error | Level::Warn => '#',
            Level::Info => '*',
            Level::Debug => '-',
            Level::Trace => '.',
        };
        let micros = i64::try_from(resplite_storage::clock::Clock::real().micros()).unwrap_or(i64::MAX);
        let now = jiff::Timestamp::from_microsecond(micros).unwrap_or_default().to_zoned(self.zone.clone());
        format!("{}:M {} {mark} {}\n", self.process, now.strftime("%d %b %Y %H:%M:%S.%3f"), record.args())
    }
}

impl Log for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = self.line(record);
        // There is nobody left to tell that the log cannot be written.
        let _ = match &self.file {
            None => write_out(&line),
            // Opened for each line, so that a log that was moved away is begun anew.
            Some(path) => open(path).and_then(|mut file| file.write_all(line.as_bytes())),
        };
    }

    fn flush(&self) {}
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Writes to standard output at once; fails instead of panicking when nobody reads it.
pub(crate) fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_like_those_of_redis() {
        let sink = Sink { file: None, zone: TimeZone::UTC, process: 42 };
        let line = sink.line(&Record::builder().level(Level::Info).args(format_args!("hello")).build());
        let (head, rest) = line.split_at(5);
        assert_eq!((head, &rest[rest.len() - 9..]), ("42:M ", " * hello\n"));
        // 21 Nov 2026 01:02:03.004
        let shape: String = rest[..24].chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!((&shape[..3], &shape[6..]), ("00 ", " 0000 00:00:00.000"));
    }
}
