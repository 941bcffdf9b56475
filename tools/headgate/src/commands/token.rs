//! `headgate token`: makes, shows and takes back the tokens of the HTTP API for consents.
//!
//! A token is shown by `create` and never again: what is stored is its hash. It goes to standard output
//! alone, so that it can be piped to where it is kept.

use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use headgate_aws::api_tokens::Listed;
use headgate_domain::api_token::{ApiToken, MAX_LIFE_MS, PREFIX, PlainToken, Scope, TokenId};
use headgate_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::cli::{ClientArgs, TokenAction, TokenArgs, TokenCreateArgs};
use crate::connection::Connection;

/// Runs what was asked for.
///
/// # Errors
/// When a flag cannot be, or the table does not answer.
pub async fn run(args: &TokenArgs) -> Result<ExitCode> {
    match &args.action {
        TokenAction::Create(args) => create(args).await,
        TokenAction::List(client) => list(client).await,
        TokenAction::Revoke { id, client } => revoke(id, client).await,
    }
}

async fn create(args: &TokenCreateArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let now = connection.now().await?;
    let (tokens, deployment) = connection.api_tokens()?;
    let plain = PlainToken::from_random(deployment, &headgate_aws::random()?);
    let token = asked(args, &plain, deployment, now)?;
    tokens
        .put(&token)
        .await
        .context("the table did not take the token")?;
    if args.client.json {
        let mut shown = told(&token, now, None);
        shown["token"] = json!(plain.expose());
        println!("{shown}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", plain.expose());
    eprintln!(
        "{} ({}) may {} until {}. This is the only time it is shown; take it back with: headgate token revoke {}{}",
        token.id(),
        token.name,
        words(&token.scopes),
        token.expires_at,
        token.id(),
        connection.env_flag(),
    );
    Ok(ExitCode::SUCCESS)
}

/// The token that the flags describe.
fn asked(
    args: &TokenCreateArgs,
    plain: &PlainToken,
    deployment: &str,
    now: Timestamp,
) -> Result<ApiToken> {
    let life = i64::try_from(args.expires.as_millis()).unwrap_or(i64::MAX);
    if life == 0 || life > MAX_LIFE_MS {
        bail!("--expires must be between 1s and 366d: a token that is forgotten ends by itself");
    }
    let mut scopes = args.scope.clone();
    scopes.sort_unstable();
    scopes.dedup();
    Ok(ApiToken {
        hash: plain.hashed(deployment),
        name: args.name.clone(),
        scopes,
        created_at: now,
        expires_at: now.plus_millis(life),
        revoked_at: None,
    })
}

async fn list(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let now = connection.now().await?;
    let (tokens, _deployment) = connection.api_tokens()?;
    let listed = tokens.list().await.context("the tokens cannot be read")?;
    if client.json {
        let all: Vec<Value> = listed
            .iter()
            .map(|l| told(&l.token, now, Some(l)))
            .collect();
        println!("{}", json!({ "tokens": all }));
    } else if listed.is_empty() {
        println!("there is no token: make one with `headgate token create --help`");
    } else {
        for l in &listed {
            let used = l
                .last_used
                .map_or_else(|| "never used".to_owned(), |day| format!("last used {day}"));
            println!(
                "{}  {:<20} {:<32} {}  {used}",
                l.token.id(),
                l.token.name,
                words(&l.token.scopes),
                standing(&l.token, now),
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn revoke(id: &str, client: &ClientArgs) -> Result<ExitCode> {
    let id = named(id)?;
    let connection = Connection::open(client.env_file.as_deref())?;
    let now = connection.now().await?;
    let (tokens, _deployment) = connection.api_tokens()?;
    if !tokens
        .revoke(&id, now)
        .await
        .context("the table did not take it")?
    {
        bail!(
            "there is no token {id}: `headgate token list{}` shows those there are",
            connection.env_flag()
        );
    }
    if client.json {
        println!("{}", json!({ "id": id.as_str(), "revoked": true }));
    } else {
        println!("{id} is revoked: the next request with it is refused");
    }
    Ok(ExitCode::SUCCESS)
}

/// The id of a token; a token in its place is not repeated.
fn named(text: &str) -> Result<TokenId> {
    if text.starts_with(PREFIX) {
        bail!(
            "that is a token, not its id: `headgate token list` shows the id; whoever can see your shell's history can use the token until it is revoked"
        );
    }
    TokenId::parse(text).map_err(|wrong| anyhow!("{wrong}"))
}

fn words(scopes: &[Scope]) -> String {
    let words: Vec<&str> = scopes.iter().map(|scope| scope.word()).collect();
    words.join(",")
}

fn standing(token: &ApiToken, now: Timestamp) -> String {
    match token.revoked_at {
        Some(at) => format!("revoked {at}"),
        None if now >= token.expires_at => format!("expired {}", token.expires_at),
        None => format!("until {}", token.expires_at),
    }
}

/// A token in JSON, without anything that opens.
fn told(token: &ApiToken, now: Timestamp, listed: Option<&Listed>) -> Value {
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.word()).collect();
    json!({
        "id": token.id().as_str(),
        "name": token.name,
        "scopes": scopes,
        "created_at": token.created_at.to_string(),
        "expires_at": token.expires_at.to_string(),
        "revoked_at": token.revoked_at.map(|at| at.to_string()),
        "in_force": token.revoked_at.is_none() && now < token.expires_at,
        "last_used": listed.and_then(|l| l.last_used).map(|day| day.to_string()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]
    use clap::Parser as _;
    use headgate_domain::time::DAY;

    use super::*;
    use crate::cli::{Cli, Command};

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn token(line: &str) -> Result<ApiToken> {
        let parsed = Cli::try_parse_from(line.split(' '))?.command;
        let Some(Command::Token(TokenArgs {
            action: TokenAction::Create(args),
        })) = parsed
        else {
            panic!("not a token")
        };
        let plain = PlainToken::from_random("main", &[7; 32]);
        asked(&args, &plain, "main", NOW)
    }

    #[test]
    fn a_token_has_a_scope_and_ends_within_a_year() {
        let made = token(
            "headgate token create --scope consents:attest --scope consents:write --scope consents:write --expires 366d --name crm",
        )
        .unwrap();
        assert_eq!(made.scopes, [Scope::ConsentsWrite, Scope::ConsentsAttest]);
        assert_eq!(made.expires_at, NOW.plus_millis(366 * DAY));
        for wrong in [
            "headgate token create --expires 30d",
            "headgate token create --scope consents:write",
            "headgate token create --scope consents:* --expires 30d",
            "headgate token create --scope consents:write --expires 367d",
            "headgate token create --scope consents:write --expires 0d",
            "headgate token create --scope consents:write --expires 30d --name +16135550123",
        ] {
            assert!(token(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_given_for_its_id_is_not_repeated() {
        let plain = PlainToken::from_random("main", &[7; 32]);
        let refused = named(plain.expose()).unwrap_err().to_string();
        assert!(refused.starts_with("that is a token") && !refused.contains(plain.expose()));
        assert!(named("tok_x").is_err());
        let id = plain.hashed("main").id();
        assert_eq!(named(id.as_str()).unwrap(), id);
    }

    #[test]
    fn what_is_told_of_a_token_opens_nothing() {
        let plain = PlainToken::from_random("main", &[7; 32]);
        let made = token("headgate token create --scope consents:write --expires 1d").unwrap();
        let shown = told(&made, NOW, None).to_string();
        assert!(!shown.contains(plain.expose()) && !shown.contains(&made.hash.text()));
        assert!(standing(&made, NOW).starts_with("until"));
        assert!(standing(&made, NOW.plus_millis(DAY)).starts_with("expired"));
    }
}
