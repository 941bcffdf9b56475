//! A key that a test signs with, made at the moment it is needed.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::{PublicKey, SPKI_PREFIX};

pub(crate) struct Signer {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        Self { pair, random }
    }

    pub(crate) fn key(&self) -> PublicKey {
        let point = self.pair.public_key().as_ref();
        PublicKey::from_der(&[&SPKI_PREFIX[..], point].concat()).unwrap()
    }

    /// As KMS would.
    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        let signature = self.pair.sign(&self.random, text.as_bytes()).unwrap();
        signature.as_ref().to_vec()
    }
}
