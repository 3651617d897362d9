//! The generated documentation is the one that the command table gives.

use resplite::{Server, Value};
use std::fs;
use std::path::Path;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The pairs of a map as names and values.
fn fields(value: Value) -> Vec<(String, Value)> {
    value.into_pairs().into_iter().map(|(name, value)| (text(&name), value)).collect()
}

fn field(fields: &[(String, Value)], name: &str) -> Value {
    fields.iter().find(|(other, _)| other == name).map_or(Value::Nil, |(_, value)| value.clone())
}

#[test]
fn the_list_of_commands_is_up_to_date() {
    let server = Server::builder().no_port().start().unwrap();
    let mut rows = Vec::new();
    for (name, facts) in fields(server.client().call(["COMMAND", "DOCS"])) {
        let facts = fields(facts);
        let subcommands = fields(field(&facts, "subcommands"));
        if subcommands.is_empty() {
            rows.push((text(&field(&facts, "group")), name, facts));
        } else {
            rows.extend(subcommands.into_iter().map(|(name, sub)| {
                let sub = fields(sub);
                (text(&field(&sub, "group")), name, sub)
            }));
        }
    }
    rows.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    let mut page = format!(
        "# Commands\n\nThe {} commands and subcommands of this version, made from the command table.\n",
        rows.len()
    );
    let mut group = String::new();
    for (of, name, facts) in rows {
        if of != group {
            page.push_str(&format!("\n## {of}\n\n| command | since | what it does |\n|---|---|---|\n"));
            group = of;
        }
        let shown = name.to_uppercase().replace('|', " ");
        page.push_str(&format!(
            "| {shown} | {} | {} |\n",
            text(&field(&facts, "since")),
            text(&field(&facts, "summary"))
        ));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/commands.md");
    if std::env::var_os("RESPLITE_REFRESH").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/commands.md is old: RESPLITE_REFRESH=1 cargo test --test integration docs");
}
