//! Users from files: ACL files, `user` lines of a configuration, and writing them back.

use crate::support::Connection;
use resplite::config::Settings;
use resplite::{Server, Value};
use std::fs;

fn started(mut settings: Settings) -> Server {
    (settings.port, settings.io_threads) = (Some(0), 1);
    Server::builder().settings(settings).start().expect("it starts")
}

fn login(server: &Server, user: &str, password: &str) -> Value {
    Connection::tcp(server.address().expect("it listens")).call(["AUTH", user, password])
}

#[test]
fn an_acl_file_is_read_written_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.acl");
    let text = "user ann on >pw ~* +@all\n\n  user bob on nopass +ping (+get ~x)  \n";
    fs::write(&path, text).unwrap();
    let name = path.to_str().expect("a path of text");
    let server = Server::builder().setting("aclfile", name).unwrap().start().expect("it starts");
    assert!(login(&server, "ann", "pw").is_ok() && login(&server, "bob", "any").is_ok());
    let mut admin = server.client();
    let users = |admin: &mut resplite::Client| -> Vec<String> {
        let users = admin.call(["ACL", "USERS"]).into_vec();
        users.iter().map(|user| user.as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(users(&mut admin), ["ann", "bob", "default"]);

    // What is saved is what comes back, with hashes in the place of passwords.
    admin.call(["ACL", "SETUSER", "carl", "on", ">secret", "%R~a*", "&news", "-@all", "+@read"]);
    assert!(admin.call(["ACL", "SAVE"]).is_ok());
    let saved = fs::read_to_string(&path).unwrap();
    let expected = "user ann on #30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4 ~* resetchannels +@all\n\
        user bob on nopass resetchannels -@all +ping (~x resetchannels -@all +get)\n\
        user carl on #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b %R~a* resetchannels &news -@all +@read\n\
        user default on nopass ~* &* +@all\n";
    assert_eq!(saved, expected);
    let before = admin.call(["ACL", "LIST"]);
    assert!(admin.call(["ACL", "LOAD"]).is_ok());
    assert_eq!(admin.call(["ACL", "LIST"]), before);

    // Who is not in the file any more is not there any more, and not connected.
    let mut bob = Connection::tcp(server.address().unwrap());
    assert!(bob.call(["AUTH", "bob", "x"]).is_ok());
    fs::write(&path, "user ann on >pw ~* +@all\n").unwrap();
    assert!(admin.call(["ACL", "LOAD"]).is_ok());
    assert!(bob.read_to_end().is_empty());
    assert_eq!(users(&mut admin), ["ann", "default"]);

    // A wrong file changes nothing and says all that is wrong with it.
    let wrong = "user a on nopass ~* +@all\nfoo bar\nuser b +foo\nuser a off\nuser c (+get\nuser e bogus on\n";
    fs::write(&path, wrong).unwrap();
    let error = admin.call(["ACL", "LOAD"]);
    let expected = format!(
        "ERR {name}:2 should start with user keyword followed by the username. {name}:3: Error in applying operation \
         '+foo': Unknown command or category name in ACL. WARNING: Duplicate user 'a' found on line 4. {name}:5: \
         Unmatched parenthesis in selector definition.{name}:6: Syntax error. WARNING: ACL errors detected, no change \
         to the previously active ACL rules was performed"
    );
    assert_eq!(error.as_error(), Some(&*expected));
    assert_eq!(users(&mut admin), ["ann", "default"]);
    let refused = Server::builder().setting("aclfile", name).unwrap().start().err().expect("it does not start");
    assert!(refused.to_string().contains("Duplicate user 'a' found on line 4"), "{refused}");
    fs::remove_file(&path).unwrap();
    let refused = Server::builder().setting("aclfile", name).unwrap().start().err().expect("it does not start");
    assert!(refused.to_string().contains("opening file"), "{refused}");
}

#[test]
fn a_configuration_declares_users_and_is_rewritten_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resplite.conf");
    fs::write(&path, "# mine\nuser ann on >pw ~* +@all\nuser default on >boss ~* &* +@all\ntimeout 5\n").unwrap();
    let mut settings = Settings::default();
    settings.read_file(&path).unwrap();
    let server = started(settings);
    assert!(login(&server, "ann", "pw").is_ok() && login(&server, "default", "boss").is_ok());
    assert!(login(&server, "default", "else").as_error().is_some());
    let mut stranger = Connection::tcp(server.address().unwrap());
    assert_eq!(stranger.call(["PING"]).as_error(), Some("NOAUTH Authentication required."));
    let mut admin = server.client();
    admin.call(["ACL", "SETUSER", "bob", "on", "nopass", "+ping"]);
    let odd: [&[u8]; 6] = [b"ACL", b"SETUSER", b"odd", b"~\xff\xfe", b"~a\"b'c\\", b"+get"];
    assert!(admin.call(odd).is_ok());
    assert!(admin.call(["CONFIG", "REWRITE"]).is_ok());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "# mine");
    assert!(lines[1].starts_with("user ann on #") && lines[1].ends_with(" ~* resetchannels +@all"), "{text}");
    assert_eq!(lines[2], "user bob on nopass resetchannels -@all +ping");
    assert!(lines[3].starts_with("user default on #") && lines[5] == "timeout 5", "{text}");
    let mut again = Settings::default();
    again.read_file(&path).unwrap();
    let server = started(again);
    assert_eq!(server.client().call(["ACL", "LIST"]), admin.call(["ACL", "LIST"]));
}

#[test]
fn declarations_that_cannot_be_meant_are_refused() {
    for (text, reason) in [
        ("user ann on foo", "Error in user declaration 'ann': Syntax error"),
        ("user ann on\nuser ann off", "Duplicate user found. A user can only be defined once in config files"),
        ("user ann (+get", "Unmatched parenthesis"),
        ("user", "wrong number of arguments"),
    ] {
        let error = Settings::default().read_text(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    let mut both = Settings::default();
    both.read_text(b"user ann on\naclfile nowhere").unwrap();
    let error = Server::builder().settings(both).start().err().expect("it does not start");
    assert!(error.to_string().contains("it must be one of the two"), "{error}");
}
