//! The buckets: what is kept in it, for how long, and whom it refuses.
//!
//! Who may reach it is `rights`'s question.

use serde_json::json;

use crate::template::{Template, many, target};

#[test]
fn the_overflow_bucket_is_closed_sealed_and_emptied_within_seven_days() {
    let template = Template::data();
    assert_eq!(
        template.ids_of("AWS::S3::Bucket"),
        ["CheckpointsBucket", "ImportsBucket", "OverflowBucket"]
    );
    assert!(Template::root().ids_of("AWS::S3::Bucket").is_empty());
    let bucket = template.properties("OverflowBucket");
    let name = "${Deployment}-overflow-${AWS::AccountId}";
    assert_eq!(target(&bucket["BucketName"]), name);
    let rules = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"];
    let rules = many(rules);
    assert_eq!(rules.len(), 1);
    let sealed = &rules[0]["ServerSideEncryptionByDefault"];
    assert_eq!(sealed["SSEAlgorithm"], "aws:kms");
    assert_eq!(target(&sealed["KMSMasterKeyID"]), "QueueKey.Arn");
    let closed = json!({
        "BlockPublicAcls": true, "BlockPublicPolicy": true,
        "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
    });
    assert_eq!(bucket["PublicAccessBlockConfiguration"], closed);
    let owner = json!([{ "ObjectOwnership": "BucketOwnerEnforced" }]);
    assert_eq!(bucket["OwnershipControls"]["Rules"], owner);
    for copy in [
        "VersioningConfiguration",
        "ReplicationConfiguration",
        "ObjectLockConfiguration",
        "InventoryConfigurations",
        "NotificationConfiguration",
    ] {
        assert!(bucket[copy].is_null(), "the overflow bucket has {copy}");
    }
    // S3 rounds up to the next midnight, so six are at most seven; a message stays four.
    let expiry = json!([{
        "Id": "expire", "Status": "Enabled", "ExpirationInDays": 6,
        "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 1 },
    }]);
    assert_eq!(bucket["LifecycleConfiguration"]["Rules"], expiry);
    let queue = template.properties("NotificationsQueue");
    let stays = queue["MessageRetentionPeriod"].as_i64().unwrap();
    assert!(stays < 6 * 86_400, "a pointer outlives its object");
}

#[test]
fn the_bucket_refuses_plain_transport_and_everybody_but_its_two_functions() {
    let template = Template::data();
    assert_eq!(
        template.ids_of("AWS::S3::BucketPolicy"),
        [
            "CheckpointsBucketPolicy",
            "ImportsBucketPolicy",
            "OverflowBucketPolicy"
        ]
    );
    let policy = template.properties("OverflowBucketPolicy");
    assert_eq!(target(&policy["Bucket"]), "OverflowBucket");
    let statements = many(&policy["PolicyDocument"]["Statement"]);
    let objects = "${OverflowBucket.Arn}/*";
    let denied = |sid: &str| {
        let statement = statements.iter().find(|statement| statement["Sid"] == sid);
        let statement = statement.unwrap_or_else(|| panic!("there is no {sid}"));
        assert_eq!(statement["Effect"], "Deny", "{sid}");
        assert_eq!(statement["Principal"], "*", "{sid}");
        let on: Vec<String> = many(&statement["Resource"])
            .into_iter()
            .map(target)
            .collect();
        (
            statement["Action"].clone(),
            on,
            statement["Condition"].clone(),
        )
    };
    assert_eq!(
        denied("TransportIsEncrypted"),
        (
            json!("s3:*"),
            vec!["OverflowBucket.Arn".to_owned(), objects.to_owned()],
            json!({ "Bool": { "aws:SecureTransport": "false" } })
        )
    );
    for (sid, actions, role) in [
        ("NobodyElseWrites", json!("s3:PutObject"), "webhook"),
        (
            "NobodyElseReads",
            json!([
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:GetObject",
                "s3:GetObjectVersion"
            ]),
            "notification-processor",
        ),
    ] {
        let (action, on, condition) = denied(sid);
        assert_eq!((action, on), (actions, vec![objects.to_owned()]), "{sid}");
        let exempt = many(&condition["ArnNotLike"]["aws:PrincipalArn"]);
        assert_eq!(exempt.len(), 1, "{sid}");
        let ends = format!(":role/${{Deployment}}-{role}");
        assert!(target(exempt[0]).ends_with(&ends), "{sid}");
    }
    assert_eq!(statements.len(), 3, "a bucket allows nobody by its policy");
}

