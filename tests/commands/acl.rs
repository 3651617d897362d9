//! Transcripts of ACL: users and what they may do, at the door, in transactions, scripts and while they wait.

use crate::support::{Peers, check, check_ours, check_together, server};

#[test]
fn users_are_made_and_removed() {
    check(
        r#"
        > ACL WHOAMI
        "default"
        > ACL USERS
        1) "default"
        > ACL LIST
        1) "user default on nopass ~* &* +@all"
        > ACL SETUSER ann
        OK
        > ACL GETUSER ann
         1) "flags"
         2) 1) "off"
         3) "passwords"
         4) (empty array)
         5) "commands"
         6) "-@all"
         7) "keys"
         8) ""
         9) "channels"
        10) ""
        11) "selectors"
        12) (empty array)
        > ACL SETUSER ann on >secret ~a* %R~b %W~c &news +@hash -hdel (+get ~x) (+@all -@write %R~*)
        OK
        > ACL LIST
        1) "user ann on #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ~a* %R~b %W~c resetchannels &news -@all +@hash -hdel (~x resetchannels -@all +get) (%R~* resetchannels +@all -@write)"
        2) "user default on nopass ~* &* +@all"
        > ACL SETUSER ann <secret <secret
        (error) ERR Error in ACL SETUSER modifier '<secret': The password you are trying to remove from the user does not exist
        > ACL SETUSER ann reset #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b !2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
        OK
        > ACL GETUSER ann
         1) "flags"
         2) 1) "off"
            2) "sanitize-payload"
         3) "passwords"
         4) (empty array)
         5) "commands"
         6) "-@all"
         7) "keys"
         8) ""
         9) "channels"
        10) ""
        11) "selectors"
        12) (empty array)
        > ACL GETUSER nobody
        (nil)
        > ACL SETUSER "a b"
        (error) ERR Usernames can't contain spaces or null characters
        > ACL DELUSER nobody ann
        (integer) 1
        > ACL DELUSER default
        (error) ERR The 'default' user cannot be removed
        > ACL NOSUCH
        (error) ERR unknown subcommand 'NOSUCH'. Try ACL HELP.
        > ACL WHOAMI now
        (error) ERR wrong number of arguments for 'acl|whoami' command
        "#,
    );
}

#[test]
fn wrong_rules_change_nothing() {
    check(
        r#"
        > ACL SETUSER ann +foo
        (error) ERR Error in ACL SETUSER modifier '+foo': Unknown command or category name in ACL
        > ACL SETUSER ann on +@foo
        (error) ERR Error in ACL SETUSER modifier '+@foo': Unknown command or category name in ACL
        > ACL SETUSER ann foo
        (error) ERR Error in ACL SETUSER modifier 'foo': Syntax error
        > ACL SETUSER ann ~* ~foo
        (error) ERR Error in ACL SETUSER modifier '~foo': Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns
        > ACL SETUSER ann &* &foo
        (error) ERR Error in ACL SETUSER modifier '&foo': Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels
        > ACL SETUSER ann #123
        (error) ERR Error in ACL SETUSER modifier '#123': The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters
        > ACL SETUSER ann +config|get|x
        (error) ERR Error in ACL SETUSER modifier '+config|get|x': Allowing first-arg of a subcommand is not supported
        > ACL SETUSER ann (+get on)
        (error) ERR Error in ACL SETUSER modifier '(+get on)': Syntax error
        > ACL SETUSER ann (+get ~x
        (error) ERR Unmatched parenthesis in acl selector starting at '(+get'.
        > ACL USERS
        1) "default"
        "#,
    );
}

