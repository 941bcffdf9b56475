//! docs/reference/iam.md: generated from the templates, so that a change of rights is seen in review.
//!
//! `UPDATE_DOCS=1 cargo test -p headgate-template-tests` rewrites it; otherwise a difference fails.

use std::{env, fmt::Write as _, fs};

use serde_json::Value;

use crate::{
    access::{Grant, grants, people},
    template::{Template, functions, in_repository, many, target},
};

const PATH: &str = "docs/reference/iam.md";

const HEAD: &str = "\
# IAM: what each role may do

One reader, one question: what could somebody do who had taken over this function?

Generated from template.yaml and infra/data.yaml; `UPDATE_DOCS=1 cargo test -p headgate-template-tests` writes it again.
Roles are called `<deployment>-<function>`. A right on a key needs both sides: the role grants it and the key policy names the role.

";

const STARS: &str = "
## Where a `*` stands

- the principal of a refusal, which means everybody
- `sqs:*` and `s3:*`, refused to everybody without TLS
- the objects of the overflow bucket, whose names are random, of the imports bucket, whose names are a file's hash, and of the bucket of checkpoints, whose names are numbers that grow
- the resource of a key policy, where it means that key
- the API Gateway logging role, one for the account and region, carries an AWS-managed policy

Nowhere else, and a test counts.
";

/// The page as the templates say it must be.
fn page() -> String {
    let (root, data) = (Template::root(), Template::data());
    let mut out = HEAD.to_owned();
    for (id, name) in functions() {
        role(&mut out, &name, grants(&root, &id));
    }
    for (name, grants) in people(&root) {
        role(&mut out, &format!("{name} (a person)"), grants);
    }
    out.push_str("## Keys\n\n| Key | For | May | Who | Only |\n|---|---|---|---|---|\n");
    for template in [&data, &root] {
        for key in template.ids_of("AWS::KMS::Key") {
            for statement in many(&template.properties(key)["KeyPolicy"]["Statement"]) {
                if statement["Sid"] != "Administer" {
                    writeln!(out, "| {key} | {}", policy_row(statement)).unwrap();
                }
            }
        }
    }
    out.push_str("\nThe account administers every key (describe, enable, rotate, tag, policy, deletion after 30 days) and uses none.\n");
    out.push_str("\n## Refusals and service access on queues, tables, the bucket and secrets\n\n| Resource | For | Actions | Who | Only |\n|---|---|---|---|---|\n");
    for (id, resource) in data.resources() {
        let properties = &resource["Properties"];
        let policy = match resource["Type"].as_str() {
            Some("AWS::S3::BucketPolicy" | "AWS::SQS::QueuePolicy") => {
                &properties["PolicyDocument"]
            }
            Some("AWS::DynamoDB::Table") => &properties["ResourcePolicy"]["PolicyDocument"],
            Some("AWS::SecretsManager::ResourcePolicy") => &properties["ResourcePolicy"],
            _ => continue,
        };
        let id = id.strip_suffix("Policy").unwrap_or(id);
        for statement in many(&policy["Statement"]) {
            if statement["Sid"] != "TransportIsEncrypted" {
                writeln!(out, "| {id} | {}", policy_row(statement)).unwrap();
            }
        }
    }
    out.push_str(STARS);
    out
}

/// The table of one role.
fn role(out: &mut String, name: &str, grants: Vec<Grant>) {
    writeln!(
        out,
        "## {name}\n\n| For | May | On | Only |\n|---|---|---|---|"
    )
    .unwrap();
    for grant in grants {
        let on: Vec<String> = grant
            .resources
            .iter()
            .map(|resource| readable(resource))
            .collect();
        let sid = grant.sid;
        let may = grant.actions.join(", ");
        let only = condition(&grant.condition);
        writeln!(out, "| {sid} | {may} | {} | {only} |", on.join(", ")).unwrap();
    }
    out.push('\n');
}

/// Sid, actions, principal and condition of one statement of a resource policy.
fn policy_row(statement: &Value) -> String {
    let sid = statement["Sid"].as_str().unwrap();
    let actions: Vec<String> = many(&statement["Action"]).into_iter().map(target).collect();
    let refused = if statement["Effect"] == "Deny" {
        "refused: "
    } else {
        ""
    };
    let who = &statement["Principal"];
    let who = if *who == "*" {
        "everybody".to_owned()
    } else if who["Service"].is_null() {
        "the account".to_owned()
    } else {
        target(&who["Service"])
    };
    let only = condition(&statement["Condition"]);
    format!("{sid} | {refused}{} | {who} | {only} |", actions.join(", "))
}

/// A condition as a phrase.
fn condition(condition: &Value) -> String {
    let mut phrases = Vec::new();
    for (operator, keys) in condition.as_object().into_iter().flatten() {
        let negated = operator.contains("Not");
        let verb = if negated { "is not" } else { "is" };
        for (key, values) in keys.as_object().unwrap() {
            let values: Vec<String> = many(values)
                .into_iter()
                .map(|value| short(&target(value)))
                .collect();
            phrases.push(format!("{key} {verb} {}", values.join(" or ")));
        }
    }
    phrases.join(", and ")
}

/// `Data.Outputs.SubjectsTableArn` as `SubjectsTable`, `IntakeLogGroup.Arn` as `IntakeLogGroup`.
fn readable(resource: &str) -> String {
    if let Some(bucket) = resource.strip_prefix("${") {
        return format!("objects of {}", readable(bucket.trim_end_matches("}/*")));
    }
    let name = resource.strip_prefix("Data.Outputs.").unwrap_or(resource);
    let name = name.strip_suffix("Arn").unwrap_or(name);
    name.trim_end_matches('.').to_owned()
}

/// An ARN by what distinguishes it: everything before the account is the same everywhere.
fn short(text: &str) -> String {
    let text = text
        .rsplit_once("${AWS::AccountId}:")
        .map_or(text, |(_, rest)| rest);
    let text = text.replace(".${AWS::Region}.${AWS::URLSuffix}", "");
    format!("`{text}`")
}

#[test]
fn the_page_on_iam_is_what_the_templates_say() {
    let page = page();
    let path = in_repository(PATH);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let difference = written
        .lines()
        .zip(page.lines())
        .find(|(old, new)| old != new);
    assert!(
        written == page,
        "{PATH} differs from the templates: read the change, then run\n  \
         UPDATE_DOCS=1 cargo test -p headgate-template-tests\nfirst difference: {difference:?}"
    );
}
