//! The `resplite` binary: redis-server's command line over the library, and what belongs to a process: log, signals, pid file.

mod allocator;
mod check;
mod cli;
mod log_sink;
mod process;

use cli::Request;
use log::Level;
use resplite::config::Settings;
use resplite::{REDIS_VERSION, Server, VERSION};
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let done = cli::parse(&args, read_stdin).and_then(|request| match request {
        Request::Print(text) => print(&text),
        Request::Serve(settings) => serve(*settings),
        Request::CheckAof { path, fix } => check::aof(&path, fix).and_then(|text| print(text.trim_end())),
        Request::CheckRdb { path } => check::rdb(&path).and_then(|text| print(text.trim_end())),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn read_stdin() -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    Ok(text)
}

fn print(text: &str) -> Result<(), String> {
    log_sink::write_out(&format!("{text}\n")).map_err(|error| error.to_string())
}

/// Runs a server until it is told to stop.
fn serve(mut settings: Settings) -> Result<(), String> {
    let parent = if settings.daemonize {
        Some(process::detach().map_err(|error| format!("Cannot run in the background: {error}"))?)
    } else {
        None
    };
    log_sink::install(&settings).map_err(|error| format!("Can't open the log file '{}': {error}", settings.logfile))?;
    let wanted = settings.maxclients;
    let room = process::make_room_for(wanted as u64);
    settings.maxclients = usize::try_from(room).unwrap_or(wanted).max(1);
    log::info!("Resplite {VERSION}, speaks Redis {REDIS_VERSION}, pid {}", std::process::id());
    if settings.maxclients < wanted {
        log::warn!("The limit of open files leaves room for {} clients instead of {wanted}", settings.maxclients);
    }
    let server = Server::builder()
        .settings(settings.clone())
        .on_settings_change(log_sink::follow)
        .allocator(allocator::MIMALLOC)
        .start();
    let server = match server {
        // SHUTDOWN came while the data was being loaded.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            log::info!("Stopped");
            return Ok(());
        }
        started => started.map_err(|error| cannot_start(&error, &settings))?,
    };
    process::on_signal(server.stop_handle()).map_err(|error| format!("Cannot handle signals: {error}"))?;
    let pid_file = PidFile::write(&settings);
    log::info!("{}", what_is_kept(&settings));
    announce(&server, &settings);
    if let Some(parent) = parent {
        parent.release();
    }
    server.wait();
    drop(pid_file);
    log::info!("Stopped");
    Ok(())
}

/// What of the data outlives the process.
fn what_is_kept(settings: &Settings) -> String {
    let value = |name: &str| settings.value(name).unwrap_or_default();
    match (settings.keeps_log(), settings.save.is_empty()) {
        (true, _) => {
            let directory = settings.path(&settings.appenddirname);
            format!("Every change is logged in {}, synced: {}", directory.display(), value("appendfsync"))
        }
        (false, false) => {
            format!("Snapshots are written to {} ({})", settings.path(&settings.dbfilename).display(), value("save"))
        }
        (false, true) => "Nothing is kept on disk: all data is in memory and goes with this process".into(),
    }
}

/// Says on standard output where the server listens and that it does, wherever the log goes.
fn announce(server: &Server, settings: &Settings) {
    let mut sockets: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    sockets.extend(server.tls_addresses().iter().map(|address| format!("tls:{address}")));
    if !settings.unixsocket.is_empty() {
        sockets.push(format!("unix:{}", settings.path(&settings.unixsocket).display()));
    }
    // Who has closed standard output does not want to know.
    for socket in sockets {
        let _ = print(&format!("Listening on {socket}"));
    }
    const READY: &str = "Ready to accept connections";
    log::info!("{READY}");
    if !log_sink::is_on_stdout(settings, Level::Info) {
        let _ = print(READY);
    }
}

fn cannot_start(error: &io::Error, settings: &Settings) -> String {
    let mut text = format!("Cannot start: {error}");
    if error.kind() == io::ErrorKind::AddrInUse
        && let Some(free) = free_port()
    {
        text.push_str(&format!("\nSomething else listens there; try --port {free}"));
    }
    if !log_sink::is_on_stdout(settings, Level::Error) {
        log::error!("{text}");
    }
    text
}

/// A port that was free a moment ago: the one that a server without a wish gets.
fn free_port() -> Option<u16> {
    let server = Server::builder().start().ok()?;
    server.address().map(|address| address.port())
}

/// A file with the process id that goes when the server does.
struct PidFile(PathBuf);

impl PidFile {
    fn write(settings: &Settings) -> Option<Self> {
        if settings.pidfile.is_empty() {
            return None;
        }
        let path = settings.path(&settings.pidfile);
        match std::fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(PidFile(path)),
            Err(error) => {
                log::warn!("Cannot write the pid file {}: {error}", path.display());
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            log::warn!("Cannot remove the pid file {}: {error}", self.0.display());
        }
    }
}