#[test]
fn categories_passwords_and_dry_runs() {
    check(
        r#"
        > ACL CAT
         1) "keyspace"
         2) "read"
         3) "write"
         4) "set"
         5) "sortedset"
         6) "list"
         7) "hash"
         8) "string"
         9) "bitmap"
        10) "hyperloglog"
        11) "geo"
        12) "stream"
        13) "pubsub"
        14) "admin"
        15) "fast"
        16) "slow"
        17) "blocking"
        18) "dangerous"
        19) "connection"
        20) "transaction"
        21) "scripting"
        > ACL CAT nosuch
        (error) ERR Unknown category 'nosuch'
        > ACL GENPASS 0
        (error) ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096
        > ACL GENPASS x
        (error) ERR value is not an integer or out of range
        > ACL GENPASS 1 2
        (error) ERR unknown subcommand or wrong number of arguments for 'GENPASS'. Try ACL HELP.
        > ACL SETUSER ann +get +set ~a*
        OK
        > ACL DRYRUN ann GET abc
        OK
        > ACL DRYRUN ann GET
        (error) ERR wrong number of arguments for 'get' command
        > ACL DRYRUN nobody GET abc
        (error) ERR User 'nobody' not found
        > ACL DRYRUN ann NOSUCH
        (error) ERR Command 'NOSUCH' not found
        > ACL LOAD
        (error) ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.
        > ACL SAVE
        (error) ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.
        "#,
    );
    let ours = server();
    let mut client = ours.client();
    for (bits, digits) in [("", 64), ("1", 1), ("5", 2), ("4096", 1024)] {
        let asked = ["ACL", "GENPASS", bits].into_iter().filter(|word| !word.is_empty());
        let [one, other] = [client.call(asked.clone()), client.call(asked)];
        let text = one.as_str().expect("a password is text");
        assert!(text.len() == digits && text.bytes().all(|digit| digit.is_ascii_hexdigit()), "{bits}: {text}");
        assert!(digits < 64 || one != other, "the same twice");
    }
    let listed = client.call(["ACL", "HELP"]).into_vec();
    assert!(listed.iter().any(|line| line.as_str().is_some_and(|line| line.starts_with("DRYRUN "))), "{listed:?}");
}

#[test]
fn what_a_user_may_not_do_is_refused_everywhere() {
    check_together(
        Peers::Modern,
        r#"
        a> ACL SETUSER ann on >pw ~a* &c* +@all -get -config|get
        OK
        u> AUTH ann wrong
        (error) WRONGPASS invalid username-password pair or user is disabled.
        u> AUTH ann pw
        OK
        u> ACL WHOAMI
        "ann"
        u> GET a
        (error) NOPERM User ann has no permissions to run the 'get' command
        u> CONFIG GET x
        (error) NOPERM User ann has no permissions to run the 'config|get' command
        u> MSET a 1 b 2
        (error) NOPERM No permissions to access a key
        u> PUBLISH d 1
        (error) NOPERM No permissions to access a channel
        u> EVAL "return redis.pcall('get', 'a')" 0
        (error) ERR ACL failure in script: User ann has no permissions to run the 'get' command
        u> EVAL "return redis.pcall('set', 'b', '1')" 0
        (error) ERR ACL failure in script: No permissions to access a key
        u> EVAL "return {redis.acl_check_cmd('get', 'a'), redis.acl_check_cmd('set', 'a', '1')}" 0
        1) (nil)
        2) (integer) 1
        u> MULTI
        OK
        u> GET a
        (error) NOPERM User ann has no permissions to run the 'get' command
        u> EXEC
        (error) EXECABORT Transaction discarded because of previous errors.
        u> PSUBSCRIBE c?
        (error) NOPERM No permissions to access a channel
        u> PSUBSCRIBE c*
        1) "psubscribe"
        2) "c*"
        3) (integer) 1
        "#,
    );
}

