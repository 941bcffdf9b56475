//! What a deployment calls its things, where events of `CloudTrail` are read (R-607): as the templates do.

use std::collections::BTreeSet;

use headgate_domain::trail::{BUCKETS, FUNCTIONS, QUEUES, SECRETS, TABLES};
use regex::Regex;

use crate::template::read;

/// What stands after the deployment's name in a property of this name.
fn named(pattern: &str) -> BTreeSet<String> {
    let texts = ["template.yaml", "infra/data.yaml", "infra/edge.yaml"].map(read);
    let pattern = Regex::new(&format!(r"(?m)^ *{pattern}$")).unwrap();
    let all = texts.concat();
    let found = pattern.captures_iter(&all);
    found.map(|found| found[1].to_owned()).collect()
}

fn listed(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_a_trail_is_read_by_are_the_names_of_the_templates() {
    let of =
        |property: &str, end: &str| named(&format!(r"{property}: !Sub \$\{{Deployment\}}{end}"));
    assert_eq!(of("RoleName", "-([a-z-]+)"), listed(&FUNCTIONS));
    assert_eq!(of("TableName", "-([a-z-]+)"), listed(&TABLES));
    assert_eq!(
        of("BucketName", r"-([a-z-]+)-\$\{AWS::AccountId\}"),
        listed(&BUCKETS)
    );
    assert_eq!(of("Name", "/([a-z-]+)"), listed(&SECRETS));
    let queues = of("QueueName", "-([a-z-]+)");
    let dead = QUEUES.map(|queue| format!("{queue}-dlq"));
    let dead: Vec<&str> = dead.iter().map(String::as_str).collect();
    assert_eq!(queues, listed(&[&QUEUES[..], &dead].concat()));
}
