//! Rule 2: the template's state, category and parameters.

use serde_json::{Value, json};

use super::*;
use crate::config::{Button, ButtonKind, Category, Header, Template, TemplateStatus};
use crate::live::LiveTemplate;
use crate::outbound::kind_of;

fn message(components: &Value) -> Kind {
    let message = json!({"type": "template", "template": {"name": "t", "language": {"code": "en_US"}, "components": components}});
    kind_of(message.as_object().unwrap())
}

fn declared() -> Template {
    Template {
        name: "t".into(),
        language: "en_US".into(),
        category: Category::Marketing,
        status: TemplateStatus::Approved,
        header: None,
        body_parameters: 0,
        body_names: Vec::new(),
        buttons: Vec::new(),
        other_components: Vec::new(),
    }
}

/// What is judged of a message with these components, for a template like this.
fn judge_components(template: Template, components: &Value) -> Result<(), Option<&'static str>> {
    let mut ask = Ask::marketing();
    ask.config.templates = vec![template];
    ask.kind = message(components);
    match ask.judge() {
        Ok(_) => Ok(()),
        Err(No::Refused(r)) if r.code == Code::TemplateParameters => {
            assert_eq!(r.field, Some("message.template.components"));
            Err(r.why)
        }
        Err(no) => panic!("{}", no.code()),
    }
}

fn fits(template: Template, components: &Value) {
    assert_eq!(
        judge_components(template, components),
        Ok(()),
        "{components}"
    );
}

