//! KMS and Secrets Manager beyond the calls Headgate makes every day: the errors, the states, the labels.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::too_many_lines,
    missing_docs,
    reason = "tests may fail loudly"
)]

mod support;

use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{
    DataKeySpec, KeyState, KeyUsageType, MacAlgorithmSpec, MessageType, SigningAlgorithmSpec,
};
use local_cloud::{LocalCloud, Service};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use support::{cloud, kms, options, secrets};

/// What the error of a call is called.
macro_rules! code {
    ($call:expr) => {
        $call
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .code()
            .map(str::to_owned)
            .as_deref()
    };
}

#[tokio::test]
async fn a_ciphertext_says_by_which_key_and_no_other_is_taken() {
    let mut options = options(None);
    options.nested.entry("infra/data.yaml".into()).and_modify(|data| {
        let second = "\n  SecondKey: {Type: AWS::KMS::Key, Properties: {Enabled: false}}\nOutputs:\n  SecondKeyArn: {Value: !GetAtt SecondKey.Arn}\n";
        *data = data.replace("\nOutputs:\n", second);
    });
    let cloud = LocalCloud::start(options).await.unwrap();
    let kms = kms(&cloud);
    let arn = |output: &str| cloud.output(&format!("Data.{output}")).unwrap();
    let (data_key, second_key, mac_key) =
        (arn("DataKeyArn"), arn("SecondKeyArn"), arn("MacKeyArn"));
    let made = kms
        .generate_data_key()
        .key_id("alias/local-data")
        .key_spec(DataKeySpec::Aes128)
        .encryption_context("b", "2")
        .encryption_context("a", "1")
        .send()
        .await
        .unwrap();
    assert_eq!(made.plaintext().unwrap().as_ref().len(), 16);
    let open = || {
        kms.decrypt()
            .ciphertext_blob(made.ciphertext_blob().unwrap().clone())
            .encryption_context("a", "1")
            .encryption_context("b", "2")
    };
    let id = data_key.rsplit('/').next().unwrap();
    let alias = "arn:aws:kms:eu-west-1:123456789012:alias/local-data";
    for name in [id, &data_key, "alias/local-data", alias] {
        let opened = open().key_id(name).send().await.unwrap();
        assert_eq!(opened.plaintext(), made.plaintext(), "{name}");
    }

    let disabled = open().key_id(&second_key);
    assert_eq!(code!(disabled), Some("DisabledException"));
    kms.enable_key().key_id(&second_key).send().await.unwrap();
    let other = open().key_id(&second_key);
    assert_eq!(code!(other), Some("IncorrectKeyException"));
    let for_macs = open().key_id(&mac_key);
    assert_eq!(code!(for_macs), Some("InvalidKeyUsageException"));
    let absent = open().key_id("alias/none");
    assert_eq!(code!(absent), Some("NotFoundException"));
    let without_context = kms
        .decrypt()
        .ciphertext_blob(made.ciphertext_blob().unwrap().clone());
    assert_eq!(code!(without_context), Some("InvalidCiphertextException"));
    let noise = kms.decrypt().ciphertext_blob(Blob::new([1, 2, 3]));
    assert_eq!(code!(noise), Some("InvalidCiphertextException"));

    kms.disable_key().key_id(id).send().await.unwrap();
    assert_eq!(code!(open()), Some("DisabledException"));
    let by_alias = kms.describe_key().key_id("alias/local-data").send();
    let described = by_alias.await.unwrap();
    let metadata = described.key_metadata().unwrap();
    assert_eq!(metadata.key_state(), Some(&KeyState::Disabled));
    assert_eq!(metadata.arn(), Some(data_key.as_str()));
    assert_eq!(metadata.key_usage(), Some(&KeyUsageType::EncryptDecrypt));
    assert!(metadata.creation_date().unwrap().secs() > 1_700_000_000);
    kms.enable_key().key_id(&data_key).send().await.unwrap();
    open().send().await.unwrap();
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn kms_refuses_what_a_key_is_not_for_and_what_the_model_forbids() {
    let cloud = cloud().await;
    let kms = kms(&cloud);
    let (data_key, mac_key) = (
        cloud.output("Data.DataKeyArn").unwrap(),
        cloud.output("Data.MacKeyArn").unwrap(),
    );
    let data_key = || kms.generate_data_key().key_id(&data_key);
    let neither = data_key();
    assert_eq!(code!(neither), Some("ValidationException"));
    let both = data_key().number_of_bytes(32).key_spec(DataKeySpec::Aes256);
    assert_eq!(code!(both), Some("ValidationException"));
    let too_long = data_key().number_of_bytes(1025);
    assert_eq!(code!(too_long), Some("ValidationException"));
    let with_a_mac_key = kms
        .generate_data_key_without_plaintext()
        .key_id(&mac_key)
        .number_of_bytes(32);
    assert_eq!(code!(with_a_mac_key), Some("InvalidKeyUsageException"));

    let message = || Blob::new("m");
    let mac = kms
        .generate_mac()
        .key_id(&mac_key)
        .mac_algorithm(MacAlgorithmSpec::HmacSha256)
        .message(message())
        .send()
        .await
        .unwrap();
    let verify = |message: Blob| {
        kms.verify_mac()
            .key_id(&mac_key)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(message)
            .mac(mac.mac().unwrap().clone())
    };
    assert!(verify(message()).send().await.unwrap().mac_valid());
    let other = verify(Blob::new("n"));
    assert_eq!(code!(other), Some("KMSInvalidMacException"));
    let generate = || kms.generate_mac().key_id(&mac_key);
    let longer_digest = generate()
        .message(message())
        .mac_algorithm(MacAlgorithmSpec::HmacSha512);
    assert_eq!(code!(longer_digest), Some("InvalidKeyUsageException"));
    let too_long = generate()
        .message(Blob::new(vec![0; 4097]))
        .mac_algorithm(MacAlgorithmSpec::HmacSha256);
    assert_eq!(code!(too_long), Some("ValidationException"));
    let sign = kms
        .sign()
        .key_id(&mac_key)
        .message(message())
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
    assert_eq!(code!(sign), Some("InvalidKeyUsageException"));
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_key_signs_its_public_key_verifies() {
    let mut options = options(None);
    options.nested.entry("infra/data.yaml".into()).and_modify(|data| {
        let key = "\n  LedgerKey: {Type: AWS::KMS::Key, Properties: {KeySpec: ECC_NIST_P256, KeyUsage: SIGN_VERIFY}}\nOutputs:\n  LedgerKeyArn: {Value: !GetAtt LedgerKey.Arn}\n";
        *data = data.replace("\nOutputs:\n", key);
    });
    let cloud = LocalCloud::start(options).await.unwrap();
    let kms = kms(&cloud);
    let key = cloud.output("Data.LedgerKeyArn").unwrap();
    let sign = || {
        kms.sign()
            .key_id(&key)
            .message(Blob::new("checkpoint"))
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
    };
    let signed = sign().message_type(MessageType::Raw).send().await.unwrap();
    let public = kms.get_public_key().key_id(&key).send().await.unwrap();
    assert_eq!(public.key_usage(), Some(&KeyUsageType::SignVerify));
    let der = public.public_key().unwrap().as_ref();
    assert_eq!(der.len(), 91);
    let point = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &der[26..]);
    let signature = signed.signature().unwrap().as_ref();
    point.verify(b"checkpoint", signature).unwrap();
    assert!(point.verify(b"another", signature).is_err());

    let digest = sign().message_type(MessageType::Digest);
    assert_eq!(code!(digest), Some("ValidationException"));
    let other = sign().signing_algorithm(SigningAlgorithmSpec::EcdsaSha384);
    assert_eq!(code!(other), Some("InvalidKeyUsageException"));
    let too_long = sign().message(Blob::new(vec![0; 4097]));
    assert_eq!(code!(too_long), Some("ValidationException"));
    let data_key = cloud.output("Data.DataKeyArn").unwrap();
    let of_symmetric = kms.get_public_key().key_id(data_key);
    assert_eq!(code!(of_symmetric), Some("InvalidKeyUsageException"));
    let mac = kms.generate_mac().key_id(&key).message(Blob::new("m"));
    let mac = mac.mac_algorithm(MacAlgorithmSpec::HmacSha256);
    assert_eq!(code!(mac), Some("InvalidKeyUsageException"));
    let described = kms.describe_key().key_id(&key).send().await.unwrap();
    let metadata = described.key_metadata().unwrap();
    assert_eq!(
        metadata.signing_algorithms(),
        [SigningAlgorithmSpec::EcdsaSha256]
    );
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn a_template_with_a_key_that_cannot_be_made_here_does_not_start() {
    for (given, wanted) in [
        ("KeySpec: HMAC_512", "key spec HMAC_512 is not supported"),
        ("KeySpec: ECC_NIST_P384", "key spec ECC_NIST_P384"),
        (
            "KeySpec: ECC_NIST_P256",
            "does not go with key spec ECC_NIST_P256",
        ),
        ("KeySpec: SYMMETRIC_DEFAULT", "does not go with key spec"),
    ] {
        let mut options = options(None);
        for data in options.nested.values_mut() {
            *data = data.replace("KeySpec: HMAC_256", given);
        }
        let refused = LocalCloud::start(options).await.unwrap_err();
        assert!(format!("{refused:#}").contains(wanted), "{refused:#}");
    }
}

#[tokio::test]
async fn a_secret_is_read_by_name_arn_version_and_label() {
    let cloud = cloud().await;
    let secrets = secrets(&cloud);
    let arn = cloud.output("Data.Secret").unwrap();
    let put = |token: &str, value: &str| {
        secrets
            .put_secret_value()
            .secret_id(&arn)
            .client_request_token(token)
            .secret_string(value)
    };
    let (one, two) = ("1".repeat(32), "2".repeat(32));
    let first = put(&one, "one").send().await.unwrap();
    assert_eq!(first.version_id(), Some(one.as_str()));
    assert_eq!(first.version_stages(), ["AWSCURRENT"]);
    put(&two, "two").send().await.unwrap();
    // Again: the same value changes nothing, another one is refused.
    let again = put(&one, "one").send().await.unwrap();
    assert_eq!(again.version_stages(), ["AWSPREVIOUS"]);
    assert_eq!(code!(put(&one, "other")), Some("ResourceExistsException"));
    assert_eq!(code!(put("short", "x")), Some("InvalidParameterException"));

    let read = || secrets.get_secret_value();
    let partial = arn.rsplit_once('-').unwrap().0;
    for name in [arn.as_str(), partial, "local/webhook"] {
        let got = read().secret_id(name).send().await.unwrap();
        assert_eq!(got.secret_string(), Some("two"), "{name}");
        assert_eq!(got.arn(), Some(arn.as_str()));
        assert!(got.created_date().unwrap().secs() > 1_700_000_000);
    }
    let read = || secrets.get_secret_value().secret_id(&arn);
    let by_version = read().version_id(&one).version_stage("AWSPREVIOUS");
    let by_version = by_version.send().await.unwrap();
    assert_eq!(by_version.secret_string(), Some("one"));
    let mismatch = read().version_id(&one).version_stage("AWSCURRENT");
    assert_eq!(code!(mismatch), Some("InvalidRequestException"));
    let no_version = read().version_id("3".repeat(32));
    assert_eq!(code!(no_version), Some("ResourceNotFoundException"));
    let no_label = read().version_stage("AWSPENDING");
    assert_eq!(code!(no_label), Some("ResourceNotFoundException"));

    let pending = secrets
        .put_secret_value()
        .secret_id(&arn)
        .version_stages("AWSPENDING")
        .secret_binary(aws_sdk_secretsmanager::primitives::Blob::new([0, 255]));
    let pending = pending.send().await.unwrap();
    let got = read().version_stage("AWSPENDING").send().await.unwrap();
    assert_eq!(got.secret_binary().unwrap().as_ref(), [0, 255]);
    assert_eq!(got.secret_string(), None);
    let current = read().send().await.unwrap();
    assert_eq!(current.secret_string(), Some("two"));

    let described = secrets.describe_secret().secret_id(&arn).send();
    let described = described.await.unwrap();
    let labels = described.version_ids_to_stages().unwrap();
    assert_eq!(labels.len(), 3);
    assert_eq!(labels[&two], ["AWSCURRENT"]);
    assert_eq!(labels[pending.version_id().unwrap()], ["AWSPENDING"]);
    let neither = secrets.put_secret_value().secret_id(&arn);
    assert_eq!(code!(neither), Some("InvalidRequestException"));
    let too_long = put(&"4".repeat(32), &"x".repeat(65_537)).send().await;
    assert!(too_long.is_err());
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn a_disabled_key_stays_disabled_and_a_damaged_state_is_not_started_from() {
    let directory = tempfile::tempdir().unwrap();
    let start = || LocalCloud::start(options(Some(directory.path().to_owned())));
    let cloud = start().await.unwrap();
    let mac_key = cloud.output("Data.MacKeyArn").unwrap();
    let disable = kms(&cloud).disable_key().key_id(&mac_key).send();
    disable.await.unwrap();
    // Not stopped: the change was in the file before it was acknowledged.
    drop(cloud);
    let cloud = start().await.unwrap();
    let generate = kms(&cloud)
        .generate_mac()
        .key_id(&mac_key)
        .mac_algorithm(MacAlgorithmSpec::HmacSha256)
        .message(Blob::new("m"));
    assert_eq!(code!(generate), Some("DisabledException"));
    cloud.stop().await.unwrap();

    for (file, service) in [("kms.json", "kms"), ("secrets.json", "secretsmanager")] {
        let path = directory.path().join(file);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 2]).unwrap();
        let refused = start().await.unwrap_err();
        let expected = format!("the stored state of {service} is damaged");
        assert_eq!(format!("{refused:#}"), expected);
        std::fs::write(&path, whole).unwrap();
    }
    start().await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn what_is_not_a_request_is_refused_without_being_quoted() {
    let cloud = cloud().await;
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let client = reqwest::Client::new();
    for (service, target) in [
        (Service::Kms, "TrentService.Decrypt"),
        (Service::SecretsManager, "secretsmanager.PutSecretValue"),
    ] {
        for body in [
            "",
            "[\"canary\"",
            r#"{"CiphertextBlob":"canary!","SecretBinary":"canary!"}"#,
        ] {
            let answer = client
                .post(cloud.endpoint(service))
                .header("x-amz-target", target)
                .header("content-type", "application/x-amz-json-1.1")
                .body(body)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 400);
            assert_eq!(
                answer.headers()["content-type"],
                "application/x-amz-json-1.1"
            );
            let text = answer.text().await.unwrap();
            assert!(text.contains("SerializationException"), "{text}");
            assert!(!text.contains("canary"));
        }
    }
    cloud.stop().await.unwrap();
}
