//! Functions: FCALL and its kin, and FUNCTION.

use crate::support::transcript::check;

#[test]
fn libraries_register_functions() {
    check(
        r##"
        > FUNCTION LOAD "#!lua name=lib\nredis.register_function('get', function(keys, args) return {keys, args} end)\nlocal n = 0\nredis.register_function{function_name='count', callback=function() n = n + 1 return n end, flags={'no-writes'}, description='counts'}"
        "lib"
        > FCALL get 1 k a b
        1) 1) "k"
        2) 1) "a"
           2) "b"
        > FCALL count 0
        (integer) 1
        > FCALL count 0
        (integer) 2
        > FCALL_RO count 0
        (integer) 3
        > FCALL_RO get 0
        (error) ERR Can not execute a script with write flag using *_ro command.
        > FCALL nosuch 0
        (error) ERR Function not found
        > FCALL nosuch x
        (error) ERR Function not found
        > FCALL get x
        (error) ERR Bad number of keys provided
        > FCALL get 2 a
        (error) ERR Number of keys can't be greater than number of args
        > FCALL get -1
        (error) ERR Number of keys can't be negative
        > FCALL
        (error) ERR wrong number of arguments for 'fcall' command
        > FUNCTION LOAD "#!lua name=lib\nredis.register_function('get', function(keys, args) return 1 end)"
        (error) ERR Library 'lib' already exists
        > FUNCTION LOAD REPLACE "#!lua name=lib\nredis.register_function('get', function(keys, args) return 1 end)"
        "lib"
        > FCALL get 0
        (integer) 1
        > FCALL count 0
        (error) ERR Function not found
        > FUNCTION LOAD "#!lua name=other\nredis.register_function('get', function(keys, args) return 1 end)"
        (error) ERR Function get already exists
        > FUNCTION LIST
        1) 1) "library_name"
           2) "lib"
           3) "engine"
           4) "LUA"
           5) "functions"
           6) 1) 1) "name"
                 2) "get"
                 3) "description"
                 4) (nil)
                 5) "flags"
                 6) (empty array)
        > FUNCTION LIST LIBRARYNAME L*
        1) 1) "library_name"
           2) "lib"
           3) "engine"
           4) "LUA"
           5) "functions"
           6) 1) 1) "name"
                 2) "get"
                 3) "description"
                 4) (nil)
                 5) "flags"
                 6) (empty array)
        > FUNCTION LIST LIBRARYNAME nosuch
        (empty array)
        > FUNCTION LIST WITHCODE
        1) 1) "library_name"
           2) "lib"
           3) "engine"
           4) "LUA"
           5) "functions"
           6) 1) 1) "name"
                 2) "get"
                 3) "description"
                 4) (nil)
                 5) "flags"
                 6) (empty array)
           7) "library_code"
           8) "#!lua name=lib\nredis.register_function('get', function(keys, args) return 1 end)"
        > FUNCTION LIST WITHCODE WITHCODE
        (error) ERR Unknown argument WITHCODE
        > FUNCTION LIST LIBRARYNAME
        (error) ERR library name argument was not given
        > FUNCTION LIST NOSUCH
        (error) ERR Unknown argument NOSUCH
        > FUNCTION DELETE nosuch
        (error) ERR Library not found
        > FUNCTION DELETE lib
        OK
        > FUNCTION DELETE lib
        (error) ERR Library not found
        > FUNCTION LIST
        (empty array)
        > FUNCTION STATS
        1) "running_script"
        2) (nil)
        3) "engines"
        4) 1) "LUA"
           2) 1) "libraries_count"
              2) (integer) 0
              3) "functions_count"
              4) (integer) 0
        > FUNCTION KILL
        (error) NOTBUSY No scripts in execution right now.
        > FUNCTION FLUSH NOW
        (error) ERR FUNCTION FLUSH only supports SYNC|ASYNC option
        > FUNCTION FLUSH SYNC
        OK
        > FUNCTION FLUSH ASYNC
        OK
        > FUNCTION FLUSH
        OK
        > FUNCTION LOAD NOSUCH "#!lua name=a\nreturn 1"
        (error) ERR Unknown option given: NOSUCH
        > FUNCTION LOAD
        (error) ERR wrong number of arguments for 'function|load' command
        > FUNCTION NOSUCH
        (error) ERR unknown subcommand 'NOSUCH'. Try FUNCTION HELP.
        "##,
    );
}

