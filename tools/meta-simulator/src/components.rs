//! Template messages: name, language, components, and the count of body parameters.

use crate::content;
use crate::fields::Fields;
use crate::options::Template;
use crate::refusal::Refusal;

/// What a template message asks for.
pub(crate) struct TemplateUse<'a> {
    pub(crate) name: &'a str,
    pub(crate) language: &'a str,
    pub(crate) body_parameters: usize,
    /// One-tap, zero-tap and copy-code buttons cannot go to a user id (131062).
    pub(crate) has_code_button: bool,
}

/// # Errors
/// The first thing wrong with the shape; whether the template exists is another question.
pub(crate) fn check<'a>(fields: &Fields<'a>) -> Result<TemplateUse<'a>, Refusal> {
    fields.only(&["name", "language", "components", "namespace"])?;
    let name = fields.text("name", 512)?;
    let language = fields.object("language")?;
    language.only(&["code", "policy"])?;
    if language.find("policy").is_some() {
        language.choice("policy", &["deterministic"])?;
    }
    let mut used = TemplateUse {
        name,
        language: language.text("code", 16)?,
        body_parameters: 0,
        has_code_button: false,
    };
    if fields.find("components").is_some() {
        for component in fields.objects("components", 0..=20)? {
            check_component(&component, &mut used)?;
        }
    }
    Ok(used)
}

fn check_component(component: &Fields<'_>, used: &mut TemplateUse<'_>) -> Result<(), Refusal> {
    let kinds = [
        "header",
        "body",
        "footer",
        "button",
        "carousel",
        "limited_time_offer",
        "order_status",
    ];
    match component.choice("type", &kinds)? {
        "body" => {
            component.only(&["type", "parameters"])?;
            used.body_parameters = parameters(component, 0, &["text", "currency", "date_time"])?;
        }
        "header" => {
            component.only(&["type", "parameters"])?;
            parameters(
                component,
                0,
                &["text", "image", "video", "document", "location", "product"],
            )?;
        }
        "button" => {
            component.only(&["type", "sub_type", "index", "parameters"])?;
            let sub_type = component.choice(
                "sub_type",
                &[
                    "quick_reply",
                    "url",
                    "copy_code",
                    "flow",
                    "catalog",
                    "mpm",
                    "voice_call",
                ],
            )?;
            used.has_code_button |= sub_type == "copy_code";
            let index = component.required("index")?;
            let index = index
                .as_u64()
                .or_else(|| index.as_str().and_then(|text| text.parse().ok()));
            if index.is_none_or(|index| index > 9) {
                return Err(component.invalid("index", "it must be 0 to 9"));
            }
            if matches!(sub_type, "quick_reply" | "url" | "copy_code") {
                parameters(component, 1, &["payload", "text", "coupon_code"])?;
            }
        }
        // Footers take nothing, the others are passed through unread: no template here has them.
        _ => {}
    }
    Ok(())
}

/// How many, once every one of them has the shape of its type.
fn parameters(component: &Fields<'_>, least: usize, types: &[&str]) -> Result<usize, Refusal> {
    if component.find("parameters").is_none() {
        return if least == 0 {
            Ok(0)
        } else {
            Err(component.missing("parameters"))
        };
    }
    let list = component.objects("parameters", least..=100)?;
    for parameter in &list {
        match parameter.choice("type", types)? {
            "text" => {
                parameter.only(&["type", "text", "parameter_name"])?;
                let text = parameter.text("text", 32_768)?;
                if text.contains(['\n', '\t']) || text.contains("     ") {
                    let details = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces";
                    return Err(Refusal::because(132_018, details));
                }
            }
            "payload" => {
                parameter.only(&["type", "payload"])?;
                parameter.text("payload", 256)?;
            }
            "coupon_code" => {
                parameter.only(&["type", "coupon_code"])?;
                parameter.text("coupon_code", 20)?;
            }
            kind @ ("image" | "video") => content::media(&parameter.object(kind)?, &[])?,
            "document" => content::media(&parameter.object("document")?, &["filename"])?,
            kind @ ("currency" | "date_time") => {
                parameter.object(kind)?.text("fallback_value", 1_024)?;
            }
            kind => {
                parameter.object(kind)?;
            }
        }
    }
    Ok(list.len())
}

/// The approved template that is asked for.
///
/// # Errors
/// 132001 when there is none in that language, 132000 when the body takes another number of
/// parameters.
pub(crate) fn find<'t>(
    templates: &'t [Template],
    used: &TemplateUse<'_>,
) -> Result<&'t Template, Refusal> {
    let template = templates
        .iter()
        .find(|template| template.name == used.name && template.language == used.language)
        .ok_or_else(|| {
            Refusal::because(132_001, "template name does not exist in that language")
        })?;
    if template.body_parameters != used.body_parameters {
        let details = format!(
            "body: number of localizable_params ({}) does not match the expected number of params ({})",
            used.body_parameters, template.body_parameters
        );
        return Err(Refusal::because(132_000, details));
    }
    Ok(template)
}
