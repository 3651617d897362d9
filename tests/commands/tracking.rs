//! Transcripts of CLIENT TRACKING and its kin: who is told of which change.

use crate::support::{Peers, check_together_in, server};
use resplite_resp::reply::Protocol;

#[test]
fn what_was_read_is_told_once() {
    check_together_in(
        Protocol::Resp3,
        Peers::Both,
        r#"
        a> CLIENT TRACKING ON
        OK
        a> GET one
        (nil)
        a> MGET two three
        1) (nil)
        2) (nil)
        a> CLIENT GETREDIR
        (integer) 0
        b> SET other x
        OK
        b> MSET one 1 two 2
        OK
        a<
        1> "invalidate"
        2> 1) "one"
        a<
        1> "invalidate"
        2> 1) "two"
        b> SET one 2
        OK
        a> GET one
        "2"
        a> SET one 3
        OK
        a<
        1> "invalidate"
        2> 1) "one"
        a> MULTI
        OK
        a> GET one
        QUEUED
        a> SET one 4
        QUEUED
        a> GET two
        QUEUED
        a> EXEC
        1) "3"
        2) OK
        3) "2"
        a<
        1> "invalidate"
        2> 1) "one"
        b> RPUSH two x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        b> RENAME two four
        OK
        a<
        1> "invalidate"
        2> 1) "two"
        a> HGETALL h
        (empty hash)
        b> HSET h f v
        (integer) 1
        a<
        1> "invalidate"
        2> 1) "h"
        a> LRANGE l 0 -1
        (empty array)
        b> FLUSHDB
        OK
        a<
        1> "invalidate"
        2> (nil)
        b> RPUSH l x
        (integer) 1
        a> CLIENT TRACKING OFF
        OK
        a> LLEN l
        (integer) 1
        b> RPUSH l y
        (integer) 2
        a> PING
        PONG
        "#,
    );
}

#[test]
fn opt_in_opt_out_and_no_loop() {
    check_together_in(
        Protocol::Resp3,
        Peers::Both,
        r#"
        a> CLIENT TRACKING ON OPTIN
        OK
        a> CLIENT CACHING NO
        (error) ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.
        a> CLIENT CACHING MAYBE
        (error) ERR syntax error
        a> CLIENT CACHING YES
        OK
        a> CLIENT TRACKINGINFO
        1# "flags" => 1~ "on"
           2~ "optin"
           3~ "caching-yes"
        2# "redirect" => (integer) 0
        3# "prefixes" => (empty array)
        a> GET one
        (nil)
        a> GET two
        (nil)
        b> MSET one 1 two 2
        OK
        a<
        1> "invalidate"
        2> 1) "one"
        a> CLIENT CACHING YES
        OK
        a> MULTI
        OK
        a> GET one
        QUEUED
        a> GET two
        QUEUED
        a> EXEC
        1) "1"
        2) "2"
        a> GET three
        (nil)
        b> MSET one 1 two 2 three 3
        OK
        a<
        1> "invalidate"
        2> 1) "one"
        a<
        1> "invalidate"
        2> 1) "two"
        a> CLIENT TRACKING ON OPTOUT
        (error) ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.
        a> CLIENT TRACKING OFF
        OK
        a> CLIENT TRACKING ON OPTOUT NOLOOP
        OK
        a> CLIENT CACHING YES
        (error) ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.
        a> CLIENT CACHING NO
        OK
        a> GET one
        "1"
        a> GET two
        "2"
        a> GET three
        "3"
        a> SET three 4
        OK
        b> MSET one 1 two 2 three 3
        OK
        a<
        1> "invalidate"
        2> 1) "two"
        a> CLIENT TRACKINGINFO
        1# "flags" => 1~ "on"
           2~ "optout"
           3~ "noloop"
        2# "redirect" => (integer) 0
        3# "prefixes" => (empty array)
        "#,
    );
}

