//! CLUSTER and its kin: this server is no node of a cluster, and says so in the words that clients know.

use crate::command::{Command, Flags, Group};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

pub(crate) const COMMANDS: &[Command] = &[CLUSTER, ASKING, READONLY, READWRITE];

/// What can be asked of any node.
const fn ask(name: &'static str, arity: i32) -> Command {
    Command::control(Group::Cluster, name, disabled).arity(arity).flag(Flags::STALE).since("3.0.0")
}

/// What looks at other nodes for an administrator.
const fn inspect(name: &'static str, arity: i32) -> Command {
    ask(name, arity).flag(Flags::ADMIN)
}

/// What would change the cluster.
const fn change(name: &'static str, arity: i32) -> Command {
    inspect(name, arity).flag(Flags::NO_ASYNC_LOADING)
}

const CLUSTER: Command = Command::container(
    Group::Cluster,
    "cluster",
    &[
        change("cluster|addslots", -3).doc("Gives slots to this node.").syntax("slot [slot ...]"),
        change("cluster|addslotsrange", -4)
            .since("7.0.0")
            .doc("Gives ranges of slots to this node.")
            .syntax("start-slot end-slot [start-slot end-slot ...]"),
        change("cluster|bumpepoch", 2).doc("Raises the epoch of the configuration."),
        inspect("cluster|count-failure-reports", 3).doc("How many nodes report another one as down.").syntax("node-id"),
        ask("cluster|countkeysinslot", 3).doc("How many keys a slot has.").syntax("slot"),
        change("cluster|delslots", -3).doc("Takes slots away from this node.").syntax("slot [slot ...]"),
        change("cluster|delslotsrange", -4)
            .since("7.0.0")
            .doc("Takes ranges of slots away from this node.")
            .syntax("start-slot end-slot [start-slot end-slot ...]"),
        change("cluster|failover", -2).doc("Has a replica take its master's place.").syntax("[FORCE | TAKEOVER]"),
        change("cluster|flushslots", 2).doc("Takes all slots away from this node."),
        change("cluster|forget", 3).doc("Removes a node from those that are known.").syntax("node-id"),
        ask("cluster|getkeysinslot", 4).doc("Some keys of a slot.").syntax("slot count"),
        ask("cluster|help", 2).flag(Flags::LOADING).since("5.0.0").doc("This list, on nodes of a cluster."),
        ask("cluster|info", 2).doc("The state of the cluster."),
        ask("cluster|keyslot", 3).doc("The slot of a key.").syntax("key"),
        ask("cluster|links", 2).since("7.0.0").doc("The connections to other nodes."),
        change("cluster|meet", -4).doc("Makes another node known.").syntax("ip port [cluster-bus-port]"),
        change("cluster|migration", -4).since("8.4.0").doc("Moves ranges of slots between nodes.").syntax(
            "<IMPORT start-slot end-slot [start-slot end-slot ...] | CANCEL <ID task-id | ALL> | \
                 STATUS <[ID task-id] | [ALL]>>",
        ),
        ask("cluster|myid", 2).doc("The name of this node."),
        ask("cluster|myshardid", 2).since("7.2.0").doc("The name of this node's shard."),
        ask("cluster|nodes", 2).doc("All nodes with what is known of them."),
        inspect("cluster|replicas", 3).since("5.0.0").doc("The replicas of a node.").syntax("node-id"),
        change("cluster|replicate", 3).doc("Makes this node a replica of another.").syntax("node-id"),
        inspect("cluster|reset", -2).flag(Flags::NOSCRIPT).doc("Makes this node a new one.").syntax("[HARD | SOFT]"),
        change("cluster|saveconfig", 2).doc("Writes the configuration to the disk."),
        change("cluster|set-config-epoch", 3).doc("Sets the epoch of a new node.").syntax("config-epoch"),
        change("cluster|setslot", -4)
            .doc("Says where a slot belongs, or is going.")
            .syntax("slot <IMPORTING importing | MIGRATING migrating | NODE node | STABLE>"),
        ask("cluster|shards", 2).flag(Flags::LOADING).since("7.0.0").doc("The shards with their nodes."),
        inspect("cluster|slaves", 3).doc("An older name of CLUSTER REPLICAS.").syntax("node-id"),
        ask("cluster|slot-stats", -4)
            .flag(Flags::LOADING)
            .since("8.2.0")
            .doc("What slots hold and cost.")
            .syntax("<SLOTSRANGE start-slot end-slot | ORDERBY <metric [LIMIT limit] [ASC | DESC]>>"),
        ask("cluster|slots", 2).flag(Flags::LOADING).doc("Which nodes have which slots."),
    ],
)
.since("3.0.0")
.doc("The cluster that this server would be a node of.");

/// A command about the connection to a node.
const fn connection(name: &'static str) -> Command {
    Command::control(Group::Cluster, name, disabled).fast().categories(&["connection"]).since("3.0.0")
}

const ASKING: Command = connection("asking").doc("Lets the next command at a slot that is still on its way here.");

const READONLY: Command = connection("readonly")
    .flag(Flags::LOADING.with(Flags::STALE))
    .doc("Lets the connection read from a replica of a cluster.");

const READWRITE: Command = connection("readwrite").flag(Flags::LOADING.with(Flags::STALE)).doc("Ends READONLY.");

fn disabled(_: &mut Ctx<'_>, _: Args<'_>, _: &mut Reply) -> CmdResult {
    Err(CommandError::NO_CLUSTER)
}
