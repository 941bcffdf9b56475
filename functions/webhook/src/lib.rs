//! The webhook: the one address at which Meta reaches us.
//!
//! Answers the handshake and takes notifications: with mutual TLS the caller's name first
//! signature over the raw bytes, then durable, then 200 (I10). It knows crypto, one
//! queue and one bucket; it does not parse, so nothing in a notification can reach it, and a
//! notification nobody can read still arrives.

mod answer;
mod client;
pub mod config;
mod keys;
mod ports;

use std::sync::Arc;

use bytes::Bytes;
use headgate_aws::AwsError;
use headgate_lambda::clock::Clock;
use headgate_lambda::http::ClientSubject;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::runtime::survive;
use headgate_webhook::handshake;
use headgate_webhook::overflow::{ObjectKey, Packed};
use headgate_webhook::queue_body::{self, Encoded, Form, LARGEST_BODY};
use headgate_webhook::signature::{self, InvalidSignature, SIGNATURE_HEADER, VerifiedBody};
use http::{Method, Request, Response};

use answer::Answer;
use client::{Admitted, NotAdmitted};
use keys::{KeyRing, Keys};

pub use client::Callers;
pub use keys::KeysError;
pub use ports::{AwsPorts, PortFuture, Ports};

/// The function.
pub struct Webhook {
    ports: Box<dyn Ports>,
    callers: Callers,
    keys: KeyRing,
    clock: Clock,
}

impl Webhook {
    /// Reads the keys; without usable ones the function does not start (I5).
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn new(
        ports: impl Ports + 'static,
        callers: Callers,
        clock: Clock,
    ) -> Result<Self, KeysError> {
        let keys = KeyRing::load(&ports, Arc::clone(&clock)).await?;
        Ok(Self {
            ports: Box::new(ports),
            callers,
            keys,
            clock,
        })
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let answer = match survive(self.answer(request)).await {
            Ok(answer) => answer,
            Err(panicked) => {
                log(
                    Level::Error,
                    "request_failed",
                    &[("error", Field::safe(&panicked))],
                );
                Answer::NotDurable
            }
        };
        answer.into()
    }

    async fn answer(&self, request: Request<Bytes>) -> Answer {
        let subject = request.extensions().get::<ClientSubject>();
        let admitted = match self.callers.admit(subject) {
            Ok(admitted) => admitted,
            Err(why) => return turn_away(why),
        };
        if request.method() == Method::GET {
            self.handshake(&admitted, request.uri().query().unwrap_or_default())
                .await
        } else if request.method() == Method::POST {
            self.take(&admitted, request).await
        } else {
            Answer::Method
        }
    }

    async fn handshake(&self, _by: &Admitted, query: &str) -> Answer {
        let keys = self.keys.current();
        let mut outcome = handshake::answer(&keys.verify_tokens, query);
        if outcome == Err(handshake::HandshakeRefused::Token)
            && let Some(newer) = self.keys.newer_than(&keys, self.ports.as_ref()).await
        {
            outcome = handshake::answer(&newer.verify_tokens, query);
        }
        match outcome {
            Ok(challenge) => {
                log(Level::Info, "handshake_answered", &[]);
                Answer::Challenge(challenge)
            }
            Err(refused) => {
                log(
                    Level::Warn,
                    "handshake_refused",
                    &[("error", Field::safe(&refused))],
                );
                Answer::NoHandshake
            }
        }
    }

    async fn take(&self, _by: &Admitted, request: Request<Bytes>) -> Answer {
        let (head, body) = request.into_parts();
        let header = head
            .headers
            .get(SIGNATURE_HEADER)
            .map(http::HeaderValue::as_bytes);
        // The body of a request that does not even claim a signature is not worth a look.
        if let Err(refused) = signature::parse_header(header) {
            return refuse(refused);
        }
        let size = body.len();
        if size > LARGEST_BODY {
            log(
                Level::Warn,
                "body_too_large",
                &[("bytes", Field::count(size))],
            );
            return Answer::TooLarge;
        }
        match self.verify(header, body).await {
            Ok(verified) => self.make_durable(&verified, size).await,
            Err(refused) => refuse(refused),
        }
    }

    async fn verify(
        &self,
        header: Option<&[u8]>,
        body: Bytes,
    ) -> Result<VerifiedBody, InvalidSignature> {
        let keys = self.keys.current();
        let under = |keys: &Arc<Keys>| signature::verify(&keys.app_secrets, header, body.clone());
        match under(&keys) {
            // The app secret may have been rotated since it was read.
            Err(InvalidSignature::Mismatch) => {
                match self.keys.newer_than(&keys, self.ports.as_ref()).await {
                    Some(newer) => under(&newer),
                    None => Err(InvalidSignature::Mismatch),
                }
            }
            outcome => outcome,
        }
    }

    async fn make_durable(&self, body: &VerifiedBody, size: usize) -> Answer {
        let form = match queue_body::encode(body) {
            Ok(form) => form,
            Err(why) => {
                log(
                    Level::Error,
                    "not_durable",
                    &[("error", Field::safe(&why)), ("bytes", Field::count(size))],
                );
                return Answer::NotDurable;
            }
        };
        let stored = Field::flag(matches!(form, Form::Stored(_)));
        let queued = match form {
            Form::Queued(encoded) => Ok(encoded),
            Form::Stored(packed) => self.store(packed).await,
        };
        let done = match queued {
            Ok(encoded) => {
                let compressed = Field::flag(encoded.encoding.is_some());
                self.ports.enqueue(encoded).await.map(|()| compressed)
            }
            Err(error) => Err(error),
        };
        match done {
            Ok(compressed) => {
                log(
                    Level::Info,
                    "notification_queued",
                    &[
                        ("bytes", Field::count(size)),
                        ("compressed", compressed),
                        ("stored", stored),
                    ],
                );
                Answer::Taken
            }
            Err(error) => {
                log(
                    Level::Error,
                    "not_durable",
                    &[("operation", Field::code(error.operation()))],
                );
                Answer::NotDurable
            }
        }
    }

    /// Stores a body, and gives what is queued in its place. When the pointer is not queued the object
    /// is nobody's, and goes with its time.
    async fn store(&self, packed: Packed) -> Result<Encoded, AwsError> {
        let key = ObjectKey::new((self.clock)().day(), headgate_aws::random()?);
        let pointer = packed.pointer(&key);
        self.ports.store(key, packed.into_bytes()).await?;
        Ok(pointer)
    }
}

fn refuse(why: InvalidSignature) -> Answer {
    log(
        Level::Warn,
        "signature_refused",
        &[("error", Field::safe(&why))],
    );
    Answer::Unsigned
}

/// One line of its own and the answer to a wrong signature: a stranger learns nothing from it.
fn turn_away(why: NotAdmitted) -> Answer {
    log(
        Level::Warn,
        "client_certificate_refused",
        &[("error", Field::safe(&why))],
    );
    Answer::Unsigned
}
