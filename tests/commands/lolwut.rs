//! LOLWUT: a drawing with the version under it.

use crate::support::{check, server};

#[test]
fn no_two_drawings_are_the_same_and_each_ends_with_the_version() {
    let server = server();
    let mut client = server.client();
    let mut draw = |args: &[&str]| {
        let text = client.call(args).as_str().expect("a text").to_owned();
        let last = text.lines().last().expect("a line").to_owned();
        assert!(last.ends_with(&format!("Resplite ver. {}", env!("CARGO_PKG_VERSION"))), "{last}");
        text
    };
    let one = draw(&["LOLWUT"]);
    assert!(one.lines().count() > 10, "{one}");
    assert_ne!(one, draw(&["LOLWUT"]));
    assert_ne!(one, draw(&["LOLWUT", "VERSION", "5", "1", "1", "1", "x"]));
    draw(&["LOLWUT", "VERSION"]);
    draw(&["LOLWUT", "10", "x"]);
}

#[test]
fn what_is_no_number_is_refused() {
    check(
        r#"
        > LOLWUT VERSION x
        (error) ERR value is not an integer or out of range
        > LOLWUT VERSION 5 x
        (error) ERR value is not an integer or out of range
        > LOLWUT VERSION 5 1 1 x
        (error) ERR value is not an integer or out of range
        > LOLWUT VERSION 6 1 x
        (error) ERR value is not an integer or out of range
        "#,
    );
}
