//! What bad input has brought to light and has no better place: one named test each.

use crate::support::builder;

#[test]
fn picks_by_chance_do_not_repeat_large_elements_without_bound() {
    let server = builder().setting("proto-max-bulk-len", "1mb").unwrap().start().unwrap();
    let mut client = server.client();
    let large = "x".repeat(100_000);
    client.call(["SADD", "set", &large]);
    client.call(["ZADD", "zset", "1", &large]);
    client.call(["HSET", "hash", "field", &large]);
    // Both encodings: more than a few elements make a table.
    for number in 0..1000 {
        client.call(["SADD", "small", &number.to_string()]);
    }
    for pick in [&["SRANDMEMBER", "set"][..], &["ZRANDMEMBER", "zset"], &["HRANDFIELD", "hash"]] {
        let with_values: &[&str] = if pick[0] == "HRANDFIELD" { &["WITHVALUES"] } else { &[] };
        let call = |count| [pick, &[count], with_values].concat();
        let most = client.call(call("-16777216"));
        assert_eq!(most.as_error(), Some("ERR value is out of range"), "{pick:?}");
        let some = client.call(call("-5"));
        assert!(some.as_slice().is_some_and(|some| some.len() >= 5), "{pick:?}");
    }
    let many = client.call(["SRANDMEMBER", "small", "-16777216"]);
    assert_eq!(many.as_error(), Some("ERR value is out of range"));
    assert_eq!(client.call(["SRANDMEMBER", "small", "-5000"]).into_vec().len(), 5000);
}
