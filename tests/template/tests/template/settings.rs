//! The settings of each function: what docs/data.md promises is what the template gives, both ways.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::template::{Template, functions, pascal, read, target};

/// Read by the runtime, not by a function of ours.
const RUNTIME_VARIABLES: [&str; 1] = ["MIMALLOC_ARENA_EAGER_COMMIT"];

/// The one setting that may be absent: mutual TLS is off without it.
const OPTIONAL: &str = "HEADGATE_CLIENT_CERTIFICATE_CN";

/// Function name to the variables docs/data.md says it has.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = read("docs/data.md");
    let mut rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| Variable |"))
        .take_while(|line| line.starts_with('|'));
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_matches('|');
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let names: Vec<String> = cells(rows.next().expect("the settings table")).split_off(1);
    let mut documented: BTreeMap<String, BTreeSet<String>> = names
        .iter()
        .map(|name| (name.clone(), BTreeSet::new()))
        .collect();
    for row in rows.skip(1) {
        let row = cells(row);
        for variable in variables(&row[0]) {
            for (name, mark) in names.iter().zip(&row[1..]) {
                let marks = if variable == OPTIONAL {
                    ["", "optional"]
                } else {
                    ["", "x"]
                };
                assert!(
                    marks.contains(&mark.as_str()),
                    "{mark} in the settings table"
                );
                if !mark.is_empty() {
                    documented.get_mut(name).unwrap().insert(variable.clone());
                }
            }
        }
    }
    documented
}

/// The variables of one row: several may share it, a lane stands for five, `_X` replaces a last word.
fn variables(cell: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in cell.split(',') {
        let name = name.trim().trim_matches('`');
        if name.contains("<LANE>") {
            for lane in [
                "AUTHENTICATION",
                "SERVICE",
                "UTILITY",
                "MARKETING",
                "SYSTEM",
            ] {
                out.push(name.replace("<LANE>", lane));
            }
        } else if name.starts_with('_') {
            let (stem, _) = out[0].rsplit_once('_').expect("a name before");
            out.push(format!("{stem}{name}"));
        } else {
            out.push(name.to_owned());
        }
    }
    out
}

/// What the value of a variable must point at.
fn expected_target(variable: &str) -> Option<String> {
    let name = variable.strip_prefix("HEADGATE_")?;
    let output = |id: &str| Some(format!("Data.Outputs.{id}"));
    if let Some(table) = name.strip_prefix("TABLE_") {
        return output(&format!("{}TableName", pascal(table)));
    }
    if let Some(queue) = name.strip_prefix("QUEUE_") {
        let (queue, form) = queue.rsplit_once('_')?;
        let form = pascal(form);
        return match queue.strip_suffix("_DLQ") {
            Some(queue) => output(&format!("{}DeadLetterQueue{form}", pascal(queue))),
            None => output(&format!("{}Queue{form}", pascal(queue))),
        };
    }
    if let Some(bucket) = name.strip_prefix("BUCKET_") {
        return output(&format!("{}BucketName", pascal(bucket)));
    }
    if let Some(mac) = name.strip_prefix("KMS_MAC_") {
        return output(&format!("{}MacKeyArn", pascal(mac)));
    }
    if let Some(secret) = name.strip_prefix("SECRET_") {
        return output(&format!("{}SecretArn", pascal(secret)));
    }
    if let Some(function) = name.strip_prefix("ROLE_") {
        return Some(format!("{}Role.RoleId", pascal(function)));
    }
    match name {
        "DEPLOYMENT" => Some("Deployment".to_owned()),
        "GRAPH_URL" => Some("GraphUrl".to_owned()),
        "PRIVACY_URL" => Some("Edge.Outputs.PrivacyUrl".to_owned()),
        "BUS_NAME" => output("EventBusName"),
        "KMS_KEY_DATA" => output("DataKeyArn"),
        "KMS_KEY_LEDGER" => output("LedgerKeyArn"),
        "KMS_KEY_EVIDENCE" => output("EvidenceKeyArn"),
        "KMS_KEY_RECEIPT" => output("ReceiptKeyArn"),
        "LEDGER_BUSY_EVENTS" => Some("LedgerBusyEvents".to_owned()),
        _ => None,
    }
}

#[test]
fn each_function_has_the_settings_the_documentation_lists_and_no_other() {
    let template = Template::root();
    let documented = documented();
    let names: BTreeSet<String> = functions().into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, documented.keys().cloned().collect());
    for (id, name) in functions() {
        let properties = template.properties(&format!("{id}Function"));
        let variables = properties["Environment"]["Variables"].as_object().unwrap();
        let given: BTreeSet<String> = variables
            .keys()
            .filter(|key| !RUNTIME_VARIABLES.contains(&key.as_str()))
            .cloned()
            .collect();
        assert_eq!(given, documented[&name], "settings of {name}");
    }
}

#[test]
fn each_setting_names_the_resource_it_says_it_names() {
    let template = Template::root();
    for (id, name) in functions() {
        let properties = template.properties(&format!("{id}Function"));
        for (variable, value) in properties["Environment"]["Variables"].as_object().unwrap() {
            if let Some(expected) = expected_target(variable) {
                assert_eq!(target(value), expected, "{variable} of {name}");
            } else {
                let known = [RUNTIME_VARIABLES[0], OPTIONAL];
                assert!(
                    known.contains(&variable.as_str()),
                    "nobody says what {variable} names"
                );
            }
        }
    }
}

/// A truststore without the name would let in everybody under Meta's authority; a name without a
/// truststore would let in nobody.
#[test]
fn whose_certificate_it_must_be_is_set_exactly_when_there_is_a_truststore() {
    let (root, edge) = (Template::root(), Template::edge());
    let name = &root.properties("WebhookFunction")["Environment"]["Variables"][OPTIONAL];
    let expected = json!({ "Fn::If": [
        "HasTruststore", { "Ref": "HooksClientCertificateName" }, { "Ref": "AWS::NoValue" },
    ] });
    assert_eq!(*name, expected);
    let has = json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": "HooksTruststoreUri" }, ""] }] });
    for template in [&root, &edge] {
        assert_eq!(template.section("Conditions")["HasTruststore"], has);
    }
    let given = &root.properties("Edge")["Parameters"]["HooksTruststoreUri"];
    assert_eq!(target(given), "HooksTruststoreUri");
    let parameter = &root.section("Parameters")["HooksClientCertificateName"];
    assert_eq!(parameter["Default"], "client.webhooks.fbclientcerts.com");
    // It cannot be blank, which the function would refuse.
    assert_eq!(parameter["AllowedPattern"], "^[a-z0-9.-]+$");
}

#[test]
fn no_setting_holds_a_secret_itself() {
    let template = Template::root();
    for (id, _) in functions() {
        let properties = template.properties(&format!("{id}Function"));
        let text = properties["Environment"].to_string().to_lowercase();
        assert!(
            !text.contains("resolve:"),
            "{id} resolves a secret into its environment"
        );
    }
}