#[test]
fn rights_that_are_taken_away_are_gone_at_once() {
    check_together(
        Peers::Both,
        r#"
        a> ACL SETUSER ann on >pw ~* &* +@all
        OK
        u> AUTH ann pw
        OK
        u> MULTI
        OK
        u> SET x 1
        QUEUED
        u> SET y 1
        QUEUED
        u> PUBLISH c 1
        QUEUED
        u> ECHO x
        QUEUED
        a> ACL SETUSER ann resetkeys ~x resetchannels -echo
        OK
        u> EXEC
        1) OK
        2) (error) NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to touch the specified keys
        3) (error) NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to access one of the channels used as arguments
        4) (error) NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand
        "#,
    );
    check_together(
        Peers::Modern,
        r#"
        a> ACL SETUSER ann on >pw ~* +@all
        OK
        u> AUTH ann pw
        OK
        u> BLPOP q 0
        (waits)
        a> ACL SETUSER ann -blpop
        OK
        a> RPUSH q x
        (integer) 1
        u<
        (error) NOPERM User ann has no permissions to run the 'blpop' command
        a> LLEN q
        (integer) 1
        a> ACL LOG RESET
        OK
        "#,
    );
}

#[test]
fn who_loses_a_channel_or_is_removed_is_disconnected() {
    let ours = server();
    let address = ours.address().expect("it listens");
    let mut admin = crate::support::Connection::tcp(address);
    admin.call(["ACL", "SETUSER", "ann", "on", ">pw", "~*", "&news", "&sport*", "+@all"]);
    let open = || {
        let mut connection = crate::support::Connection::tcp(address);
        assert!(connection.call(["AUTH", "ann", "pw"]).is_ok());
        connection
    };
    let (mut idle, mut news, mut sport, mut shard) = (open(), open(), open(), open());
    news.call(["SUBSCRIBE", "news"]);
    sport.call(["PSUBSCRIBE", "sport*"]);
    shard.call(["SSUBSCRIBE", "sports"]);
    assert!(admin.call(["ACL", "SETUSER", "ann", "resetchannels", "&news", "&sports"]).is_ok());
    assert!(sport.read_to_end().is_empty(), "the pattern is not allowed any more");
    for connection in [&mut idle, &mut news, &mut shard] {
        let reply = connection.call(["PING"]);
        assert!(reply.as_error().is_none(), "{reply:?}");
    }
    assert_eq!(admin.call(["ACL", "DELUSER", "ann"]).as_int(), Some(1));
    for mut connection in [idle, news, shard] {
        assert!(connection.read_to_end().is_empty());
    }
    // Who removes himself still gets his answer.
    admin.call(["ACL", "SETUSER", "bob", "on", ">pw", "+@all"]);
    admin.call(["AUTH", "bob", "pw"]);
    assert_eq!(admin.call(["ACL", "DELUSER", "bob"]).as_int(), Some(1));
    assert!(admin.read_to_end().is_empty());
}

#[test]
fn the_log_tells_what_was_refused() {
    check_ours(
        r#"
        > ACL LOG
        (empty array)
        > AUTH nobody x
        (error) WRONGPASS invalid username-password pair or user is disabled.
        @advance 1500
        > AUTH nobody x
        (error) WRONGPASS invalid username-password pair or user is disabled.
        > ACL LOG x
        (error) ERR value is not an integer or out of range
        > ACL LOG 1 2
        (error) ERR unknown subcommand or wrong number of arguments for 'LOG'. Try ACL HELP.
        > ACL LOG -1
        (empty array)
        > ACL LOG 0
        (empty array)
        "#,
    );
    let ours = server();
    let mut client = ours.client();
    client.call(["ACL", "SETUSER", "ann", "on", "nopass", "+@all", "-get", "~a"]);
    client.call(["AUTH", "ann", ""]);
    for line in
        ["GET a", "SET b 1", "PUBLISH c 1", "GET a", "MULTI", "GET a", "DISCARD", "EVAL redis.pcall('get','a') 0"]
    {
        client.call(line.split(' '));
    }
    ours.advance(std::time::Duration::from_millis(61_500));
    client.call(["GET", "a"]);
    let entries = client.call(["ACL", "LOG", "20"]).into_vec();
    let told: Vec<String> = entries
        .into_iter()
        .map(|entry| {
            let fields = entry.into_vec();
            let field = |name: &str| {
                let at = fields.iter().position(|field| field.as_str() == Some(name)).expect("it has the field");
                let value = &fields[at + 1];
                value.as_str().map(str::to_owned).unwrap_or_else(|| value.as_int().unwrap_or(-1).to_string())
            };
            assert_eq!(field("username"), "ann");
            assert!(field("client-info").contains(" user=ann "), "{fields:?}");
            ["entry-id", "count", "reason", "context", "object", "age-seconds"].map(field).join(" ")
        })
        .collect();
    let expected = [
        // A minute later it is another one.
        "5 1 command toplevel get 0",
        "4 1 command lua get 61.5",
        "3 1 command multi get 61.5",
        "0 2 command toplevel get 61.5",
        "2 1 channel toplevel c 61.5",
        "1 1 key toplevel b 61.5",
    ];
    assert_eq!(told, expected);
    let info = client.call(["INFO", "stats"]);
    let info = info.as_str().expect("INFO is text");
    for (name, count) in [("auth", 0), ("cmd", 5), ("key", 1), ("channel", 1)] {
        assert!(info.contains(&format!("acl_access_denied_{name}:{count}\r\n")), "{info}");
    }
    client.call(["CONFIG", "SET", "acllog-max-len", "2"]);
    client.call(["SET", "c", "1"]);
    assert_eq!(client.call(["ACL", "LOG"]).into_vec().len(), 2);
    assert!(client.call(["ACL", "LOG", "RESET"]).is_ok());
    assert_eq!(client.call(["ACL", "LOG"]).into_vec().len(), 0);
}