#[test]
fn broadcasts_go_by_prefix() {
    check_together_in(
        Protocol::Resp3,
        Peers::Both,
        r#"
        a> CLIENT TRACKING ON BCAST PREFIX foo PREFIX bar
        OK
        a> CLIENT TRACKING ON BCAST PREFIX fo
        (error) ERR Prefix 'fo' overlaps with an existing prefix 'foo'. Prefixes for a single client must not overlap.
        a> CLIENT TRACKING ON BCAST PREFIX baz
        OK
        a> CLIENT TRACKINGINFO
        1# "flags" => 1~ "on"
           2~ "bcast"
        2# "redirect" => (integer) 0
        3# "prefixes" => 1) "bar"
           2) "baz"
           3) "foo"
        a> SET foo1 x
        OK
        a<
        1> "invalidate"
        2> 1) "foo1"
        b> SET other x
        OK
        b> MSET foo1 1 foo2 2 bar1 3
        OK
        a<
        1> "invalidate"
        2> 1) "bar1"
        a<
        1> "invalidate"
        2> 1) "foo1"
           2) "foo2"
        b> FLUSHALL
        OK
        a<
        1> "invalidate"
        2> (nil)
        a> CLIENT TRACKING ON
        (error) ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.
        c> CLIENT TRACKING ON BCAST NOLOOP
        OK
        c> SET mine 1
        OK
        b> SET yours 1
        OK
        c<
        1> "invalidate"
        2> 1) "yours"
        "#,
    );
}

#[test]
fn others_can_be_told_instead() {
    check_together_in(
        Protocol::Resp2,
        Peers::Both,
        r#"
        listener> CLIENT ID
        (any)
        a> CLIENT TRACKING ON REDIRECT 999
        (error) ERR The client ID you want redirect to does not exist
        a> CLIENT TRACKING ON REDIRECT x
        (error) ERR value is not an integer or out of range
        a> CLIENT TRACKING ON PREFIX foo
        (error) ERR PREFIX option requires BCAST mode to be enabled
        a> CLIENT TRACKING ON BCAST PREFIX foo PREFIX fo
        (error) ERR Prefix 'foo' overlaps with another provided prefix 'fo'. Prefixes for a single client must not overlap.
        a> CLIENT TRACKING ON BCAST OPTIN
        (error) ERR OPTIN and OPTOUT are not compatible with BCAST
        a> CLIENT TRACKING ON OPTIN OPTOUT
        (error) ERR You can't specify both OPTIN mode and OPTOUT mode
        a> CLIENT TRACKING MAYBE
        (error) ERR syntax error
        a> CLIENT TRACKING ON FOO
        (error) ERR syntax error
        a> CLIENT TRACKING ON PREFIX
        (error) ERR syntax error
        a> CLIENT CACHING YES
        (error) ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled
        a> CLIENT GETREDIR
        (integer) -1
        a> CLIENT TRACKINGINFO
        1) "flags"
        2) 1) "off"
        3) "redirect"
        4) (integer) -1
        5) "prefixes"
        6) (empty array)
        "#,
    );
    let server = server();
    let mut listener = crate::support::Connection::tcp(server.address().unwrap());
    let mut reader = crate::support::Connection::tcp(server.address().unwrap()).hello3();
    let mut writer = crate::support::Connection::tcp(server.address().unwrap());
    let id = listener.call(["CLIENT", "ID"]).as_int().unwrap().to_string();
    listener.call(["SUBSCRIBE", "__redis__:invalidate"]);
    let twice = reader.call(["CLIENT", "TRACKING", "ON", "REDIRECT", &id, "REDIRECT", &id]);
    assert_eq!(twice.as_error(), Some("ERR A client can only redirect to a single other client"));
    assert!(reader.call(["CLIENT", "TRACKING", "ON", "REDIRECT", &id]).is_ok());
    assert_eq!(reader.call(["CLIENT", "GETREDIR"]).as_int().unwrap().to_string(), id);
    reader.call(["GET", "key"]);
    writer.call(["SET", "key", "1"]);
    let show = crate::support::transcript::show;
    assert_eq!(show(listener.read()), "1) \"message\"\n2) \"__redis__:invalidate\"\n3) 1) \"key\"");
    writer.call(["FLUSHALL"]);
    assert_eq!(show(listener.read()), "1) \"message\"\n2) \"__redis__:invalidate\"\n3) (nil)");
    reader.call(["GET", "key"]);
    writer.call(["CLIENT", "KILL", "ID", &id]);
    assert_eq!(listener.try_read(), None);
    // The killed connection is out of the list when its worker has dropped it.
    while writer.call(["CLIENT", "LIST", "ID", &id]).as_bytes() != Some(b"") {}
    writer.call(["SET", "key", "2"]);
    assert_eq!(show(reader.read()), format!("1> \"tracking-redir-broken\"\n2> (integer) {id}"));
    assert!(show(reader.call(["CLIENT", "TRACKINGINFO"])).contains("broken_redirect"));
    let line = reader.call(["CLIENT", "INFO"]);
    let line = String::from_utf8_lossy(line.as_bytes().unwrap()).into_owned();
    assert!(line.contains("flags=tR ") && line.contains(&format!("redir={id} ")), "{line}");
    reader.call(["RESET"]);
    reader.protocol = Protocol::Resp2;
    assert_eq!(reader.call(["CLIENT", "GETREDIR"]).as_int(), Some(-1));
}

