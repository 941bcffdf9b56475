//! The public routes: which exist, whom they reach, what answers carry and logs may say.

use std::collections::BTreeSet;

use serde_json::json;

use crate::template::{Template, many, read, target};

/// Every route a stranger can call: API, method, path, function.
const ROUTES: [(&str, &str, &str, &str); 21] = [
    ("ConsentApi", "post", "/confirmations", "consent-api"),
    ("ConsentApi", "post", "/consents", "consent-api"),
    ("ConsentApi", "post", "/consents/query", "consent-api"),
    ("HooksApi", "get", "/webhook", "webhook"),
    ("HooksApi", "post", "/webhook", "webhook"),
    ("PrivacyApi", "get", "/.well-known/gpc.json", "privacy-web"),
    ("PrivacyApi", "get", "/c/{token}", "privacy-web"),
    ("PrivacyApi", "get", "/do-not-sell", "privacy-web"),
    ("PrivacyApi", "get", "/e/{copy}", "privacy-web"),
    ("PrivacyApi", "get", "/opt-in", "privacy-web"),
    ("PrivacyApi", "get", "/p/{token}", "privacy-web"),
    ("PrivacyApi", "get", "/privacy", "privacy-web"),
    ("PrivacyApi", "get", "/r/{request}", "privacy-web"),
    ("PrivacyApi", "get", "/requests", "privacy-web"),
    ("PrivacyApi", "get", "/u/{token}", "privacy-web"),
    ("PrivacyApi", "post", "/c/{token}", "privacy-web"),
    ("PrivacyApi", "post", "/e/{copy}", "privacy-web"),
    ("PrivacyApi", "post", "/opt-in", "privacy-web"),
    ("PrivacyApi", "post", "/p/{token}", "privacy-web"),
    ("PrivacyApi", "post", "/requests", "privacy-web"),
    ("PrivacyApi", "post", "/u/{token}", "privacy-web"),
];