#[test]
fn what_is_wrong_with_a_library() {
    check(
        r##"
        > FUNCTION LOAD 'return 1'
        (error) ERR Missing library metadata
        > FUNCTION LOAD "#!lua\nreturn 1"
        (error) ERR Library name was not given
        > FUNCTION LOAD "#!lua name=\nreturn 1"
        (error) ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long
        > FUNCTION LOAD "#!lua name=a name=b\nreturn 1"
        (error) ERR Invalid metadata value, name argument was given multiple times
        > FUNCTION LOAD "#!lua name=a-b\nreturn 1"
        (error) ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long
        > FUNCTION LOAD "#!lua name=a foo=b\nreturn 1"
        (error) ERR Invalid metadata value given: foo=b
        > FUNCTION LOAD "#!foo name=a\nreturn 1"
        (error) ERR Engine 'foo' not found
        > FUNCTION LOAD "#!lua name=a\nreturn 1"
        (error) ERR No functions registered
        > FUNCTION LOAD "#!lua name=a"
        (error) ERR Invalid library metadata
        > FUNCTION LOAD "#!lua name=a\nredis.call('GET', 'x')"
        (error) ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'call'
        > FUNCTION LOAD "#!lua name=a\nredis.register_function('x')"
        (error) ERR Error registering functions: ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).
        > FUNCTION LOAD "#!lua name=a\nredis.register_function('x', 1)"
        (error) ERR Error registering functions: ERR second argument to redis.register_function must be a function
        > FUNCTION LOAD "#!lua name=a\nredis.register_function({}, function() end)"
        (error) ERR Error registering functions: ERR first argument to redis.register_function must be a string
        > FUNCTION LOAD "#!lua name=a\nredis.register_function()"
        (error) ERR Error registering functions: ERR wrong number of arguments to redis.register_function
        > FUNCTION LOAD "#!lua name=a\nredis.register_function(1, 2, 3)"
        (error) ERR Error registering functions: ERR wrong number of arguments to redis.register_function
        > FUNCTION LOAD "#!lua name=a\nredis.register_function{}"
        (error) ERR Error registering functions: ERR redis.register_function must get a function name argument
        > FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='x'}"
        (error) ERR Error registering functions: ERR redis.register_function must get a callback argument
        > FUNCTION LOAD "#!lua name=a\nredis.register_function{callback=function() end}"
        (error) ERR Error registering functions: ERR redis.register_function must get a function name argument
        > FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='x', callback=1}"
        (error) ERR Error registering functions: ERR callback argument given to redis.register_function must be a function
        > FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name={}, callback=function() end}"
        (error) ERR Error registering functions: ERR function_name argument given to redis.register_function must be a string
        > FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='x', callback=function() end, flags='a'}"
        (error) ERR Error registering functions: ERR flags argument to redis.register_function must be a table representing function flags
        > FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='x', callback=function() end, flags={'a'}}"
        (error) ERR Error registering functions: ERR unknown flag given
        > FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='x', callback=function() end, foo=1}"
        (error) ERR Error registering functions: ERR unknown argument given to redis.register_function
        > FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='x', callback=function() end, description={}}"
        (error) ERR Error registering functions: ERR description argument given to redis.register_function must be a string
        > FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='x', callback=function() end, [1]=1}"
        (error) ERR Error registering functions: ERR unknown argument given to redis.register_function
        > FUNCTION LOAD "#!lua name=a\nredis.register_function('x', function() end) redis.register_function('x', function() end)"
        (error) ERR Error registering functions: ERR Function already exists in the library
        > FUNCTION LOAD "#!lua name=a\nx = 1"
        (error) ERR Error registering functions: ERR user_function:2: Attempt to modify a readonly table
        > FUNCTION LOAD "#!lua name=a\nredis.x = 1"
        (error) ERR Error registering functions: ERR user_function:2: Attempt to modify a readonly table
        > FUNCTION LOAD "#!lua name=a\nlocal t = pairs({})"
        (error) ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'pairs'
        > FUNCTION LOAD "#!lua name=a\nlocal t = nil t.x = 1"
        (error) ERR Error registering functions: ERR user_function:2: attempt to index local 't' (a nil value)
        > FUNCTION LOAD "#!lua name=a\nsyntax error"
        (error) ERR Error compiling function: user_function:2: '=' expected near 'error'
        > FUNCTION LIST
        (empty array)
        "##,
    );
}

