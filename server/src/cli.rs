//! The command line: what the words behind `resplite` ask for, as redis-server understands them; starts nothing.

use resplite::config::{ConfigError, Settings};
use resplite::{REDIS_VERSION, VERSION};
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// A server with these settings.
    Serve(Box<Settings>),
    /// A text on standard output, and success.
    Print(String),
    /// Looks at a log, and cuts off damage at its end if `fix`.
    CheckAof { path: PathBuf, fix: bool },
    /// Looks at a snapshot.
    CheckRdb { path: PathBuf },
}

/// Reads the words behind the program's name; `stdin` is read if one of them is `-`.
///
/// # Errors
/// The text belongs on standard error, and the exit status is 1.
pub(crate) fn parse(args: &[String], stdin: impl FnOnce() -> std::io::Result<Vec<u8>>) -> Result<Request, String> {
    match args {
        [word] if matches!(word.as_str(), "-v" | "--version") => return Ok(Request::Print(version())),
        [word] if matches!(word.as_str(), "-h" | "--help") => return Ok(Request::Print(help())),
        [tool, rest @ ..] if tool == "check-aof" => return check_aof(rest),
        [tool, rest @ ..] if tool == "check-rdb" => match rest {
            [path] => return Ok(Request::CheckRdb { path: path.into() }),
            _ => return Err("Usage: resplite check-rdb <file>".into()),
        },
        _ => {}
    }
    let mut settings = Settings::default();
    let mut options = args;
    // What files say comes first, so that options override it wherever the `-` stands.
    if let [file, rest @ ..] = options
        && !file.starts_with('-')
    {
        settings.read_file(file).map_err(fatal)?;
        options = rest;
    }
    let (rest, reads_stdin) = match options {
        [first, rest @ ..] if first == "-" => (rest, true),
        [rest @ .., last] if last == "-" => (rest, true),
        all => (all, false),
    };
    if reads_stdin {
        let text = stdin().map_err(|error| format!("Cannot read the configuration from standard input: {error}"))?;
        settings.read_text(&text).map_err(fatal)?;
    }
    apply_options(&mut settings, rest)?;
    if settings.bind.is_empty() {
        settings.port = None;
        settings.tls.port = None;
    }
    // With another way in, `port 0` means what it means to Redis; without one nobody could reach the server.
    let has_other = !settings.unixsocket.is_empty() || settings.tls.port.is_some();
    if settings.port == Some(0) && has_other {
        settings.port = None;
    }
    if settings.port.is_none() && !has_other {
        return Err("Configured to not listen anywhere: give an address to bind, or a unixsocket.".into());
    }
    Ok(Request::Serve(Box::new(settings)))
}

fn check_aof(words: &[String]) -> Result<Request, String> {
    match words {
        [path] if !path.starts_with("--") => Ok(Request::CheckAof { path: path.into(), fix: false }),
        [fix, path] if fix == "--fix" => Ok(Request::CheckAof { path: path.into(), fix: true }),
        _ => Err("Usage: resplite check-aof [--fix] <file.manifest | file.aof>".into()),
    }
}

/// Applies `--name value ..` after `--name value ..`.
fn apply_options(settings: &mut Settings, words: &[String]) -> Result<(), String> {
    let mut rest = words;
    while let [option, behind @ ..] = rest {
        let Some(name) = option.strip_prefix("--").filter(|name| !name.is_empty()) else {
            return Err(bad_option(option, "Bad directive or wrong number of arguments"));
        };
        // The word behind an option is its value even if it begins with two dashes: a password may.
        let is_bare_save = name == "save" && behind.first().is_none_or(|next| next.starts_with("--"));
        let least = usize::from(!name.contains(' ') && !behind.is_empty() && !is_bare_save);
        let more = behind[least..].iter().take_while(|word| !word.starts_with("--")).count();
        let (values, next) = behind.split_at(least + more);
        rest = next;
        // `--save` alone is the empty list of points; `"--port 7"` brings its value in the same word.
        let line = match values {
            [] if is_bare_save => format!("{name} \"\""),
            [] => name.to_owned(),
            values => {
                let quoted: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
                format!("{name} {}", quoted.join(" "))
            }
        };
        let wrong = |reason: String| bad_option(&line, &reason);
        if values.is_empty() || name.contains(' ') || name == "include" {
            settings.read_text(line.as_bytes()).map_err(|error| match error {
                ConfigError::Line { reason, .. } => wrong(reason),
                other => fatal(other),
            })?;
        } else {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            settings.apply(name, &values).map_err(wrong)?;
        }
    }
    Ok(())
}

fn fatal(error: ConfigError) -> String {
    match error {
        ConfigError::File { .. } => format!("Fatal error, {error}"),
        error => format!("\n{HEADER}\n{error}"),
    }
}

fn bad_option(line: &str, reason: &str) -> String {
    format!("\n{HEADER}\nReading the command line\n>>> '{line}'\n{reason}\nTry 'resplite --help'.")
}

const HEADER: &str = "*** FATAL CONFIG FILE ERROR (Redis 7.4.2) ***";