#[test]
fn the_public_routes_are_these_and_no_other() {
    let template = Template::edge();
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

/// The hooks may be an HTTP API instead; then it has the same routes to the same function.
#[test]
fn the_hooks_have_the_same_routes_whatever_kind_of_api_they_are() {
    let template = Template::edge();
    let resources = template.section("Resources");
    let mut routes = BTreeSet::new();
    for id in template.ids_of("AWS::ApiGatewayV2::Route") {
        let route = template.properties(id);
        assert_eq!(
            target(&route["Target"]),
            "integrations/${HooksHttpIntegration}"
        );
        assert!(route["AuthorizationType"].is_null());
        routes.insert(route["RouteKey"].as_str().unwrap().to_lowercase());
    }
    let rest: BTreeSet<String> = ROUTES
        .iter()
        .filter(|(api, ..)| *api == "HooksApi")
        .map(|(_, method, path, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(routes, rest);
    let integration = template.properties("HooksHttpIntegration");
    assert!(target(&integration["IntegrationUri"]).ends_with(":function:${Deployment}-webhook"));
    // The form of a REST API's events, the only one that the function reads.
    assert_eq!(integration["PayloadFormatVersion"], "1.0");
    for (id, resource) in resources.as_object().unwrap() {
        if id.starts_with("HooksHttp") {
            let condition = resource["Condition"].as_str().unwrap();
            assert!(
                ["HooksAreHttp", "MapsHttpHooks"].contains(&condition),
                "{id}"
            );
        }
    }
    assert_eq!(resources["HooksApi"]["Condition"], "HooksAreRest");
    let root = Template::root();
    let parameter = &root.section("Parameters")["EdgeType"];
    assert_eq!(parameter["Default"], "rest");
    assert_eq!(parameter["AllowedValues"], json!(["rest", "http"]));
}

#[test]
fn nothing_public_exists_beside_two_apis_and_one_that_is_off_unless_it_is_asked_for() {
    let edge = Template::edge();
    assert_eq!(
        edge.ids_of("AWS::Serverless::Api"),
        ["ConsentApi", "HooksApi", "PrivacyApi"]
    );
    assert_eq!(
        edge.section("Resources")["ConsentApi"]["Condition"],
        "HasConsentApi"
    );
    for template in [Template::root(), Template::edge()] {
        assert_eq!(
            template.section("Parameters")["EnableConsentApi"]["Default"],
            "false"
        );
        assert_eq!(
            template.section("Conditions")["HasConsentApi"],
            json!({ "Fn::Equals": [{ "Ref": "EnableConsentApi" }, "true"] })
        );
    }
    assert_eq!(edge.ids_of("AWS::ApiGatewayV2::Api"), ["HooksHttpApi"]);
    for template in Template::all() {
        for (id, resource) in template.resources() {
            let kind = resource["Type"].as_str().unwrap();
            let other = [
                "AWS::Serverless::HttpApi",
                "AWS::Lambda::Url",
                "AWS::CloudFront::Distribution",
            ];
            assert!(!other.contains(&kind), "{id}");
            let url = &resource["Properties"]["FunctionUrlConfig"];
            assert!(url.is_null(), "{id} has a public address of its own");
        }
    }
    for template in [Template::root(), Template::data()] {
        for (id, resource) in template.resources() {
            let kind = resource["Type"].as_str().unwrap();
            assert!(
                !kind.contains("::ApiGateway") && kind != "AWS::Serverless::Api",
                "{id}"
            );
        }
    }
}

#[test]
fn an_api_may_start_its_own_function_only() {
    let template = Template::root();
    for (api, function) in [
        ("Hooks", "WebhookFunction"),
        ("Privacy", "PrivacyWebFunction"),
        ("Consent", "ConsentApiFunction"),
    ] {
        let permission = template.properties(&format!("{api}ApiPermission"));
        assert_eq!(target(&permission["FunctionName"]), function);
        let source = target(&permission["SourceArn"]);
        assert!(
            source.ends_with(&format!(":${{Edge.Outputs.{api}ApiId}}/v1/*")),
            "{source}"
        );
    }
    assert_eq!(template.ids_of("AWS::Lambda::Permission").len(), 3);
    assert!(
        Template::edge()
            .ids_of("AWS::Lambda::Permission")
            .is_empty()
    );
}

#[test]
fn bodies_arrive_as_exact_bytes_over_tls_1_2() {
    let template = Template::edge();
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
    let template = Template::edge();
    for (id, domain) in [
        ("HooksApi", "Hooks"),
        ("HooksHttpApi", "Hooks"),
        ("PrivacyApi", "Privacy"),
    ] {
        let disabled = &template.properties(id)["DisableExecuteApiEndpoint"];
        let expected = json!({ "Fn::If": [format!("Has{domain}Domain"), true, false] });
        assert_eq!(*disabled, expected, "{id}");
    }
}

/// A truststore on a name beside which the API answered under another would keep nobody out.
#[test]
fn mutual_tls_is_on_the_hooks_domain_alone_and_cannot_be_asked_for_without_one() {
    let edge = Template::edge();
    let mutual = &edge.properties("HooksDomainName")["MutualTlsAuthentication"]["Fn::If"];
    assert_eq!(mutual[0], "HasTruststore");
    assert_eq!(target(&mutual[1]["TruststoreUri"]), "HooksTruststoreUri");
    assert_eq!(
        mutual[1]["TruststoreVersion"]["Fn::If"][0],
        "HasTruststoreVersion"
    );
    assert!(edge.properties("PrivacyDomainName")["MutualTlsAuthentication"].is_null());
    let root = Template::root();
    let rule = &root.section("Rules")["TruststoreHasDomain"];
    let set =
        |parameter: &str| json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] });
    assert_eq!(rule["RuleCondition"], set("HooksTruststoreUri"));
    assert_eq!(rule["Assertions"][0]["Assert"], set("HooksDomain"));
}