#[test]
fn a_checkpoint_is_put_by_one_function_and_taken_away_by_nobody() {
    let template = Template::data();
    let bucket = template.properties("CheckpointsBucket");
    assert_eq!(bucket["ObjectLockEnabled"], true);
    assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
    let lock = &bucket["ObjectLockConfiguration"];
    assert_eq!(lock["ObjectLockEnabled"], "Enabled");
    let retention = &lock["Rule"]["DefaultRetention"];
    assert_eq!(retention["Mode"], "COMPLIANCE");
    assert_eq!(target(&retention["Years"]), "CheckpointYears");
    assert!(bucket["LifecycleConfiguration"].is_null());
    let policy = template.properties("CheckpointsBucketPolicy");
    let statements = many(&policy["PolicyDocument"]["Statement"]);
    assert!(
        statements
            .iter()
            .all(|statement| statement["Effect"] == "Deny")
    );
    let named = |sid: &str| {
        let statement = statements.iter().find(|statement| statement["Sid"] == sid);
        *statement.unwrap_or_else(|| panic!("there is no {sid}"))
    };
    let writes = named("NobodyElseWrites");
    assert_eq!(writes["Action"], "s3:PutObject");
    let exempt = many(&writes["Condition"]["ArnNotLike"]["aws:PrincipalArn"]);
    assert_eq!(exempt.len(), 1);
    assert!(target(exempt[0]).ends_with(":role/${Deployment}-ledger-checkpoint"));
    let deletes = named("NobodyDeletes");
    let both = json!(["s3:DeleteObject", "s3:DeleteObjectVersion"]);
    assert_eq!(deletes["Action"], both);
    assert!(deletes["Condition"].is_null());
    assert_eq!(deletes["Principal"], "*");
}

#[test]
fn files_of_earlier_consents_and_their_reports_go_within_seven_days() {
    let template = Template::data();
    let (imports, overflow) = (
        template.properties("ImportsBucket"),
        template.properties("OverflowBucket"),
    );
    for same in [
        "BucketEncryption",
        "PublicAccessBlockConfiguration",
        "OwnershipControls",
        "VersioningConfiguration",
        "ReplicationConfiguration",
        "LifecycleConfiguration",
    ] {
        assert_eq!(imports[same], overflow[same], "{same}");
    }
    // A report would start the function that wrote it.
    let notified = many(&imports["NotificationConfiguration"]["QueueConfigurations"]);
    assert_eq!(notified.len(), 2);
    for (of, prefix) in notified.iter().zip(["files/", "approvals/"]) {
        assert_eq!(target(&of["Queue"]), "ImportsQueue.Arn");
        let only = json!([{ "Name": "prefix", "Value": prefix }]);
        assert_eq!(of["Filter"]["S3Key"]["Rules"], only);
    }
}

#[test]
fn files_come_from_the_operator_and_are_read_by_their_function() {
    let template = Template::data();
    let policy = template.properties("ImportsBucketPolicy");
    let statements = many(&policy["PolicyDocument"]["Statement"]);
    assert_eq!(statements.len(), 6, "a bucket allows nobody by its policy");
    let everybody = &["consent-import", "operator", "approver"][..];
    for (sid, objects, roles) in [
        ("NobodyElseWrites", "*", everybody),
        ("NobodyElseReads", "*", everybody),
        // Whoever brings files approves of none, and the other way round; reports say who brought what.
        ("OnlyApproversApprove", "approvals/*", &["approver"]),
        ("OnlyOperatorsBringFiles", "files/*", &["operator"]),
        ("OnlyTheImportReports", "reports/*", &["consent-import"]),
    ] {
        let statement = statements.iter().find(|statement| statement["Sid"] == sid);
        let statement = statement.unwrap_or_else(|| panic!("there is no {sid}"));
        assert_eq!(statement["Effect"], "Deny", "{sid}");
        let on = target(&statement["Resource"]);
        assert_eq!(on, format!("${{ImportsBucket.Arn}}/{objects}"), "{sid}");
        let exempt = many(&statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"]);
        let exempt: Vec<String> = exempt.into_iter().map(target).collect();
        assert_eq!(exempt.len(), roles.len(), "{sid}");
        for (arn, role) in exempt.iter().zip(roles) {
            assert!(
                arn.ends_with(&format!(":role/${{Deployment}}-{role}")),
                "{sid}"
            );
        }
    }
}
