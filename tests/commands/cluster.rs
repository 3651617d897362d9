//! CLUSTER and its kin, as a server answers that is no node.

use crate::support::{check, check_ours};

#[test]
fn there_is_no_cluster() {
    check(
        r#"
        > CLUSTER
        (error) ERR wrong number of arguments for 'cluster' command
        > CLUSTER FOO
        (error) ERR unknown subcommand 'FOO'. Try CLUSTER HELP.
        > CLUSTER HELP
        (error) ERR This instance has cluster support disabled
        > CLUSTER ADDSLOTS
        (error) ERR wrong number of arguments for 'cluster|addslots' command
        > CLUSTER ADDSLOTS 1 2
        (error) ERR This instance has cluster support disabled
        > CLUSTER ADDSLOTSRANGE 1 2
        (error) ERR This instance has cluster support disabled
        > CLUSTER BUMPEPOCH
        (error) ERR This instance has cluster support disabled
        > CLUSTER COUNT-FAILURE-REPORTS x
        (error) ERR This instance has cluster support disabled
        > CLUSTER COUNTKEYSINSLOT 1
        (error) ERR This instance has cluster support disabled
        > CLUSTER DELSLOTS 1
        (error) ERR This instance has cluster support disabled
        > CLUSTER DELSLOTSRANGE 1 2
        (error) ERR This instance has cluster support disabled
        > CLUSTER FAILOVER FORCE
        (error) ERR This instance has cluster support disabled
        > CLUSTER FLUSHSLOTS
        (error) ERR This instance has cluster support disabled
        > CLUSTER FORGET x
        (error) ERR This instance has cluster support disabled
        > CLUSTER GETKEYSINSLOT 1 1
        (error) ERR This instance has cluster support disabled
        > CLUSTER INFO
        (error) ERR This instance has cluster support disabled
        > cluster keyslot a b
        (error) ERR wrong number of arguments for 'cluster|keyslot' command
        > CLUSTER KEYSLOT a
        (error) ERR This instance has cluster support disabled
        > CLUSTER LINKS
        (error) ERR This instance has cluster support disabled
        > CLUSTER MEET 127.0.0.1 1
        (error) ERR This instance has cluster support disabled
        > CLUSTER MYID
        (error) ERR This instance has cluster support disabled
        > CLUSTER NODES
        (error) ERR This instance has cluster support disabled
        > CLUSTER REPLICAS x
        (error) ERR This instance has cluster support disabled
        > CLUSTER REPLICATE x
        (error) ERR This instance has cluster support disabled
        > CLUSTER RESET HARD
        (error) ERR This instance has cluster support disabled
        > CLUSTER SAVECONFIG
        (error) ERR This instance has cluster support disabled
        > CLUSTER SET-CONFIG-EPOCH 1
        (error) ERR This instance has cluster support disabled
        > CLUSTER SETSLOT 1 STABLE
        (error) ERR This instance has cluster support disabled
        > CLUSTER SHARDS
        (error) ERR This instance has cluster support disabled
        > CLUSTER SLAVES x
        (error) ERR This instance has cluster support disabled
        > CLUSTER SLOTS
        (error) ERR This instance has cluster support disabled
        > READONLY
        (error) ERR This instance has cluster support disabled
        > READWRITE
        (error) ERR This instance has cluster support disabled
        > ASKING
        (error) ERR This instance has cluster support disabled
        > READONLY 1
        (error) ERR wrong number of arguments for 'readonly' command
        > MULTI
        OK
        > CLUSTER MYID
        QUEUED
        > EXEC
        1) (error) ERR This instance has cluster support disabled
        "#,
    );
}

#[test]
fn newer_subcommands_are_refused_in_the_same_way() {
    check_ours(
        r#"
        > CLUSTER MYSHARDID
        (error) ERR This instance has cluster support disabled
        > CLUSTER SLOT-STATS SLOTSRANGE 0 1
        (error) ERR This instance has cluster support disabled
        > CLUSTER SLOT-STATS
        (error) ERR wrong number of arguments for 'cluster|slot-stats' command
        > CLUSTER MIGRATION STATUS ALL
        (error) ERR This instance has cluster support disabled
        "#,
    );
}