#[test]
fn what_functions_can_use() {
    check(
        r##"
        > FUNCTION LOAD "#!lua name=lib\nredis.register_function('keys', function() return KEYS end)\nredis.register_function('global', function() x = 1 end)\nredis.register_function('error', function() error('boom') end)\nredis.register_function('call', function(keys) return redis.call('INCR', keys[1]) end)\nredis.register_function('nosuch', function() return redis.call('NOSUCH') end)\nredis.register_function('register', function() redis.register_function('z', function() end) end)\nredis.register_function('commands', function() return redis.replicate_commands() end)\nredis.register_function{function_name='write', callback=function() return redis.call('SET', 'x', 'y') end, flags={'no-writes'}}\nredis.register_function('_G', function() return type(_G.string.len) end)"
        "lib"
        > FCALL keys 0
        (error) ERR user_function:2: Script attempted to access nonexistent global variable 'KEYS' script: keys, on @user_function:2.
        > FCALL global 0
        (error) ERR user_function:3: Attempt to modify a readonly table script: global, on @user_function:3.
        > FCALL error 0
        (error) ERR user_function:4: boom script: error, on @user_function:4.
        > FCALL call 1 n
        (integer) 1
        > FCALL nosuch 0
        (error) ERR Unknown Redis command called from script script: nosuch, on @user_function:6.
        > FCALL register 0
        (error) ERR user_function:7: attempt to call field 'register_function' (a nil value) script: register, on @user_function:7.
        > FCALL commands 0
        (error) ERR user_function:8: attempt to call field 'replicate_commands' (a nil value) script: commands, on @user_function:8.
        > FCALL write 0
        (error) ERR Write commands are not allowed from read-only scripts. script: write, on @user_function:9.
        > FCALL _G 0
        "function"
        > EVAL 'return redis.call("FCALL", "call", 1, "n")' 0
        (error) ERR This Redis command is not allowed from script script: c9929bda1cd02b0dc76f38105b9a665aba52f7f5, on @user_script:1.
        "##,
    );
}

#[test]
fn libraries_are_carried_elsewhere() {
    check(
        r##"
        > FUNCTION RESTORE x
        (error) ERR DUMP payload version or checksum are wrong
        > FUNCTION RESTORE x NOSUCH
        (error) ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.
        > FUNCTION RESTORE x APPEND y
        (error) ERR unknown subcommand or wrong number of arguments for 'RESTORE'. Try FUNCTION HELP.
        > FUNCTION RESTORE "\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        (error) ERR DUMP payload version or checksum are wrong
        > FUNCTION RESTORE "\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda"
        OK
        > FUNCTION DUMP
        "\n\x00]\x9b\\@\x0f\x7f\xa2\xda"
        > FUNCTION DUMP x
        (error) ERR wrong number of arguments for 'function|dump' command
        "##,
    );
}
