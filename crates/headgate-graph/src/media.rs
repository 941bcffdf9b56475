//! Media of people: from an id in a notification to its bytes.
//!
//! Owns the two requests it takes: the Graph API names an address, good for five minutes, and the
//! address gives the bytes, to the bearer of the token (docs/media.md: ids live for seven
//! days). The address comes from outside and is believed only where the guard allows. What arrives is
//! counted and compared with Meta's own hash; it is never kept here.

mod guard;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_domain::record::is_number_id;
use headgate_redact::{LogSafe, Secret};
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, StatusCode};
use reqwest::{Request, Response, Url};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::address::{self, is_loopback};
use crate::client::{InvalidClient, VERSION, bearer};

/// Until there is a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long nothing may arrive.
const SILENCE: Duration = Duration::from_secs(30);
/// Real answers about a medium are below 1 KB.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Why a medium could not be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MediaError {
    /// Not an id.
    #[error("a media id consists of digits")]
    Id,
    /// Meta does not know the id, or not any more.
    #[error("Meta has no media of this id: ids of notifications live for seven days")]
    Absent,
    /// The token is not accepted.
    #[error("Meta does not accept the access token for this media")]
    Denied,
    /// No answer.
    #[error("Meta did not answer")]
    Unreachable,
    /// An answer without what it must have.
    #[error("Meta's answer about the media cannot be read")]
    Answer,
    /// An address that is not on the list.
    #[error(
        "Meta's answer names an address that is not allowed for media; nothing was asked there"
    )]
    Address,
    /// An answer that leads elsewhere.
    #[error("the download leads to another address; it was not followed")]
    Redirected,
    /// The address is no longer good.
    #[error("the address of the media has expired; ask again")]
    Expired,
    /// More than the caller wants.
    #[error("the media is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// It ended early.
    #[error("the download ended early")]
    CutOff,
    /// Not what Meta says it is.
    #[error("what arrived is not what Meta describes: the SHA-256 differs")]
    Hash,
    /// The caller could not take it.
    #[error("what arrived could not be written: {0}")]
    Sink(io::ErrorKind),
}

/// Consists of texts of ours alone.
impl LogSafe for MediaError {}

/// Where a medium is and what it must be.
pub struct Media {
    url: Url,
    sha256: [u8; 32],
    /// Meta's word for what it is, such as `image/jpeg`.
    pub mime_type: Option<String>,
    /// How many bytes it has, where Meta says so.
    pub size: Option<u64>,
}

/// # Privacy
/// The address holds a key to what a person sent.
impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Media(…)")
    }
}

#[derive(Deserialize)]
struct Answer {
    url: String,
    sha256: String,
    #[serde(default)]
    mime_type: Option<String>,
    #[serde(default)]
    file_size: Option<Size>,
}

/// Meta writes a number, and in older versions a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Size {
    Number(u64),
    Text(String),
}

/// A client that downloads media with one token.
///
/// # Security
/// The token goes to the Graph API and to Meta's host of media, and nowhere else.
pub struct MediaClient {
    http: reqwest::Client,
    base: Url,
    bearer: HeaderValue,
    proof: Secret<String>,
}

impl fmt::Debug for MediaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaClient(…)")
    }
}

impl MediaClient {
    /// A client for `base_url`, as of [`crate::GraphClient::new`].
    ///
    /// # Errors
    /// [`InvalidClient`].
    pub fn new(
        base_url: &str,
        access_token: &Secret<String>,
        appsecret_proof: Secret<String>,
    ) -> Result<Self, InvalidClient> {
        let base = address::parse(base_url)?;
        address::check_proof(&appsecret_proof)?;
        let builder = reqwest::Client::builder()
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .tls_backend_preconfigured(address::tls(address::public_roots())?);
        let builder = if is_loopback(&base) {
            builder
        } else {
            builder
                .https_only(true)
                .dns_resolver(Arc::new(guard::PublicOnly))
        };
        Ok(Self {
            http: builder.build().map_err(|_foreign| InvalidClient::Tls)?,
            base,
            bearer: bearer(access_token)?,
            proof: appsecret_proof,
        })
    }