#[test]
fn expiry_is_told_and_the_table_is_bounded() {
    let server = server();
    let connect = || crate::support::Connection::tcp(server.address().unwrap());
    let (mut reader, mut writer) = (connect().hello3(), connect());
    let show = crate::support::transcript::show;
    writer.call(["SET", "soon", "1", "PX", "50"]);
    assert!(reader.call(["CLIENT", "TRACKING", "ON"]).is_ok());
    reader.call(["GET", "soon"]);
    server.advance(std::time::Duration::from_millis(50));
    assert_eq!(show(reader.read()), "1> \"invalidate\"\n2> 1) \"soon\"");
    // Who has gone is forgotten, even by a key that never changes.
    for _ in 0..100 {
        let mut passing = connect().hello3();
        assert!(passing.call(["CLIENT", "TRACKING", "ON"]).is_ok());
        passing.call(["GET", "fixed"]);
        passing.call(["CLIENT", "TRACKING", "OFF"]);
    }
    let items = |writer: &mut crate::support::Connection| {
        let info = writer.call(["INFO", "stats"]);
        let info = String::from_utf8_lossy(info.as_bytes().unwrap()).into_owned();
        let line = info.lines().find_map(|line| line.strip_prefix("tracking_total_items:").map(str::to_owned));
        line.and_then(|items| items.parse::<usize>().ok()).unwrap()
    };
    assert!(items(&mut writer) <= 17, "{}", items(&mut writer));
    writer.call(["SET", "fixed", "1"]);
    assert_eq!(items(&mut writer), 0);
    writer.call(["CONFIG", "SET", "tracking-table-max-keys", "3"]);
    for key in 0..10 {
        reader.send(["GET", &key.to_string()]);
    }
    let pushes = (0..17).filter(|_| show(reader.read()).contains("invalidate")).count();
    assert_eq!(pushes, 7, "what the table has no room for is told to have changed");
    let info = writer.call(["INFO", "stats"]);
    let info = String::from_utf8_lossy(info.as_bytes().unwrap()).into_owned();
    assert!(info.contains("tracking_total_keys:3\r\ntracking_total_items:3\r\n"), "{info}");
}

#[test]
fn no_prefix_is_one_prefix_more() {
    check_together_in(
        Protocol::Resp3,
        Peers::Both,
        r#"
        a> CLIENT TRACKING ON BCAST PREFIX a PREFIX b
        OK
        a> CLIENT TRACKING ON BCAST
        OK
        a> CLIENT TRACKINGINFO
        1# "flags" => 1~ "on"
           2~ "bcast"
        2# "redirect" => (integer) 0
        3# "prefixes" => 1) ""
           2) "a"
           3) "b"
        b> SET other x
        OK
        a<
        1> "invalidate"
        2> 1) "other"
        "#,
    );
}

#[test]
fn whoever_feeds_somebody_hears_of_what_that_one_takes() {
    check_together_in(
        Protocol::Resp3,
        Peers::Modern,
        r#"
        b> CLIENT TRACKING ON BCAST NOLOOP
        OK
        a> BLPOP queue 0
        (waits)
        b> RPUSH queue x
        (integer) 1
        b<
        1> "invalidate"
        2> 1) "queue"
        a<
        1) "queue"
        2) "x"
        "#,
    );
}
