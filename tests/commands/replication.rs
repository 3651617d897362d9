//! ROLE, REPLICAOF and FAILOVER, of a master without replicas.

use crate::support::{check, check_ours};

#[test]
fn a_master_stays_a_master() {
    check(
        r#"
        > ROLE
        1) "master"
        2) (integer) 0
        3) (empty array)
        > ROLE x
        (error) ERR wrong number of arguments for 'role' command
        > REPLICAOF no ONE
        OK
        > SLAVEOF NO one
        OK
        > SLAVEOF NO two
        (error) ERR Invalid master port
        > REPLICAOF NO
        (error) ERR wrong number of arguments for 'replicaof' command
        > REPLICAOF example.org abc
        (error) ERR Invalid master port
        > REPLICAOF example.org 65536
        (error) ERR Invalid master port
        > REPLICAOF example.org -1
        (error) ERR Invalid master port
        "#,
    );
    check_ours(
        r#"
        > REPLICAOF 127.0.0.1 6379
        (error) ERR replication is not supported: this server is a master and stays one
        > SLAVEOF 127.0.0.1 6379
        (error) ERR replication is not supported: this server is a master and stays one
        > ROLE
        1) "master"
        2) (integer) 0
        3) (empty array)
        > CONFIG GET replicaof
        1) "replicaof"
        2) ""
        "#,
    );
}

#[test]
fn nobody_can_take_over() {
    check(
        r#"
        > FAILOVER
        (error) ERR FAILOVER requires connected replicas.
        > FAILOVER ABORT
        (error) ERR No failover in progress.
        > FAILOVER ABORT TIMEOUT 1
        (error) ERR syntax error
        > FAILOVER FOO
        (error) ERR syntax error
        > FAILOVER TO host
        (error) ERR syntax error
        > FAILOVER TO host abc
        (error) ERR value is not an integer or out of range
        > FAILOVER TO host 70000
        (error) ERR FAILOVER requires connected replicas.
        > FAILOVER TO host 1 FORCE TIMEOUT 10
        (error) ERR FAILOVER requires connected replicas.
        > FAILOVER TO a 1 TO a 1
        (error) ERR syntax error
        > FAILOVER FORCE FORCE
        (error) ERR syntax error
        > FAILOVER TIMEOUT
        (error) ERR syntax error
        > FAILOVER TIMEOUT 0
        (error) ERR FAILOVER timeout must be greater than 0
        > FAILOVER TIMEOUT abc
        (error) ERR value is not an integer or out of range
        > FAILOVER TIMEOUT 1 TIMEOUT 2
        (error) ERR syntax error
        "#,
    );
}
