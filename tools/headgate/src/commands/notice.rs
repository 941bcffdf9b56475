//! `headgate notice`: registering the wordings people agree to, and showing one.
//!
//! A notice is known by the hash of its text, its language and the controller's name, so registering it twice
//! changes nothing and nothing can change it afterwards.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use headgate_aws::controls::RegisteredNotice;
use headgate_domain::consent::NoticeId;
use serde_json::json;

use super::producer::UNREADABLE;
use crate::cli::{NoticeAction, NoticeArgs};
use crate::connection::Connection;

/// As long as a wording in a consent record may be, in characters.
const LONGEST: usize = 4_096;

/// Runs what was asked for.
///
/// # Errors
/// When the text cannot be read, there is no such notice, or the controls do not answer.
pub async fn run(args: &NoticeArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let controls = connection.controls()?;
    let notice = match &args.action {
        NoticeAction::Add { file, locale } => {
            let config = controls.config().await.context(UNREADABLE)?;
            let notice = RegisteredNotice {
                text: text_of(file)?,
                locale: locale.clone(),
                controller: config.controller.name.clone(),
            };
            controls
                .add_notice(&notice)
                .await
                .context("the controls did not take it")?;
            notice
        }
        NoticeAction::Show { id } => {
            let id = NoticeId::parse(id)?;
            let Some(notice) = controls.notice(&id).await.context(UNREADABLE)? else {
                bail!("there is no registered notice {id}");
            };
            notice
        }
    };
    let id = notice.id();
    if args.client.json {
        println!(
            "{}",
            json!({"notice": id, "locale": notice.locale, "controller": notice.controller, "text": notice.text})
        );
    } else {
        println!(
            "{id}  {}  {}\n\n{}",
            notice.locale, notice.controller, notice.text
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn text_of(file: &Path) -> Result<String> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    }
    .with_context(|| format!("{} cannot be read as UTF-8 text", file.display()))?;
    if text.trim().is_empty() {
        bail!("the notice is empty");
    }
    if text.chars().nth(LONGEST).is_some() {
        bail!("the notice has more than {LONGEST} characters");
    }
    Ok(text)
}