#[test]
fn the_password_of_the_settings_is_that_of_default() {
    check_ours(
        r#"
        > CONFIG SET requirepass secret
        OK
        > ACL LIST
        1) "user default on #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ~* &* +@all"
        > AUTH secret
        OK
        > AUTH wrong
        (error) WRONGPASS invalid username-password pair or user is disabled.
        > ACL SETUSER default >other
        OK
        > AUTH other
        OK
        > CONFIG SET requirepass ""
        OK
        > ACL LIST
        1) "user default on nopass ~* &* +@all"
        > CLIENT KILL USER nobody
        (error) ERR No such user 'nobody'
        > CLIENT KILL USER default
        (any)
        "#,
    );
}

#[test]
fn the_key_that_a_command_really_writes_to_is_the_one_that_counts() {
    let ours = server();
    let mut client = ours.client();
    client.call(["GEOADD", "k", "0", "0", "m"]);
    client.call(["SET", "b", "precious"]);
    client.call(["RPUSH", "l", "1"]);
    client.call(["ACL", "SETUSER", "ann", "on", "nopass", "~k", "~a", "~l", "+@all"]);
    client.call(["AUTH", "ann", ""]);
    let refused = "NOPERM No permissions to access a key";
    for line in [
        "GEORADIUS k 0 0 1 m STORE b",
        "GEORADIUS k 0 0 1 m STORE a STORE b",
        "GEORADIUS k 0 0 1 m STOREDIST a STORE b",
        "GEORADIUS k 0 0 1 m STORE a STOREDIST b",
        "GEORADIUS k 50 50 1 m STORE a STORE b",
        "GEORADIUS k 0 0 1 m COUNT 1 STORE STORE STORE b",
        "GEORADIUSBYMEMBER k m 1 m STORE a STORE b",
        "GEORADIUSBYMEMBER k m 1 m STORE b STOREDIST b",
        "SORT l STORE a STORE b",
        "SORT l LIMIT 0 1 STORE b",
    ] {
        assert_eq!(client.call(line.split(' ')).as_error(), Some(refused), "{line}");
    }
    for line in [
        "GEORADIUS k 0 0 1 m STORE b STORE a",
        "GEORADIUSBYMEMBER k m 1 m STOREDIST b STORE a",
        "SORT l STORE b STORE a",
    ] {
        assert_eq!(client.call(line.split(' ')).as_int(), Some(1), "{line}");
    }
    assert_eq!(ours.client().call(["GET", "b"]).as_str(), Some("precious"));
    // A word that is another one's key.
    assert_eq!(client.call("GEORADIUS k 0 0 1 m STORE b STORE store".split(' ')).as_error(), Some(refused));
}