fn does_not_fit(template: Template, components: &Value) {
    let judged = judge_components(template, components);
    assert!(judged.is_err_and(|why| why.is_some()), "{components}");
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn named(name: &str) -> Value {
    json!({"type": "text", "parameter_name": name, "text": "x"})
}

fn body(parameters: &[Value]) -> Value {
    json!([{"type": "body", "parameters": parameters}])
}

fn button(index: &Value, kind: &str, parameter: &Value) -> Value {
    json!({"type": "button", "sub_type": kind, "index": index, "parameters": [parameter]})
}

#[test]
fn the_body_gets_as_many_parameters_as_the_template_takes_of_the_kinds_it_takes() {
    let two = || Template {
        body_parameters: 2,
        ..declared()
    };
    fits(two(), &body(&[text("a"), text("b")]));
    fits(
        two(),
        &body(&[
            json!({"type": "currency", "currency": {"fallback_value": "1", "code": "CAD", "amount_1000": 1000}}),
            json!({"type": "date_time", "date_time": {"fallback_value": "today"}}),
        ]),
    );
    fits(declared(), &json!([]));
    fits(declared(), &json!(null));
    for wrong in [
        body(&[text("a")]),
        body(&[text("a"), text("b"), text("c")]),
        body(&[text("a"), text("")]),
        body(&[text("a"), text("two\nlines")]),
        body(&[text("a"), text("far     apart")]),
        body(&[text("a"), json!({"type": "image", "image": {"id": "1"}})]),
        body(&[text("a"), json!("b")]),
        body(&[text("a"), named("b")]),
        json!({"type": "body"}),
        json!([{"type": "body", "parameters": {"0": "a"}}]),
        json!([{"type": "body", "parameters": [text("a")]}, {"type": "body", "parameters": [text("b")]}]),
        json!([{"parameters": [text("a"), text("b")]}]),
        json!(["body"]),
    ] {
        does_not_fit(two(), &wrong);
    }
}

#[test]
fn named_parameters_are_each_named_once_in_any_order() {
    let template = || Template {
        body_names: vec!["first".into(), "order".into()],
        ..declared()
    };
    fits(template(), &body(&[named("order"), named("first")]));
    for wrong in [
        body(&[named("first"), named("first")]),
        body(&[named("first"), named("other")]),
        body(&[named("first"), text("x")]),
        body(&[named("first")]),
    ] {
        does_not_fit(template(), &wrong);
    }
}

#[test]
fn the_header_gets_what_it_takes_and_nothing_else() {
    let header = |parameters: Value| json!([{"type": "header", "parameters": parameters}]);
    let image = json!({"type": "image", "image": {"id": "1"}});
    for (takes, parameter) in [
        (Header::Text, text("x")),
        (Header::Image, image.clone()),
        (
            Header::Video,
            json!({"type": "video", "video": {"id": "1"}}),
        ),
        (
            Header::Document,
            json!({"type": "document", "document": {"id": "1"}}),
        ),
        (
            Header::Location,
            json!({"type": "location", "location": {"latitude": "1", "longitude": "1"}}),
        ),
        (
            Header::Product,
            json!({"type": "product", "product": {"catalog_id": "1"}}),
        ),
    ] {
        let template = || Template {
            header: Some(takes),
            ..declared()
        };
        fits(template(), &header(json!([parameter])));
        does_not_fit(template(), &json!([]));
        does_not_fit(template(), &header(json!([parameter, parameter])));
        does_not_fit(declared(), &header(json!([parameter])));
        if takes != Header::Image {
            does_not_fit(template(), &header(json!([image])));
        }
    }
}

#[test]
fn buttons_are_those_of_the_template_and_get_a_parameter_of_their_kind() {
    let with_buttons = || Template {
        buttons: vec![
            Button {
                index: 0,
                kind: ButtonKind::Url,
                optional: false,
            },
            Button {
                index: 1,
                kind: ButtonKind::QuickReply,
                optional: true,
            },
        ],
        ..declared()
    };
    let url = |index: Value| button(&index, "url", &text("abc"));
    let reply = button(
        &json!("1"),
        "quick_reply",
        &json!({"type": "payload", "payload": "no"}),
    );
    fits(with_buttons(), &json!([url(json!("0"))]));
    fits(with_buttons(), &json!([url(json!(0)), reply]));
    for wrong in [
        json!([]),
        json!([reply]),
        json!([url(json!("2"))]),
        json!([url(json!("0")), url(json!(0))]),
        json!([button(
            &json!("0"),
            "quick_reply",
            &json!({"type": "payload", "payload": "no"})
        )]),
        json!([button(
            &json!("0"),
            "url",
            &json!({"type": "payload", "payload": "no"})
        )]),
        json!([button(&json!("0"), "url", &text(""))]),
        json!([{"type": "button", "sub_type": "url", "index": "0"}]),
        json!([{"type": "button", "sub_type": "teleport", "index": "0", "parameters": [text("a")]}]),
        json!([{"type": "button", "sub_type": "url", "parameters": [text("a")]}]),
    ] {
        does_not_fit(with_buttons(), &wrong);
    }
    for (kind, word, parameter) in [
        (
            ButtonKind::CopyCode,
            "copy_code",
            json!({"type": "coupon_code", "coupon_code": "MAPLE"}),
        ),
        (
            ButtonKind::Flow,
            "flow",
            json!({"type": "action", "action": {"flow_token": "x"}}),
        ),
    ] {
        let template = || Template {
            buttons: vec![Button {
                index: 0,
                kind,
                optional: false,
            }],
            ..declared()
        };
        fits(template(), &json!([button(&json!("0"), word, &parameter)]));
        does_not_fit(template(), &json!([button(&json!("0"), word, &text("x"))]));
    }
}

#[test]
fn other_components_are_passed_on_only_when_declared() {
    let carousel = json!([{"type": "carousel", "cards": []}]);
    let template = Template {
        other_components: vec!["carousel".into()],
        ..declared()
    };
    fits(template.clone(), &carousel);
    does_not_fit(template, &json!([]));
    does_not_fit(declared(), &carousel);
}

#[test]
fn the_button_of_a_code_template_takes_the_code_again() {
    let mut ask = Ask::of(Purpose::Authentication);
    let code = |button: bool| {
        let mut components = vec![json!({"type": "body", "parameters": [text("493817")]})];
        if button {
            components.push(self::button(&json!("0"), "url", &text("493817")));
        }
        message(&json!(components))
    };
    ask.config.templates = vec![Template {
        category: Category::Authentication,
        body_parameters: 1,
        ..declared()
    }];
    for button in [true, false] {
        ask.kind = code(button);
        assert_eq!(ask.waits(), None);
    }
    ask.config.templates[0].buttons = vec![Button {
        index: 0,
        kind: ButtonKind::Url,
        optional: false,
    }];
    assert_eq!(
        ask.refused(),
        Code::TemplateParameters,
        "declared, so required"
    );
}

#[test]
fn what_meta_says_of_a_template_counts_over_the_configuration() {
    let key = || ("sale".to_owned(), "en_US".to_owned());
    let says = |status, category| {
        let mut ask = Ask::marketing();
        ask.live
            .templates
            .insert(key(), LiveTemplate { status, category });
        ask
    };
    for (status, code) in [
        (TemplateStatus::Pending, Code::TemplateUnapproved),
        (TemplateStatus::Paused, Code::TemplatePaused),
        (TemplateStatus::Disabled, Code::TemplateDisabled),
        (TemplateStatus::Parked, Code::TemplateParked),
    ] {
        assert_eq!(says(status, None).refused(), code);
        let mut configured = Ask::marketing();
        configured.config.templates[0].status = status;
        assert_eq!(configured.refused(), code);
    }
    let mut approved = says(TemplateStatus::Approved, None);
    approved.config.templates[0].status = TemplateStatus::Paused;
    assert_eq!(approved.waits(), None, "unpaused by Meta");
    approved.config.templates[0].status = TemplateStatus::Parked;
    assert_eq!(approved.refused(), Code::TemplateParked, "parked by us");
    let moved = says(TemplateStatus::Approved, Some(Category::Utility));
    assert_eq!(moved.refused(), Code::PurposeMismatch);
}
