//! The public routes: which exist, whom they reach, what their logs may say.

use std::collections::BTreeSet;

use serde_json::json;

use crate::template::{Template, many, target};

/// Every route a stranger can call: API, method, path, function.
const ROUTES: [(&str, &str, &str, &str); 7] = [
    ("HooksApi", "get", "/webhook", "webhook"),
    ("HooksApi", "post", "/webhook", "webhook"),
    ("PrivacyApi", "get", "/opt-in", "privacy-web"),
    ("PrivacyApi", "get", "/privacy", "privacy-web"),
    ("PrivacyApi", "get", "/u/{token}", "privacy-web"),
    ("PrivacyApi", "post", "/opt-in", "privacy-web"),
    ("PrivacyApi", "post", "/u/{token}", "privacy-web"),
];

#[test]
fn the_public_routes_are_these_and_no_other() {
    let template = Template::root();
    let mut found = BTreeSet::new();
    for api in template.ids_of("AWS::Serverless::Api") {
        let paths = template.properties(api)["DefinitionBody"]["paths"]
            .as_object()
            .unwrap();
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                if method == "parameters" {
                    continue;
                }
                let integration = &operation["x-amazon-apigateway-integration"];
                assert_eq!(integration["type"], "aws_proxy");
                let uri = target(&integration["uri"]);
                let function = uri.split(":function:${Deployment}-").nth(1).unwrap();
                let function = function.strip_suffix("/invocations").unwrap().to_owned();
                found.insert((api.to_owned(), method.clone(), path.clone(), function));
            }
        }
    }
    let expected = ROUTES
        .iter()
        .map(|(api, method, path, function)| {
            (
                (*api).into(),
                (*method).into(),
                (*path).into(),
                (*function).into(),
            )
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn nothing_public_exists_beside_the_two_apis() {
    let template = Template::root();
    assert_eq!(
        template.ids_of("AWS::Serverless::Api"),
        ["HooksApi", "PrivacyApi"]
    );
    for (id, resource) in template.resources() {
        let kind = resource["Type"].as_str().unwrap();
        assert!(
            !["AWS::Serverless::HttpApi", "AWS::Lambda::Url"].contains(&kind),
            "{id}"
        );
        let url = &resource["Properties"]["FunctionUrlConfig"];
        assert!(url.is_null(), "{id} has a public address of its own");
    }
}

#[test]
fn an_api_may_start_its_own_function_only() {
    let template = Template::root();
    for (api, function) in [
        ("Hooks", "WebhookFunction"),
        ("Privacy", "PrivacyWebFunction"),
    ] {
        let permission = template.properties(&format!("{api}ApiPermission"));
        assert_eq!(target(&permission["FunctionName"]), function);
        assert!(target(&permission["SourceArn"]).contains(&format!(":${{{api}Api}}/")));
    }
    assert_eq!(template.ids_of("AWS::Lambda::Permission").len(), 2);
}

#[test]
fn bodies_arrive_as_exact_bytes_over_tls_1_2() {
    let template = Template::root();
    for api in template.ids_of("AWS::Serverless::Api") {
        let properties = template.properties(api);
        assert_eq!(properties["BinaryMediaTypes"], json!(["*~1*"]), "{api}");
        assert_eq!(properties["SecurityPolicy"], "TLS_1_2", "{api}");
    }
    for domain in template.ids_of("AWS::ApiGateway::DomainName") {
        assert_eq!(
            template.properties(domain)["SecurityPolicy"],
            "TLS_1_2",
            "{domain}"
        );
    }
}

#[test]
fn an_api_with_a_domain_of_its_own_answers_under_no_other_name() {
    let template = Template::root();
    for api in ["Hooks", "Privacy"] {
        let disabled = &template.properties(&format!("{api}Api"))["DisableExecuteApiEndpoint"];
        let expected = json!({ "Fn::If": [format!("Has{api}Domain"), true, false] });
        assert_eq!(*disabled, expected);
    }
}

/// A path can carry a person's token, a query string the verify token, an address is personal data.
#[test]
fn access_logs_carry_the_route_and_nothing_that_names_a_person() {
    const ALLOWED: [&str; 7] = [
        "httpMethod",
        "requestId",
        "requestTimeEpoch",
        "resourcePath",
        "responseLatency",
        "responseLength",
        "status",
    ];
    let template = Template::root();
    for api in template.ids_of("AWS::Serverless::Api") {
        let format = &template.properties(api)["AccessLogSetting"]["Format"];
        let format = format.as_str().unwrap();
        let mut fields = BTreeSet::new();
        for piece in format.split("$context.").skip(1) {
            let end = |c: char| !c.is_ascii_alphanumeric() && c != '.';
            fields.insert(piece.split(end).next().unwrap());
        }
        assert_eq!(fields, ALLOWED.into_iter().collect(), "{api}");
    }
    let events = template.ids_of("AWS::Serverless::Function");
    for id in events {
        let events = &template.properties(id)["Events"];
        for event in events
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, event)| event)
        {
            let kinds = many(&event["Type"]);
            assert!(
                kinds.iter().all(|kind| *kind != "Api"),
                "{id} adds a route of its own"
            );
        }
    }
}
