//! Who may do what (I9): roles, key policies and resource policies, read together.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::template::{Template, functions, many, target};

/// One statement of a function's role.
pub(crate) struct Grant {
    pub(crate) sid: String,
    pub(crate) actions: Vec<String>,
    /// Outputs of the data stack, or attributes of this one.
    pub(crate) resources: Vec<String>,
    pub(crate) condition: Value,
}

/// What the role of one function may do.
pub(crate) fn grants(template: &Template, id: &str) -> Vec<Grant> {
    let policies = &template.properties(&format!("{id}Role"))["Policies"];
    many(policies)
        .into_iter()
        .flat_map(|policy| statements_of(&policy["PolicyDocument"], id))
        .collect()
}

/// What people may do, by the name of their role; behind a comma, what a policy of its own adds to a role for a while.
pub(crate) fn people(template: &Template) -> [(&'static str, Vec<Grant>); 5] {
    [
        ("approver", "ApproverPolicy"),
        ("approver, for a hold by number", "HoldByNumberPolicy"),
        ("investigator", "InvestigatorPolicy"),
        ("operator", "OperatorPolicy"),
        ("reporter", "ReporterPolicy"),
    ]
    .map(|(name, id)| {
        let policy = template.properties(id);
        (name, statements_of(&policy["PolicyDocument"], id))
    })
}

/// The role, without what a policy is for.
fn role_of(name: &str) -> String {
    name.split(',').next().unwrap().to_owned()
}

fn statements_of(document: &Value, id: &str) -> Vec<Grant> {
    many(&document["Statement"])
        .into_iter()
        .map(|statement| {
            assert_eq!(statement["Effect"], "Allow", "{id}");
            Grant {
                sid: statement["Sid"].as_str().expect("a Sid").to_owned(),
                actions: many(&statement["Action"]).into_iter().map(target).collect(),
                resources: many(&statement["Resource"])
                    .into_iter()
                    .map(target)
                    .collect(),
                condition: statement["Condition"].clone(),
            }
        })
        .collect()
}

/// Every policy statement of a template, with the resource it belongs to.
fn statements(template: &Template) -> Vec<(String, String, Value)> {
    fn walk(id: &str, kind: &str, value: &Value, out: &mut Vec<(String, String, Value)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if key == "Statement" {
                        for statement in many(value) {
                            out.push((id.to_owned(), kind.to_owned(), statement.clone()));
                        }
                    } else {
                        walk(id, kind, value, out);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(id, kind, item, out)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut out = Vec::new();
    for (id, resource) in template.resources() {
        let kind = resource["Type"].as_str().unwrap();
        walk(id, kind, &resource["Properties"], &mut out);
    }
    out
}

#[test]
fn each_function_has_a_role_of_its_own_under_its_fixed_name() {
    let template = Template::root();
    let mut expected: BTreeSet<String> = BTreeSet::new();
    for (id, name) in functions() {
        let role = format!("{id}Role");
        let properties = template.properties(&role);
        assert_eq!(
            target(&properties["RoleName"]),
            format!("${{Deployment}}-{name}")
        );
        let trust = &properties["AssumeRolePolicyDocument"]["Statement"];
        let expected_trust = json!([{
            "Effect": "Allow",
            "Principal": { "Service": "lambda.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }]);
        assert_eq!(*trust, expected_trust, "{role}");
        assert!(
            properties["ManagedPolicyArns"].is_null(),
            "{role} has a policy we did not write"
        );
        let used = target(&template.properties(&format!("{id}Function"))["Role"]);
        assert_eq!(used, format!("{role}.Arn"));
        expected.insert(role);
    }
    let roles: BTreeSet<String> = template
        .ids_of("AWS::IAM::Role")
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(roles, expected);
    assert!(Template::data().ids_of("AWS::IAM::Role").is_empty());
    assert_eq!(
        Template::edge().ids_of("AWS::IAM::Role"),
        ["ApiGatewayLogRole"]
    );
}

/// The objects of the buckets, as each template names them.
const OBJECTS: [&str; 14] = [
    "${Data.Outputs.ImportsBucketArn}/approvals/*",
    "${Data.Outputs.ImportsBucketArn}/files/*",
    "${Data.Outputs.ImportsBucketArn}/reports/*",
    "${Data.Outputs.ImportsBucketArn}/reports/*/import.json",
    "${Data.Outputs.ImportsBucketArn}/reports/*/messages.json",
    "${ImportsBucket.Arn}/approvals/*",
    "${ImportsBucket.Arn}/files/*",
    "${ImportsBucket.Arn}/reports/*",
    "${Data.Outputs.ImportsBucketArn}/*",
    "${ImportsBucket.Arn}/*",
    "${Data.Outputs.OverflowBucketArn}/*",
    "${OverflowBucket.Arn}/*",
    "${CheckpointsBucket.Arn}/*",
    "${Data.Outputs.CheckpointsBucketArn}/*",
];

/// The closed list of places where a `*` may stand:
/// the principal of a refusal; every action of a queue or the bucket, refused without TLS; the resource
/// of a key policy, where it means the key itself; the objects of the two buckets, whose names are
/// random, numbers that grow, or a file's hash. Nothing else.
#[test]
fn no_star_stands_outside_the_closed_list() {
    for template in Template::all() {
        for (id, kind, statement) in statements(&template) {
            let deny = statement["Effect"] == "Deny";
            for absent in ["NotAction", "NotResource", "NotPrincipal"] {
                assert!(statement[absent].is_null(), "{id} uses {absent}");
            }
            for action in many(&statement["Action"]) {
                let action = target(action);
                let allowed = deny && ["sqs:*", "s3:*"].contains(&action.as_str());
                assert!(allowed || !action.contains('*'), "{id}: {action}");
            }
            for resource in many(&statement["Resource"]) {
                let resource = target(resource);
                let allowed = (kind == "AWS::KMS::Key" && resource == "*")
                    || OBJECTS.contains(&resource.as_str());
                assert!(allowed || !resource.contains('*'), "{id}: {resource}");
            }
            let principal = statement["Principal"].to_string();
            assert!(deny || !principal.contains('*'), "{id} lets in {principal}");
        }
    }
}

#[test]
fn conditions_match_by_pattern_only_where_a_pattern_is_meant() {
    const PATTERNS: [&str; 27] = [
        "import-message#*",
        "import-messages#*",
        "A#*",
        "F#*",
        "api-record#*",
        "api-usage#*",
        "salt#*",
        "evidence-salt#*",
        "day#*",
        "vault#*",
        "D#*",
        "N#*",
        "O#*",
        "I#*",
        "R#*",
        "S#*",
        "code#*",
        "doi#*",
        "export#*",
        "hold_*",
        "open#*",
        "replay#*",
        "request#*",
        ":role/${Deployment}-producer-*",
        ":log-group:/aws/lambda/${Deployment}-*",
        ":log-group:/headgate/${Deployment}/access/*",
        ":log-group:aws-waf-logs-${Deployment}-*",
    ];
    fn texts(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => out.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
            Value::Object(map) => map.values().for_each(|value| texts(value, out)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    for template in Template::all() {
        for (id, _, statement) in statements(&template) {
            let mut found = Vec::new();
            texts(&statement["Condition"], &mut found);
            for text in found.iter().filter(|text| text.contains('*')) {
                let known = PATTERNS.iter().any(|pattern| {
                    text == pattern || (pattern.starts_with(':') && text.ends_with(pattern))
                });
                assert!(known, "{id}: {text}");
            }
        }
    }
}

/// Key policies and roles must agree: a grant on one side alone is either useless or a surprise.
#[test]
fn a_key_names_exactly_the_roles_that_may_use_it() {
    let (root, data) = (Template::root(), Template::data());
    let mut by_role: BTreeSet<(String, String, String)> = BTreeSet::new();
    let mut roles: Vec<(String, Vec<Grant>)> = functions()
        .into_iter()
        .map(|(id, name)| (name, grants(&root, &id)))
        .collect();
    roles.extend(people(&root).map(|(name, grants)| (role_of(name), grants)));
    for (name, grants) in roles {
        for grant in grants {
            for resource in &grant.resources {
                for action in grant
                    .actions
                    .iter()
                    .filter(|action| action.starts_with("kms:"))
                {
                    let key = resource.strip_prefix("Data.Outputs.").unwrap();
                    let key = key.strip_suffix("Arn").unwrap();
                    by_role.insert((key.to_owned(), name.clone(), action.clone()));
                }
            }
        }
    }
    let mut by_key = BTreeSet::new();
    for id in data.ids_of("AWS::KMS::Key") {
        for statement in many(&data.properties(id)["KeyPolicy"]["Statement"]) {
            for role in many(&statement["Condition"]["ArnLike"]["aws:PrincipalArn"]) {
                let role = target(role);
                let role = role.split(":role/${Deployment}-").nth(1).unwrap();
                for action in many(&statement["Action"]) {
                    by_key.insert((id.to_owned(), role.to_owned(), target(action)));
                }
            }
        }
    }
    // Apps' roles are made elsewhere. The key at rest is the one key whose uses are named together,
    // because the service behind each use is what limits it; a role may use less of it.
    by_key.retain(|(_, role, _)| role != "producer-*");
    for (key, role, action) in by_key.difference(&by_role) {
        assert!(
            key == "QueueKey" && action == "kms:GenerateDataKey",
            "{key}: {role} {action}"
        );
    }
    let unknown: Vec<_> = by_role.difference(&by_key).collect();
    assert!(
        unknown.is_empty(),
        "granted by a role, unknown to the key: {unknown:?}"
    );
}

#[test]
fn nobody_uses_a_key_without_being_named_or_coming_through_a_service() {
    for template in Template::all() {
        for id in template.ids_of("AWS::KMS::Key") {
            for statement in many(&template.properties(id)["KeyPolicy"]["Statement"]) {
                if statement["Sid"] == "Administer" {
                    let administers = [
                        "Encrypt",
                        "Decrypt",
                        "GenerateMac",
                        "DataKey",
                        "CreateGrant",
                    ];
                    let actions = statement["Action"].to_string();
                    assert!(
                        administers.iter().all(|used| !actions.contains(used)),
                        "{id}"
                    );
                } else {
                    assert!(
                        statement["Condition"].is_object(),
                        "{id}: {}",
                        statement["Sid"]
                    );
                }
            }
        }
    }
}

#[test]
fn a_role_reaches_exactly_what_its_settings_name() {
    let template = Template::root();
    for (id, name) in functions() {
        let variables = &template.properties(&format!("{id}Function"))["Environment"]["Variables"];
        let stem = |output: &str| {
            // The objects of a bucket are reached by who is told the bucket.
            let output = output.trim_start_matches("${").trim_end_matches("}/*");
            let output = output.strip_prefix("Data.Outputs.")?;
            let forms = ["Name", "Url", "Arn"];
            let stem = forms.iter().find_map(|form| output.strip_suffix(form))?;
            Some(stem.to_owned())
        };
        let named: BTreeSet<String> = variables
            .as_object()
            .unwrap()
            .values()
            .filter(|value| value["Fn::If"].is_null())
            .filter_map(|value| stem(&target(value)))
            .collect();
        let mut reached: BTreeSet<String> = grants(&template, &id)
            .iter()
            .flat_map(|grant| &grant.resources)
            .filter_map(|resource| stem(resource))
            .collect();
        // Reached by nobody on purpose: AWS opens them on the way to a queue, table or secret.
        for key in ["QueueKey", "SecretsKey"] {
            reached.remove(key);
        }
        // The queue that starts a function is named by its event source, not by a setting.
        for event in template.properties(&format!("{id}Function"))["Events"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, event)| &event["Properties"]["Queue"])
            .filter(|queue| !queue.is_null())
        {
            let queue = stem(&target(event)).unwrap();
            assert!(reached.contains(&queue), "{name} cannot read {queue}");
            if !named.contains(&queue) {
                reached.remove(&queue);
            }
        }
        assert_eq!(
            reached, named,
            "{name}: what the role reaches, what the settings name"
        );
    }
}