/// Tools that look for redis-server's version split this line at ` v=`.
fn version() -> String {
    let bits = usize::BITS;
    format!(
        "Redis server v={REDIS_VERSION} sha=00000000:0 malloc=mimalloc bits={bits} build=resplite-{VERSION} \
         (this is Resplite {VERSION}, which has the commands of Redis {REDIS_VERSION})"
    )
}

fn help() -> String {
    format!(
        "\
Resplite {VERSION}: a server that speaks the protocol of Redis {REDIS_VERSION}.

Usage: resplite [FILE | -] [--SETTING VALUE ...] ...
       resplite check-aof [--fix] FILE.manifest
       resplite check-rdb FILE
       resplite -v | --version
       resplite -h | --help

FILE is a configuration file in the format of redis.conf; - reads one from standard input.
Options are the settings of that file and override it. Some that are often wanted:

  --port N              TCP port (6379). 0 takes a free port; with --unixsocket or --tls-port, none
  --bind ADDRESS ...    addresses to listen on (127.0.0.1 -::1)
  --unixsocket PATH     listen on a Unix socket as well
  --requirepass WORD    password that clients need
  --maxmemory SIZE      memory limit for data, such as 100mb (0: none)
  --databases N         number of databases (16)
  --io-threads N        worker threads (0: one for each core)
  --dir PATH            keep the data here: load it, log every change, sync once a second
  --appendfsync WORD    when the log is synced: always, everysec or no
  --save SECONDS N      write a snapshot when N changes are older than so many seconds
  --logfile PATH        log to a file instead of standard output
  --loglevel LEVEL      debug, verbose, notice, warning or nothing
  --pidfile PATH        file that holds the process id while the server runs
  --daemonize yes       run in the background

Once it accepts connections the server writes to standard output, a line for each socket and then a last one:

  Listening on 127.0.0.1:6379
  Listening on unix:/path/of/the/socket
  ... Ready to accept connections

SIGTERM and SIGINT end it with status 0, a second one at once. Without --dir, --appendonly or --save all data is in
memory and goes with the process.

Examples:
  resplite
  resplite --port 0
  resplite /etc/resplite.conf --loglevel verbose
  echo 'maxmemory 1gb' | resplite - --port 7000"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(args: &[&str]) -> Result<Settings, String> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        match parse(&args, || Ok(b"port 5\ntimeout 6\n".to_vec()))? {
            Request::Serve(settings) => Ok(*settings),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_take_several_words() {
        let given =
            settings(&["--save", "", "--bind", "127.0.0.1", "::1", "--port", "7", "--appendonly", "no"]).unwrap();
        assert_eq!(given.bind, ["127.0.0.1", "::1"]);
        assert_eq!(given.port, Some(7));
        let given = settings(&["--save", "--port 8", "--requirepass", "--a b"]).unwrap();
        assert_eq!((given.port, given.requirepass.as_str()), (Some(8), "--a b"));
        assert!(settings(&["--port", "7", "--save"]).is_ok());
    }

    #[test]
    fn options_override_standard_input() {
        for args in [&["-", "--port", "7"], &["--port", "7", "-"]] {
            let given = settings(args).unwrap();
            assert_eq!((given.port, given.timeout), (Some(7), 6));
        }
    }

    #[test]
    fn port_zero_is_any_port_unless_there_is_a_unix_socket() {
        assert_eq!(settings(&["--port", "0"]).unwrap().port, Some(0));
        assert_eq!(settings(&["--port", "0", "--unixsocket", "s"]).unwrap().port, None);
        let given = settings(&["--port", "0", "--tls-port", "7"]).unwrap();
        assert_eq!((given.port, given.tls.port), (None, Some(7)));
        assert_eq!(settings(&["--port", "0", "--tls-port", "0"]).unwrap().port, Some(0));
        assert!(settings(&["--bind", ""]).unwrap_err().contains("not listen anywhere"));
    }

    #[test]
    fn wrong_options_are_shown_with_the_reason() {
        for (args, line, reason) in [
            (&["--foo", "bar"][..], "foo \"bar\"", "Bad directive or wrong number of arguments"),
            (&["--port", "abc"], "port \"abc\"", "argument couldn't be parsed into an integer"),
            (&["--port"], "port", "wrong number of arguments"),
            (&["--port 1 2"], "port 1 2", "wrong number of arguments"),
            (&["-x"], "-x", "Bad directive or wrong number of arguments"),
            (&["--check-system"], "check-system", "Bad directive or wrong number of arguments"),
        ] {
            let error = settings(args).unwrap_err();
            let expected = format!("Reading the command line\n>>> '{line}'\n{reason}\n");
            assert!(error.contains(&expected), "{error}");
            assert!(error.starts_with("\n*** FATAL CONFIG FILE ERROR (Redis 7.4.2) ***\n"), "{error}");
        }
        let error = settings(&["/no/such/file"]).unwrap_err();
        assert_eq!(error, "Fatal error, can't open config file '/no/such/file': No such file or directory");
    }

    #[test]
    fn the_version_is_where_tools_look_for_it() {
        let version = version();
        assert!(version.starts_with("Redis server v=7.4.2 sha="), "{version}");
        assert!(version.contains("Resplite"));
        assert!(
            fatal(ConfigError::Line { number: 1, text: String::new(), reason: String::new() }).contains(REDIS_VERSION)
        );
    }
}
