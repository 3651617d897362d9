//! Every error text that a client can see, word for word as Redis says it, in one place.

use std::borrow::Cow;
use std::fmt;

/// Result of a command's handler.
pub(crate) type CmdResult<T = ()> = Result<T, CommandError>;

/// An error reply: the code, a space, the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandError(Cow<'static, [u8]>);

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

macro_rules! texts {
    ($($name:ident = $text:literal;)*) => {
        impl CommandError {
            $(pub(crate) const $name: Self = CommandError(Cow::Borrowed($text.as_bytes()));)*
        }
    };
}

texts! {
    SYNTAX = "ERR syntax error";
    WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
    NOT_INTEGER = "ERR value is not an integer or out of range";
    NOT_FLOAT = "ERR value is not a valid float";
    OUT_OF_RANGE = "ERR value is out of range";
    OUT_OF_LONG_RANGE = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
    NOT_POSITIVE = "ERR value is out of range, must be positive";
    OUT_OF_I32 = "ERR value is out of range, value must between -2147483648 and 2147483647";
    UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
    TIMEOUT_NOT_FLOAT = "ERR timeout is not a float or out of range";
    TIMEOUT_NOT_INTEGER = "ERR timeout is not an integer or out of range";
    TIMEOUT_NEGATIVE = "ERR timeout is negative";
    TIMEOUT_OUT_OF_RANGE = "ERR timeout is out of range";
    UNBLOCK_REASON = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
    PAUSE_MODE = "ERR CLIENT PAUSE mode must be WRITE or ALL";
    TRACKING_BCAST_SWITCH = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
    TRACKING_OPT_SWITCH = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";
    TRACKING_TWO_REDIRECTS = "ERR A client can only redirect to a single other client";
    TRACKING_NO_CLIENT = "ERR The client ID you want redirect to does not exist";
    TRACKING_PREFIX_WITHOUT_BCAST = "ERR PREFIX option requires BCAST mode to be enabled";
    TRACKING_OPT_AND_BCAST = "ERR OPTIN and OPTOUT are not compatible with BCAST";
    TRACKING_OPTIN_AND_OPTOUT = "ERR You can't specify both OPTIN mode and OPTOUT mode";
    CACHING_WITHOUT_OPT = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled";
    CACHING_YES_WITHOUT_OPTIN = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.";
    CACHING_NO_WITHOUT_OPTOUT = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.";
    SLOWLOG_COUNT = "ERR count should be greater than or equal to -1";
    WAITAOF_WITHOUT_LOG = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    OUT_OF_BIT_RANGE = "ERR value is out of range, value must between 0 and 1";
    NO_SUCH_KEY = "ERR no such key";
    OVERFLOW = "ERR increment or decrement would overflow";
    DECREMENT_OVERFLOW = "ERR decrement would overflow";
    NAN_OR_INFINITY = "ERR increment would produce NaN or Infinity";
    STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    BIT_OFFSET = "ERR bit offset is not an integer or out of range";
    BIT_VALUE = "ERR bit is not an integer or out of range";
    BIT_ARGUMENT = "ERR The bit argument must be 1 or 0.";
    BITOP_NOT = "ERR BITOP NOT must be called with a single source key.";
    BITFIELD_TYPE = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
    BITFIELD_OVERFLOW = "ERR Invalid OVERFLOW type specified";
    BITFIELD_ONLY_GETS = "ERR BITFIELD_RO only supports the GET subcommand";
    OFFSET_OUT_OF_RANGE = "ERR offset is out of range";
    INDEX_OUT_OF_RANGE = "ERR index out of range";
    SAME_OBJECT = "ERR source and destination objects are the same";
    DB_INDEX = "ERR DB index is out of range";
    INVALID_CURSOR = "ERR invalid cursor";
    NOAUTH = "NOAUTH Authentication required.";
    WRONGPASS = "WRONGPASS invalid username-password pair or user is disabled.";
    NO_PASSWORD = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?";
    NOPROTO = "NOPROTO unsupported protocol version";
    NESTED_MULTI = "ERR MULTI calls can not be nested";
    EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI";
    DISCARD_WITHOUT_MULTI = "ERR DISCARD without MULTI";
    WATCH_INSIDE_MULTI = "ERR WATCH inside MULTI is not allowed";
    NOT_IN_TRANSACTION = "ERR Command not allowed inside a transaction";
    EXECABORT = "EXECABORT Transaction discarded because of previous errors.";
    OOM = "OOM command not allowed when used memory > 'maxmemory'.";
    NUMKEYS = "ERR numkeys should be greater than 0";
    NUMFIELDS = "ERR numfields should be greater than 0 and match the provided number of fields";
    MORE_KEYS_THAN_ARGS = "ERR Number of keys can't be greater than number of args";
    NEGATIVE_LIMIT = "ERR LIMIT can't be negative";
    COUNT_NOT_POSITIVE = "ERR count should be greater than 0";
    HASH_NOT_INTEGER = "ERR hash value is not an integer";
    HASH_NOT_FLOAT = "ERR hash value is not a float";
    RANK_ZERO = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list";
    NEGATIVE_COUNT = "ERR COUNT can't be negative";
    NEGATIVE_MAXLEN = "ERR MAXLEN can't be negative";
    XX_AND_NX = "ERR XX and NX options at the same time are not compatible";
    GT_LT_AND_NX = "ERR GT, LT, and/or NX options at the same time are not compatible";
    INCR_PAIRS = "ERR INCR option supports a single increment-element pair";
    SCORE_NAN = "ERR resulting score is not a number (NaN)";
    MIN_MAX_NOT_FLOAT = "ERR min or max is not a float";
    MIN_MAX_NOT_LEX = "ERR min or max not valid string range item";
    LIMIT_WITHOUT_BY = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
    WITHSCORES_BYLEX = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
    WEIGHT_NOT_FLOAT = "ERR weight value is not a float";
    NX_AND_OTHERS = "ERR NX and XX, GT or LT options at the same time are not compatible";
    GT_AND_LT = "ERR GT and LT options at the same time are not compatible";
    NO_LRU = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
    NO_LFU = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
    SSUBSCRIBE_IN_TRANSACTION = "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client";
    NO_SHUTDOWN = "ERR No shutdown in progress.";
    SHUTDOWN_FAILED = "ERR Errors trying to SHUTDOWN. Check logs.";
    NO_CONFIG_FILE = "ERR The server is running without a config file";
    NO_DEBUG = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";
    PACKED_THRESHOLD = "ERR argument must be a memory value bigger than 1 and smaller than 4gb";
    ENDED = "ERR the server has ended";
    LOADING = "LOADING Redis is loading the dataset in memory";
    SAVE_FAILED = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";
    SAVE_IN_PROGRESS = "ERR Background save already in progress";
    REWRITE_IN_PROGRESS = "ERR Background append only file rewriting already in progress";
    SAVE_WHILE_REWRITING = "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.";
    INVALID_ID = "ERR Invalid stream ID specified as stream command argument";
    INVALID_START_ID = "ERR invalid start ID for the interval";
    INVALID_END_ID = "ERR invalid end ID for the interval";
    ID_ZERO = "ERR The ID specified in XADD must be greater than 0-0";
    IDS_EXHAUSTED = "ERR The stream has exhausted the last possible ID, unable to add more items";
    ID_TOO_SMALL = "ERR The ID specified in XADD is equal or smaller than the target stream top item";
    ELEMENTS_TOO_LARGE = "ERR Elements are too large to be stored";
    MAXLEN_AND_MINID = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
    NEGATIVE_STREAM_MAXLEN = "ERR The MAXLEN argument must be >= 0.";
    NEGATIVE_TRIM_LIMIT = "ERR The LIMIT argument must be >= 0.";
    LIMIT_WITHOUT_TRIM = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
    LIMIT_WITHOUT_TILDE = "ERR syntax error, LIMIT cannot be used without the special ~ option";
    NO_TRIM_STRATEGY = "ERR syntax error, XTRIM must be called with a trimming strategy";
    NEGATIVE_ADDED = "ERR entries_added must be positive";
    ID_BELOW_GIVEN_DELETED = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id";
    ID_BELOW_DELETED = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
    ID_BELOW_LAST = "ERR The ID specified in XSETID is smaller than the target stream top item";
    ADDED_BELOW_LEN = "ERR The entries_added specified in XSETID is smaller than the target stream length";
    NUMIDS = "ERR The `numids` parameter must match the number of arguments";
    NUMIDS_NOT_POSITIVE = "ERR Number of IDs must be a positive integer";
    NEGATIVE_ENTRIES_READ = "ERR value for ENTRIESREAD must be positive or -1";
    XGROUP_WITHOUT_KEY = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.";
    BUSY_GROUP = "BUSYGROUP Consumer Group name already exists";
    CLAIM_COUNT = "ERR COUNT must be > 0";
    GROUP_WITH_XREAD = "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
    NOACK_WITH_XREAD = "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";
    CLAIM_WITH_XREAD = "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.";
    CLAIM_NOT_INTEGER = "ERR min-idle-time is not an integer";
    CLAIM_NEGATIVE = "ERR min-idle-time must be a positive integer";
    MISSING_GROUP = "ERR Missing GROUP option for XREADGROUP";
    NEW_WITH_XREAD = "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.";
    DOLLAR_WITH_XREADGROUP = "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.";
    PLUS_WITH_XREADGROUP = "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.";
    BUSY_KEY = "BUSYKEY Target key name already exists.";
    BAD_PAYLOAD = "ERR DUMP payload version or checksum are wrong";
    BAD_FORMAT = "ERR Bad data format";
    INVALID_TTL = "ERR Invalid TTL value, must be >= 0";
    INVALID_IDLETIME = "ERR Invalid IDLETIME value, must be >= 0";
    INVALID_FREQ = "ERR Invalid FREQ value, must be >= 0 and <= 255";
    MONITOR_READS_KEYS = "ERR Replica can't interact with the keyspace";
    MONITOR_REFUSED = "ERR MONITOR isn't allowed for DENY BLOCKING client";
    NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL.";
    NO_FUNCTION = "ERR Function not found";
    NO_LIBRARY = "ERR Library not found";
    NEGATIVE_NUMKEYS = "ERR Number of keys can't be negative";
    BAD_NUMBER_OF_KEYS = "ERR Bad number of keys provided";
    BUSY_SCRIPT = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    BUSY_FUNCTION = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
    NOT_BUSY = "NOTBUSY No scripts in execution right now.";
    UNKILLABLE = "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";
    UNKNOWN_IN_SCRIPT = "ERR Unknown Redis command called from script";
    ARITY_IN_SCRIPT = "ERR Wrong number of args calling Redis command from script";
    NOT_IN_SCRIPT = "ERR This Redis command is not allowed from script";
    READ_ONLY_SCRIPT = "ERR Write commands are not allowed from read-only scripts.";
    WRITING_IN_RO = "ERR Can not execute a script with write flag using *_ro command.";
    SCRIPT_FLUSH_MODE = "ERR SCRIPT FLUSH only support SYNC|ASYNC option";
    SCRIPT_DEBUG_MODE = "ERR Use SCRIPT DEBUG YES/SYNC/NO";
    NO_SCRIPT_DEBUG = "ERR SCRIPT DEBUG is not supported: there is no debugger";
    FUNCTION_FLUSH_MODE = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option";
    RESTORE_POLICY = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.";
    FUNCTION_PAYLOAD = "ERR failed loading functions payload";
    NO_LIBRARY_NAME = "ERR library name argument was not given";
    NOT_A_HYPERLOGLOG = "WRONGTYPE Key is not a valid HyperLogLog string value.";
    CORRUPTED_HYPERLOGLOG = "INVALIDOBJ Corrupted HLL object detected";
    NO_SUCH_HYPERLOGLOG = "ERR The specified key does not exist";
    HYPERLOGLOG_NOT_SPARSE = "ERR HLL encoding is not sparse";
    DIGEST_LENGTH = "ERR digest must be exactly 16 hexadecimal characters";
    DELEX_TYPE = "ERR Key should be of string type if conditions are specified";
    MSETEX_COUNT = "ERR invalid numkeys value";
    MSETEX_PAIRS = "ERR wrong number of key-value pairs";
    USER_NAME = "ERR Usernames can't contain spaces or null characters";
    DEFAULT_USER = "ERR The 'default' user cannot be removed";
    GENPASS_BITS = "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096";
    NO_ACL_FILE = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.";
    ACL_NOT_SAVED = "ERR There was an error trying to save the ACLs. Please check the server logs for more information";
    BY_DENIED = "ERR BY option of SORT denied due to insufficient ACL permissions.";
    GET_DENIED = "ERR GET option of SORT denied due to insufficient ACL permissions.";
    NOT_SORTABLE = "ERR One or more scores can't be converted into double";
    GEO_UNIT = "ERR unsupported unit provided. please use M, KM, FT, MI";
    NO_SUCH_PLACE = "ERR could not decode requested zset member";
    RADIUS_NOT_FLOAT = "ERR need numeric radius";
    NEGATIVE_RADIUS = "ERR radius cannot be negative";
    WIDTH_NOT_FLOAT = "ERR need numeric width";
    HEIGHT_NOT_FLOAT = "ERR need numeric height";
    NEGATIVE_BOX = "ERR height or width cannot be negative";
    ANY_WITHOUT_COUNT = "ERR the ANY argument requires COUNT argument";
    NOT_A_LISTPACK = "ERR Not a listpack encoded object.";
    NOT_A_TABLE = "ERR The value stored at the specified key is not represented using an hash table";
    DEBUG_DB_INDEX = "ERR Out of range database";
    MIGRATE_KEYS = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string";
    MIGRATE_CONNECT = "IOERR error or timeout connecting to the client";
    MIGRATE_WRITE = "IOERR error or timeout writing to target instance";
    MIGRATE_READ = "IOERR error or timeout reading to target instance";
    NO_CLUSTER = "ERR This instance has cluster support disabled";
    INVALID_MASTER_PORT = "ERR Invalid master port";
    NO_REPLICATION = "ERR replication is not supported: this server is a master and stays one";
    NO_FAILOVER = "ERR No failover in progress.";
    FAILOVER_TIMEOUT = "ERR FAILOVER timeout must be greater than 0";
    NO_REPLICAS = "ERR FAILOVER requires connected replicas.";
    NO_MODULES = "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";
    INVALID_CLIENT_ID = "ERR Invalid client ID";
}

