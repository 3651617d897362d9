//! Real clients over TLS, with certificates of their own and without.

use super::python;
use crate::support::certificates::Files;
use redis::{AsyncCommands, ClientTlsConfig, Commands, TlsCertificates};
use resplite::Server;
use std::process::Command;

/// A server that asks clients for a certificate or not, and the files of one client.
fn start(auth_clients: &str) -> (Files, Server, String) {
    let files = Files::new();
    files.renew("client");
    let server = files.builder(auth_clients).start().unwrap();
    let port = server.tls_address().unwrap().port().to_string();
    (files, server, port)
}

#[test]
fn redis_cli() {
    for (auth_clients, is_open) in [("yes", false), ("optional", true), ("no", true)] {
        let (files, _server, port) = start(auth_clients);
        let run = |args: &[&str]| {
            let mut command = Command::new("redis-cli");
            command.args(["--tls", "-h", "127.0.0.1", "-p", &port]).args(args);
            match command.output() {
                Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
                Err(error) => {
                    assert!(std::env::var_os("RESPLITE_REQUIRE_ORACLES").is_none(), "redis-cli: {error}");
                    None
                }
            }
        };
        let (ca, cert, key) = (files.text("ca.crt"), files.text("client.crt"), files.text("client.key"));
        let Some(said) = run(&["--cacert", &ca, "--cert", &cert, "--key", &key, "SET", "k", "v"]) else { return };
        assert_eq!(said, "OK\n");
        let said = run(&["--cacert", &ca, "GET", "k"]).unwrap();
        assert_eq!(said == "v\n", is_open, "tls-auth-clients {auth_clients}: {said}");
        // It does not trust a server whose authority it does not know.
        let said = run(&["--cert", &cert, "--key", &key, "GET", "k"]).unwrap();
        assert_eq!(said, "", "tls-auth-clients {auth_clients}");
        let said = run(&["--insecure", "--cert", &cert, "--key", &key, "GET", "k"]).unwrap();
        assert_eq!(said, "v\n", "tls-auth-clients {auth_clients}");
    }
}

#[test]
fn redis_rs() {
    for (auth_clients, is_open) in [("yes", false), ("optional", true), ("no", true)] {
        let (files, _server, port) = start(auth_clients);
        let read = |name: &str| std::fs::read(files.path(name)).unwrap();
        let url = format!("rediss://127.0.0.1:{port}/");
        let client = |with_own: bool| {
            let own = || ClientTlsConfig { client_cert: read("client.crt"), client_key: read("client.key") };
            let certificates = TlsCertificates { client_tls: with_own.then(own), root_cert: Some(read("ca.crt")) };
            redis::Client::build_with_tls(url.as_str(), certificates).unwrap()
        };
        let mut connection = client(true).get_connection().unwrap();
        let value = vec![7; 1 << 20];
        let () = connection.set("k", &value).unwrap();
        assert!(connection.get::<_, Vec<u8>>("k").unwrap() == value);
        let without = client(false).get_connection().and_then(|mut connection| connection.strlen("k"));
        assert_eq!(without.ok() == Some(1 << 20), is_open, "tls-auth-clients {auth_clients}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let config = redis::AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
            let client = client(true);
            let connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
            let tasks: Vec<_> = (0..100)
                .map(|_| {
                    let mut connection = connection.clone();
                    tokio::spawn(async move { connection.incr::<_, _, i64>("n", 1).await.unwrap() })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(connection.clone().get::<_, i64>("n").await.unwrap(), 100);
        });
    }
}

#[test]
fn redis_py() {
    for auth_clients in ["yes", "optional", "no"] {
        for protocol in ["2", "3"] {
            let (files, _server, port) = start(auth_clients);
            let names = ["ca.crt", "client.crt", "client.key"].map(|name| files.text(name));
            python::run("tls.py", &[&port, protocol, auth_clients, &names[0], &names[1], &names[2]]);
        }
    }
}
