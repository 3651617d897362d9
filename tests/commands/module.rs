//! MODULE: none is loaded, none can be.

use crate::support::{check, check_ours};

#[test]
fn there_are_no_modules() {
    check(
        r#"
        > MODULE
        (error) ERR wrong number of arguments for 'module' command
        > MODULE LIST
        (empty array)
        > MODULE LIST x
        (error) ERR wrong number of arguments for 'module|list' command
        > MODULE FOO
        (error) ERR unknown subcommand 'FOO'. Try MODULE HELP.
        > MODULE LOAD
        (error) ERR wrong number of arguments for 'module|load' command
        > MODULE LOAD /tmp/x.so
        (error) ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
        > MODULE LOADEX /tmp/x.so CONFIG a b ARGS c
        (error) ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
        > MODULE UNLOAD x
        (error) ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
        > CONFIG GET enable-module-command
        1) "enable-module-command"
        2) "no"
        > CONFIG SET enable-module-command yes
        (error) ERR CONFIG SET failed (possibly related to argument 'enable-module-command') - can't set immutable config
        "#,
    );
    check_ours(
        r#"
        > MODULE HELP
        (any)
        "#,
    );
    assert!(resplite::Server::builder().setting("enable-module-command", "yes").is_err());
}
