//! Every host that shipped code or the templates name is in the register of processors.

use headgate_domain::processors::Register;

use crate::reading::{files, read, root, shown};

/// Hosts that are named and not called, each with its reason.
const NOT_CALLED: [(&str, &str); 1] = [("wa.me", "a link that people follow")];

/// What a name ends in that could be reached.
const ENDINGS: [&str; 8] = ["com", "net", "org", "io", "cn", "aws", "me", "dev"];

/// Text without its tests and its comments.
fn shipped(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with("//") && !line.starts_with('#') && !line.starts_with("Description:")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Names of hosts: what follows `https://`, and quoted texts of the form.
fn hosts(text: &str) -> Vec<String> {
    let quoted = text.split('"').skip(1).step_by(2);
    let linked = text.split("://").skip(1);
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
    let host = |part: &str| -> String { part.chars().take_while(|c| is_name(*c)).collect() };
    let whole = quoted
        .filter(|part| part.chars().all(is_name))
        .map(str::to_owned);
    let all = linked.map(host).chain(whole);
    all.filter(|name| {
        name.rsplit_once('.')
            .is_some_and(|(before, ending)| !before.is_empty() && ENDINGS.contains(&ending))
    })
    .collect()
}

fn is_registered(host: &str) -> bool {
    let register = Register::compiled_in();
    // `amazonaws.com` is what the name of a bucket is put in front of.
    register.of_host(host).is_some() || register.of_host(&format!("any.{host}")).is_some()
}

#[test]
fn every_host_that_shipped_code_names_is_in_the_register_of_processors() {
    let mut seen = Vec::new();
    for part in [
        "crates",
        "functions",
        "tools/headgate",
        "infra",
        "template.yaml",
    ] {
        let place = root().join(part);
        let pages = files(&place);
        for page in pages {
            let name = shown(&page);
            let is_code = name.contains("/src/") && !name.contains("headgate-testkit");
            let is_test = name.contains("/tests") || name.ends_with("tests.rs");
            let ending = page.extension().and_then(|e| e.to_str());
            let is_template = ending == Some("yaml");
            if !is_template && (!is_code || is_test || ending != Some("rs")) {
                continue;
            }
            for host in hosts(&shipped(&read(&page))) {
                let named = NOT_CALLED.iter().any(|(known, _why)| *known == host);
                assert!(
                    named || is_registered(&host),
                    "{name} names {host}, which is not in config/processors.toml"
                );
                seen.push(host);
            }
        }
    }
    for known in [
        "graph.facebook.com",
        "lookaside.fbsbx.com",
        "amazonaws.com",
        "wa.me",
    ] {
        assert!(
            seen.iter().any(|host| host == known),
            "{known} is no longer named"
        );
    }
}

#[test]
fn the_search_for_hosts_finds_a_stranger() {
    let found =
        hosts("let a = \"https://api.example.com/x\"; const H: &str = \"evil.example.net\";");
    assert_eq!(found, ["api.example.com", "evil.example.net"]);
    assert!(found.iter().all(|host| !is_registered(host)));
    assert!(hosts("\"message.accepted\" \"a.b\" crate::io").is_empty());
    assert_eq!(shipped("a\n// b.com\n#[cfg(test)]\nc"), "a");
}