/// whatever API Gateway answers without the function carries what the function's answers carry,
/// and says nothing. A type of answer without an entry of its own falls back on one of these two.
#[test]
fn api_gateways_own_answers_carry_the_headers_of_the_function_and_no_words() {
    let template = Template::edge();
    for (api, source) in [
        ("HooksApi", "functions/webhook/src/answer.rs"),
        ("PrivacyApi", "functions/privacy-web/src/answer.rs"),
        ("ConsentApi", "functions/consent-api/src/problem.rs"),
    ] {
        let own = read(source);
        let body = &template.properties(api)["DefinitionBody"];
        let responses = body["x-amazon-apigateway-gateway-responses"]
            .as_object()
            .unwrap();
        for fallback in ["DEFAULT_4XX", "DEFAULT_5XX"] {
            assert!(responses.contains_key(fallback), "{api} has no {fallback}");
        }
        for (kind, response) in responses {
            assert_eq!(
                response["responseTemplates"],
                json!({ "application/json": "{}" }),
                "{api} {kind}"
            );
            // Changing it would change the status of every answer that falls back on this one.
            assert!(response["statusCode"].is_null(), "{api} {kind}");
            let headers = response["responseParameters"].as_object().unwrap();
            let mut carried = BTreeSet::new();
            for (name, value) in headers {
                let name = name.strip_prefix("gatewayresponse.header.").unwrap();
                let value = value.as_str().unwrap();
                let value = value.strip_prefix('\'').unwrap();
                let value = value.strip_suffix('\'').unwrap();
                assert!(
                    !value.contains('\''),
                    "{api} {kind}: {name} has a quote in it"
                );
                let constant = name.to_uppercase().replace('-', "_");
                let named = own.contains(&constant) || own.contains(&name.to_lowercase());
                assert!(named, "{source} has no {name}");
                // The policy of a page lets its style in; this one has no page.
                let same = own.contains(&format!("\"{value}\""));
                assert!(
                    same || name == "Content-Security-Policy",
                    "{source}: {name}"
                );
                carried.insert(name.to_owned());
            }
            let always = [
                "Cache-Control",
                "Strict-Transport-Security",
                "X-Content-Type-Options",
            ];
            assert!(
                always.iter().all(|name| carried.contains(*name)),
                "{api} {kind}"
            );
            let page = [
                "Content-Security-Policy",
                "Referrer-Policy",
                "X-Frame-Options",
                "X-Robots-Tag",
            ];
            for name in page {
                assert_eq!(
                    carried.contains(name),
                    api == "PrivacyApi",
                    "{api} {kind} {name}"
                );
            }
        }
    }
}

/// Three notifications for each message, at a thousand messages a second, and room beyond that.
#[test]
fn the_hooks_take_what_a_full_number_causes() {
    let edge = Template::edge();
    let root = Template::root();
    let default = &root.section("Parameters")["HooksRequestsPerSecond"]["Default"];
    assert!(default.as_i64().unwrap() >= 3 * 1_000);
    let rest = &edge.properties("HooksApi")["MethodSettings"][0];
    assert_eq!(
        (&rest["ResourcePath"], &rest["HttpMethod"]),
        (&json!("/*"), &json!("*"))
    );
    let http = &edge.properties("HooksHttpStage")["DefaultRouteSettings"];
    for settings in [rest, http] {
        assert_eq!(
            target(&settings["ThrottlingRateLimit"]),
            "HooksRequestsPerSecond"
        );
        assert_eq!(settings["ThrottlingBurstLimit"], 5_000);
    }
    // Execution logs would hold whole requests.
    for api in edge.ids_of("AWS::Serverless::Api") {
        let settings = &edge.properties(api)["MethodSettings"][0];
        assert_eq!(settings["LoggingLevel"], "OFF", "{api}");
        assert_eq!(settings["DataTraceEnabled"], false, "{api}");
        assert!(
            settings["ThrottlingRateLimit"].is_object() || settings["ThrottlingRateLimit"].is_u64()
        );
    }
}

/// A path can carry a person's token, a query string the verify token, and an address is personal
/// data: on the hooks it is Meta's.
#[test]
fn access_logs_carry_the_route_and_nothing_that_names_a_person() {
    const ALWAYS: [&str; 6] = [
        "httpMethod",
        "requestId",
        "requestTimeEpoch",
        "responseLatency",
        "responseLength",
        "status",
    ];
    let template = Template::edge();
    for (id, setting, more) in [
        (
            "HooksApi",
            "AccessLogSetting",
            ["identity.sourceIp", "resourcePath"].as_slice(),
        ),
        (
            "HooksHttpStage",
            "AccessLogSettings",
            &["identity.sourceIp", "routeKey"],
        ),
        ("PrivacyApi", "AccessLogSetting", &["resourcePath"]),
        ("ConsentApi", "AccessLogSetting", &["resourcePath"]),
    ] {
        let format = &template.properties(id)[setting]["Format"];
        let format = format.as_str().unwrap();
        let mut fields = BTreeSet::new();
        for piece in format.split("$context.").skip(1) {
            let end = |c: char| !c.is_ascii_alphanumeric() && c != '.';
            fields.insert(piece.split(end).next().unwrap());
        }
        let expected: BTreeSet<&str> = ALWAYS.iter().chain(more).copied().collect();
        assert_eq!(fields, expected, "{id}");
    }
}

#[test]
fn no_function_adds_a_route_of_its_own() {
    let template = Template::root();
    for id in template.ids_of("AWS::Serverless::Function") {
        let events = &template.properties(id)["Events"];
        for (_, event) in events.as_object().into_iter().flatten() {
            for kind in many(&event["Type"]) {
                assert!(
                    *kind != "Api" && *kind != "HttpApi",
                    "{id} adds a route of its own"
                );
            }
        }
    }
}