    /// Asks where a medium is.
    ///
    /// # Errors
    /// [`MediaError`].
    pub async fn locate(&self, id: &str) -> Result<Media, MediaError> {
        // The id becomes a path segment; nothing but digits may.
        if !is_number_id(id) {
            return Err(MediaError::Id);
        }
        let joined = self.base.join(&format!("{VERSION}/{id}"));
        let mut url = joined.map_err(|_shows_the_url| MediaError::Id)?;
        url.query_pairs_mut()
            .append_pair("appsecret_proof", self.proof.expose());
        let response = self.get(url).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(MediaError::Denied),
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => return Err(MediaError::Absent),
            status if status.is_redirection() => return Err(MediaError::Redirected),
            status if status.is_server_error() => return Err(MediaError::Unreachable),
            _ => return Err(MediaError::Answer),
        }
        let answer: Answer = serde_json::from_slice(&small(response).await?)
            .map_err(|_quotes_input| MediaError::Answer)?;
        Ok(Media {
            url: guard::admit(&answer.url, &self.base).ok_or(MediaError::Address)?,
            sha256: hash(&answer.sha256).ok_or(MediaError::Answer)?,
            mime_type: answer.mime_type,
            size: match answer.file_size {
                Some(Size::Number(size)) => Some(size),
                Some(Size::Text(text)) => text.parse().ok(),
                None => None,
            },
        })
    }

    /// Hands the bytes of a medium over as they arrive. They may be believed only once this returns.
    ///
    /// # Errors
    /// [`MediaError`]; what was handed over before must be thrown away.
    pub async fn fetch(
        &self,
        media: &Media,
        limit: u64,
        mut take: impl FnMut(&[u8]) -> io::Result<()> + Send,
    ) -> Result<u64, MediaError> {
        if media.size.is_some_and(|size| size > limit) {
            return Err(MediaError::TooLarge { limit });
        }
        let mut response = self.get(media.url.clone()).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(MediaError::Denied),
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(MediaError::Expired),
            status if status.is_redirection() => return Err(MediaError::Redirected),
            _ => return Err(MediaError::Unreachable),
        }
        let announced = response.content_length();
        if announced.is_some_and(|length| length > limit) {
            return Err(MediaError::TooLarge { limit });
        }
        let mut hash = Sha256::new();
        let mut length = 0_u64;
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(_shows_the_url) => return Err(MediaError::CutOff),
            };
            length = length.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if length > limit {
                return Err(MediaError::TooLarge { limit });
            }
            hash.update(&chunk);
            take(&chunk).map_err(|error| MediaError::Sink(error.kind()))?;
        }
        if media.size.or(announced).is_some_and(|whole| length < whole) {
            return Err(MediaError::CutOff);
        }
        if hash.finalize().as_slice() != media.sha256 {
            return Err(MediaError::Hash);
        }
        Ok(length)
    }

    async fn get(&self, url: Url) -> Result<Response, MediaError> {
        let mut request = Request::new(Method::GET, url);
        request
            .headers_mut()
            .insert(AUTHORIZATION, self.bearer.clone());
        self.http
            .execute(request)
            .await
            .map_err(|_shows_the_url| MediaError::Unreachable)
    }
}

/// Reads at most [`LARGEST_ANSWER`] bytes.
async fn small(mut response: Response) -> Result<Vec<u8>, MediaError> {
    let mut whole = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if whole.len().saturating_add(chunk.len()) > LARGEST_ANSWER => {
                return Err(MediaError::Answer);
            }
            Ok(Some(chunk)) => whole.extend_from_slice(&chunk),
            Ok(None) => return Ok(whole),
            Err(_shows_the_url) => return Err(MediaError::CutOff),
        }
    }
}

/// A SHA-256 as the Graph API writes it, in hexadecimal, or as notifications do, in base64.
fn hash(text: &str) -> Option<[u8; 32]> {
    if text.len() == 64 {
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            let start = place.checked_mul(2)?;
            let pair = text.get(start..start.checked_add(2)?)?;
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        return Some(bytes);
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::string_slice, reason = "a text of digits")]
    use super::*;

    #[test]
    fn a_hash_is_read_in_both_spellings_and_nothing_else_is_one() {
        // printf '' | sha256sum, and the same in base64
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert!(hash(hex).is_some());
        assert_eq!(hash(hex), hash(base64));
        assert_eq!(hash(&hex.to_uppercase()), hash(hex));
        for wrong in ["", "47DE", &hex.replace('e', "+"), &hex[1..]] {
            assert_eq!(hash(wrong), None, "{wrong}");
        }
    }
}
