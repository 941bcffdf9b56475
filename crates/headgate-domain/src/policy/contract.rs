//! The contract of a template: its state at Meta, its category, and the parameters it takes.
//!
//! Meta's word about the state counts over the configuration's, unless we parked or disabled the
//! template ourselves. The parameters are the configuration's: a notification does not tell them.

use super::{Facts, Request};
use crate::config::{ButtonKind, Category, Header, Template, TemplateStatus};
use crate::outbound::{Kind, ParameterValue, Parameters};
use crate::refusal::{Code, Refusal};

/// Rule 2: a template message keeps the contract of its template; other messages have none.
pub(super) fn keeps(request: &Request<'_>, facts: &Facts<'_>) -> Result<(), Refusal> {
    let Kind::Template {
        name,
        language,
        parameters,
    } = request.kind
    else {
        return Ok(());
    };
    let template = facts
        .config
        .template(name, language)
        .ok_or(Code::TemplateUnknown)?;
    match facts.live.template_status(template) {
        TemplateStatus::Approved => {}
        TemplateStatus::Pending => return Err(Code::TemplateUnapproved.into()),
        TemplateStatus::Paused => return Err(Code::TemplatePaused.into()),
        TemplateStatus::Disabled => return Err(Code::TemplateDisabled.into()),
        TemplateStatus::Parked => return Err(Code::TemplateParked.into()),
    }
    let category = facts.live.template_category(template);
    if !category.is_allowed_for(request.purpose) {
        return Err(Code::PurposeMismatch.into());
    }
    fits(template, parameters).map_or(Ok(()), |why| {
        Err(Refusal::at(
            Code::TemplateParameters,
            "message.template.components",
            why,
        ))
    })
}

/// Why the parameters do not fit the template, or nothing.
fn fits(template: &Template, given: &Parameters) -> Option<&'static str> {
    if given.unreadable {
        return Some(
            "a component is not in Meta's form: type, for a button sub_type and index, and a list of parameters",
        );
    }
    header(template.header, &given.header)
        .or_else(|| body(template, given))
        .or_else(|| buttons(template, given))
        .or_else(|| others(template, given))
}

fn header(takes: Option<Header>, given: &[ParameterValue]) -> Option<&'static str> {
    let wanted = match takes {
        None if given.is_empty() => return None,
        None => return Some("the template's header takes no parameter"),
        Some(Header::Text) => ParameterValue::Text,
        Some(Header::Image) => ParameterValue::Image,
        Some(Header::Video) => ParameterValue::Video,
        Some(Header::Document) => ParameterValue::Document,
        Some(Header::Location) => ParameterValue::Location,
        Some(Header::Product) => ParameterValue::Product,
    };
    match given {
        [one] if *one == wanted => None,
        [_] => Some("the header's parameter is of another kind than the template takes, or empty"),
        _ => Some("the header takes exactly one parameter"),
    }
}

fn body(template: &Template, given: &Parameters) -> Option<&'static str> {
    if given.body.len() != template.body_count() {
        return Some("the body's number of parameters differs from the template's");
    }
    let is_of_body = |v: ParameterValue| {
        matches!(
            v,
            ParameterValue::Text | ParameterValue::Currency | ParameterValue::DateTime
        )
    };
    if !given.body.iter().all(|p| is_of_body(p.value)) {
        return Some(
            "a parameter of the body is not text, currency or date_time, is empty, or holds a line break, a tab or five blanks in a row",
        );
    }
    if template.body_names.is_empty() {
        return given.body.iter().any(|p| p.name.is_some()).then_some(
            "the template's parameters count by position, so they have no parameter_name",
        );
    }
    let named = |name: &String| {
        given
            .body
            .iter()
            .any(|p| p.name.as_deref() == Some(name.as_str()))
    };
    (!template.body_names.iter().all(named)).then_some(
        "the template's parameters are named: give each a parameter_name, and every name once",
    )
}

fn buttons(template: &Template, given: &Parameters) -> Option<&'static str> {
    let twice = |(i, b): (usize, &crate::outbound::ButtonParameter)| {
        given.buttons.iter().take(i).any(|c| c.index == b.index)
    };
    if given.buttons.iter().enumerate().any(twice) {
        return Some("a button is given twice");
    }
    for button in &given.buttons {
        // Meta puts the button of an authentication template there itself, and it takes the code again.
        let is_code_button = template.category == Category::Authentication
            && template.buttons.is_empty()
            && (button.index, button.kind) == (0, ButtonKind::Url);
        let declared = template
            .buttons
            .iter()
            .any(|b| (b.index, b.kind) == (button.index, button.kind));
        if !declared && !is_code_button {
            return Some(
                "the template has no button of this index and sub_type that takes a parameter",
            );
        }
        if !button.fits {
            return Some("a button takes exactly one parameter, of its own type and not empty");
        }
    }
    let missing = |b: &&crate::config::Button| {
        !b.optional && !given.buttons.iter().any(|g| g.index == b.index)
    };
    template
        .buttons
        .iter()
        .find(missing)
        .map(|_button| "the parameter of a button is missing")
}

fn others(template: &Template, given: &Parameters) -> Option<&'static str> {
    let mut wanted = template.other_components.clone();
    let mut brought = given.others.clone();
    wanted.sort_unstable();
    brought.sort_unstable();
    (wanted != brought)
        .then_some("other components differ from those the template is declared with")
}
