//! Meta's errors: code, HTTP status, title, and the shape they come in.
//! Codes and titles from Meta's error-code page (2026-09-11), HTTP statuses from its edition of 2025-11.

use serde_json::{Value, json};

/// One refused request.
pub(crate) struct Refusal {
    pub(crate) code: u32,
    pub(crate) http: u16,
    message: String,
    kind: &'static str,
    details: Option<String>,
    subcode: Option<u32>,
}

impl Refusal {
    /// The documented error of `code`.
    pub(crate) fn of(code: u32) -> Self {
        let (http, title) = known(code);
        let message = if code == 190 {
            title.to_owned()
        } else {
            format!("(#{code}) {title}")
        };
        Self {
            code,
            http,
            message,
            kind: "OAuthException",
            details: None,
            subcode: None,
        }
    }

    /// With `error_data.details`.
    pub(crate) fn because(code: u32, details: impl Into<String>) -> Self {
        Self {
            details: Some(details.into()),
            ..Self::of(code)
        }
    }

    /// An error of the Graph API below the messages endpoint: code 100 with its own sentence and no `error_data`.
    pub(crate) fn graph(message: impl Into<String>, subcode: Option<u32>) -> Self {
        Self {
            message: message.into(),
            kind: "GraphMethodException",
            subcode,
            ..Self::of(100)
        }
    }

    /// A path that is no node of the graph.
    pub(crate) fn unknown_path() -> Self {
        Self {
            message: "Unknown path components".to_owned(),
            ..Self::of(2500)
        }
    }

    /// With another HTTP status.
    pub(crate) fn with_http(self, http: u16) -> Self {
        Self { http, ..self }
    }

    pub(crate) fn to_json(&self, trace: &str) -> Value {
        let mut error = json!({
            "message": self.message, "type": self.kind, "code": self.code, "fbtrace_id": trace,
        });
        if let Some(details) = &self.details {
            error["error_data"] = json!({"messaging_product": "whatsapp", "details": details});
        }
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = json!(subcode);
        }
        if self.code == 2 {
            error["is_transient"] = json!(true);
        }
        json!({"error": error})
    }
}

/// The entry of a status' `errors`.
pub(crate) fn status_error(code: u32) -> Value {
    let (_, title) = known(code);
    json!({
        "code": code, "title": title, "message": title,
        "error_data": {"details": asynchronous_details(code)},
        "href": "/documentation/business-messaging/whatsapp/support/error-codes",
    })
}

fn asynchronous_details(code: u32) -> &'static str {
    match code {
        131_047 => {
            "Message failed to send because more than 24 hours have passed since the customer last replied to this number."
        }
        131_049 => {
            "In order to maintain a healthy ecosystem engagement, the message failed to be delivered."
        }
        131_050 => "User has stopped receiving marketing messages from this business.",
        131_026 => "Message undeliverable.",
        _ => known(code).1,
    }
}

/// HTTP status and title by code.
fn known(code: u32) -> (u16, &'static str) {
    match code {
        0 => (401, "AuthException"),
        2 => (
            503,
            "An unexpected error has occurred. Please retry your request later.",
        ),
        3 => (500, "Capability or permission"),
        4 => (400, "Application request limit reached"),
        10 => (403, "Permission denied"),
        100 => (400, "Invalid parameter"),
        190 => (
            401,
            "Invalid OAuth access token - Cannot parse access token",
        ),
        200 => (403, "Permission error"),
        368 => (403, "Temporarily blocked for policies violations"),
        80_007 => (400, "Rate limit issues"),
        130_429 => (400, "Rate limit hit"),
        130_472 => (400, "User's number is part of an experiment"),
        130_497 => (
            403,
            "Business account is restricted from messaging users in this country",
        ),
        131_000 => (500, "Something went wrong"),
        131_005 => (403, "Access denied"),
        131_008 => (400, "Required parameter is missing"),
        33 | 131_009 => (400, "Parameter value is not valid"),
        131_016 => (500, "Service unavailable"),
        131_021 => (400, "Recipient cannot be sender"),
        131_026 => (400, "Message undeliverable"),
        131_031 => (403, "Business Account locked"),
        131_042 => (400, "Business eligibility payment issue"),
        131_047 => (400, "Re-engagement message"),
        131_048 => (400, "Spam rate limit hit"),
        131_049 => (
            400,
            "This message was not delivered to maintain healthy ecosystem engagement.",
        ),
        131_050 => (400, "User has stopped receiving marketing messages"),
        131_051 => (400, "Unsupported message type"),
        131_053 => (400, "Media upload error"),
        131_056 => (
            400,
            "(Business Account, Consumer Account) pair rate limit hit",
        ),
        131_057 => (500, "Account in maintenance mode"),
        131_062 => (
            400,
            "Business-scoped user id is not supported for this message",
        ),
        132_000 => (
            400,
            "Number of parameters does not match the expected number of params",
        ),
        132_001 => (404, "Template name does not exist in the translation"),
        132_012 => (
            400,
            "Parameter format does not match format in the created template",
        ),
        132_015 => (400, "Template is paused"),
        132_016 => (400, "Template is disabled"),
        132_018 => (
            400,
            "There is an issue with the parameters in your template",
        ),
        133_004 => (503, "Server temporarily unavailable"),
        133_010 => (400, "Account not registered"),
        134_100 => (400, "Only marketing messages are supported"),
        135_000 => (400, "Generic user error"),
        _ => (400, "An unknown error has occurred."),
    }
}