impl CommandError {
    /// An error whose text is put together at run time.
    pub(crate) fn text(text: impl Into<Cow<'static, str>>) -> Self {
        CommandError(match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    /// An error whose text may be of any bytes.
    pub(crate) fn bytes(text: Vec<u8>) -> Self {
        CommandError(Cow::Owned(text))
    }

    /// A script that does not compile.
    pub(crate) fn not_compiled(why: &[u8]) -> Self {
        CommandError(Cow::Owned([b"ERR Error compiling script (new function): ", why].concat()))
    }

    /// An error that quotes an argument, which may be of any bytes; of a longer one the first 128 are shown.
    pub(crate) fn quoting(before: &str, arg: &[u8], behind: &str) -> Self {
        CommandError(Cow::Owned([before.as_bytes(), shown(arg, MOST_SHOWN), behind.as_bytes()].concat()))
    }

    /// The whole reply line, code first. Line ends in it are not yet replaced.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The wrong number of arguments; `command` as `get` or `config|get`.
    pub(crate) fn arity(command: &str) -> Self {
        Self::text(format!("ERR wrong number of arguments for '{command}' command"))
    }

    /// A command that does not exist, with the beginning of what was asked, as Redis cuts it.
    pub(crate) fn unknown_command(args: resplite_resp::request::Args<'_>) -> Self {
        let mut quoted = Vec::new();
        for arg in args.iter().skip(1) {
            let Some(room) = MOST_SHOWN.checked_sub(quoted.len()).filter(|room| *room > 0) else { break };
            quoted.extend_from_slice(&[b"'", shown(arg, room), b"' "].concat());
        }
        let name = shown(args.name(), MOST_SHOWN);
        let parts: [&[u8]; 4] = [b"ERR unknown command '", name, b"', with args beginning with: ", &quoted];
        CommandError(Cow::Owned(parts.concat()))
    }

    /// A container's subcommand that does not exist.
    pub(crate) fn unknown_subcommand(container: &str, given: &[u8]) -> Self {
        let behind = format!("'. Try {} HELP.", container.to_uppercase());
        Self::quoting("ERR unknown subcommand '", given, &behind)
    }

    /// Prefixes of CLIENT TRACKING that would have the client told twice.
    pub(crate) fn prefix_overlap(prefix: &[u8], kind: &str, other: &[u8]) -> Self {
        let other = String::from_utf8_lossy(other);
        let behind = format!("' overlaps with {kind} '{other}'. Prefixes for a single client must not overlap.");
        Self::quoting("ERR Prefix '", prefix, &behind)
    }

    /// A container's subcommand that exists, with arguments that it does not take.
    pub(crate) fn subcommand_syntax(container: &str, given: &[u8]) -> Self {
        let behind = format!("'. Try {container} HELP.");
        Self::quoting("ERR unknown subcommand or wrong number of arguments for '", given, &behind)
    }

    /// A command that a RESP2 connection with subscriptions may not use.
    pub(crate) fn subscribed(command: &str) -> Self {
        Self::text(format!(
            "ERR Can't execute '{command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
             this context"
        ))
    }

    /// EXEC that cannot be run at all; the transaction goes with it.
    pub(crate) fn exec_rejected(&self) -> Self {
        let why = self.0.strip_prefix(b"ERR ").unwrap_or(&self.0);
        CommandError(Cow::Owned([b"EXECABORT Transaction discarded because of: ", why].concat()))
    }

    /// A login from an address from which too many have failed.
    pub(crate) fn throttled(millis: u64) -> Self {
        let seconds = millis.div_ceil(1000);
        Self::text(format!("ERR too many failed logins from this address, try again in {seconds} seconds"))
    }

    /// A command that the caller of a script has no right to.
    pub(crate) fn in_script(&self) -> Self {
        let why = self.0.strip_prefix(b"NOPERM ").unwrap_or(&self.0);
        CommandError(Cow::Owned([b"ERR ACL failure in script: ", why].concat()))
    }

    /// A queued command that its client has lost the right to.
    pub(crate) fn right_lost(why: &str) -> Self {
        Self::text(format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
             command is no longer allowed for the following reason: {why}"
        ))
    }

    /// A write that the log cannot keep.
    pub(crate) fn log_failed(reason: &str) -> Self {
        Self::text(format!("MISCONF Errors writing to the AOF file: {reason}"))
    }

    /// A group that does not exist, or whose key does not; `behind` says more.
    pub(crate) fn no_group(key: &[u8], group: &[u8], behind: &str) -> Self {
        let (key, group) = (shown(key, usize::MAX), shown(group, usize::MAX));
        let parts = [b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'", behind.as_bytes()];
        CommandError(Cow::Owned(parts.concat()))
    }

    /// A group that an existing key does not have.
    pub(crate) fn no_group_of(key: &[u8], group: &[u8]) -> Self {
        let (key, group) = (shown(key, usize::MAX), shown(group, usize::MAX));
        CommandError(Cow::Owned([b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"].concat()))
    }

    /// An option of XCLAIM or XAUTOCLAIM that is no number.
    pub(crate) fn invalid_claim(option: &str, command: &str) -> Self {
        Self::text(format!("ERR Invalid {option} argument for {}", command.to_uppercase()))
    }

    /// XREAD or XREADGROUP with more keys than ids or fewer.
    pub(crate) fn unbalanced(command: &str, symbol: char) -> Self {
        Self::text(format!(
            "ERR Unbalanced '{command}' list of streams: for each stream key an ID, '+', or '{symbol}' must be specified."
        ))
    }

    /// An operation on several sorted sets without any.
    pub(crate) fn no_input_keys(command: &str) -> Self {
        Self::text(format!("ERR at least 1 input key is needed for '{command}' command"))
    }

    /// An operation of BITOP that sets one key against others, without any others.
    pub(crate) fn bitop_sources(operation: &str) -> Self {
        Self::text(format!("ERR BITOP {operation} must be called with at least two source keys."))
    }

    /// A place that is not on the map.
    pub(crate) fn invalid_position(longitude: f64, latitude: f64) -> Self {
        Self::text(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"))
    }

    /// A search by place that is to be kept and shown; `store` says by which command or option.
    pub(crate) fn store_with(store: &str) -> Self {
        Self::text(format!("ERR {store} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"))
    }

    /// An expiry that is not positive or too large; `command` in lower case.
    pub(crate) fn invalid_expire(command: &str) -> Self {
        Self::text(format!("ERR invalid expire time in '{command}' command"))
    }
}

/// Bytes of an argument that an error quotes at most.
const MOST_SHOWN: usize = 128;

/// What a text that C writes shows of an argument: nothing from a zero byte on, where C's strings end.
pub(crate) fn shown(arg: &[u8], most: usize) -> &[u8] {
    let arg = &arg[..arg.len().min(most)];
    arg.split(|byte| *byte == 0).next().unwrap_or_default()
}
