//! What a copy leaves out, and what it says of itself: where somebody else may have had the number, and where a law
//! keeps what would go.

use headgate_aws::privacy_requests::PrivacyRequests;
use headgate_aws::suppression::Suppression;
use headgate_domain::do_not_call::RegisterCheck;
use headgate_domain::identity::{Identifier, Phone, SubjectId};
use headgate_domain::privacy::{Hold, HoldId, RequestId, Scope, State};
use headgate_domain::time::{DAY, HOUR, MINUTE, Timestamp};
use serde_json::Value;

use crate::access::{link_of, told};
use crate::erasure::{acquainted, by_both, who_wrote};
use crate::world::World;
use crate::{ADA, answer, said, text};

/// Ada writes something, from an account with a key; when.
async fn writes(world: &World, id: &str, key: Option<&str>, words: &str) -> Timestamp {
    let at = world.seconds();
    let mut body = by_both(&said(ADA, id, at, &text(words)));
    if let Some(key) = key {
        let contact = &mut body["entry"][0]["changes"][0]["value"]["contacts"][0];
        contact["identity_key_hash"] = key.into();
    }
    world.notify(id, &body).await;
    // Meta's times are whole seconds.
    world.wait(2_000);
    Timestamp::from_seconds(at)
}

async fn state_of(world: &World, request: &RequestId) -> Option<State> {
    let (settings, aws) = world.of("PrivacyWorkerFunction");
    let table = settings.name("HEADGATE_TABLE_PRIVACY_REQUESTS").unwrap();
    let found = PrivacyRequests::new(aws, table).find(request).await;
    found.unwrap().map(|request| request.state)
}

/// The address of the copy that was made after those that were seen, and its request.
async fn next_copy(world: &World, seen: &mut Vec<String>) -> (String, RequestId) {
    world.receive_requests().await;
    world.work_off().await;
    let mut requests = told(world).await;
    requests.retain(|request| !seen.contains(request));
    assert_eq!(requests.len(), 1, "one more copy");
    let link = link_of(world, &requests[0]).await;
    let asked = RequestId::parse(&requests[0]).unwrap();
    seen.append(&mut requests);
    (format!("/e/{}", link.reveal()), asked)
}

/// A volume of a copy as the file, which is what the schema says.
async fn file(world: &World, path: &str, volume: usize) -> Value {
    let form = format!("as=file&volume={volume}");
    let (status, file) = world.page("POST", path, &form).await;
    assert_eq!(status, 200);
    let copy: Value = serde_json::from_str(&file).unwrap();
    let wrong: Vec<String> = World::schema("export.v1.json")
        .iter_errors(&copy)
        .map(|e| e.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    copy
}

/// The copy that was made after those that were seen, as the file and as the page.
async fn fetched(world: &World, seen: &mut Vec<String>) -> (Value, String) {
    let (path, asked) = next_copy(world, seen).await;
    let copy = file(world, &path, 1).await;
    let ended = if copy["leaves_out_before"].is_null() {
        State::Fulfilled
    } else {
        State::PartiallyFulfilled
    };
    assert_eq!(state_of(world, &asked).await, Some(ended));
    let (status, page) = world.page("POST", &path, "as=page").await;
    assert_eq!(status, 200);
    (copy, page)
}

/// The words of the messages in a copy.
fn words(copy: &Value) -> Vec<&str> {
    let messages = copy["messages"].as_array().unwrap().iter();
    messages
        .filter_map(|one| one["message"]["text"]["body"].as_str())
        .collect()
}

fn sales(copy: &Value) -> usize {
    let messages = copy["messages"].as_array().unwrap().iter();
    let sale = |one: &&Value| one["template"] == "autumn_sale";
    messages.filter(sale).count()
}

/// Nothing of what was known before is in the copy, and both of its forms say since when it is.
fn is_guarded(copy: &Value, page: &str, since: Timestamp) {
    assert_eq!(copy["leaves_out_before"], since.to_string());
    assert_eq!(copy["choices"], serde_json::json!([]));
    assert_eq!(copy["proofs"], serde_json::json!([]));
    assert_eq!(copy["you"]["known_since"], Value::Null);
    assert_eq!(copy["you"]["phone"], format!("+{ADA}"));
    assert_eq!(
        sales(copy),
        0,
        "the business had written to whoever was there"
    );
    let since = since.to_string().replace('T', " ");
    let minute = since.get(..16).unwrap();
    let said = format!("What is from before {minute} UTC is left out");
    assert!(page.contains(&said), "{said}");
    assert!(!page.contains("autumn_sale"));
}

#[tokio::test]
async fn whose_account_changed_gets_what_is_from_since_then_alone() {
    let (world, mut seen) = (World::start().await, Vec::new());
    acquainted(&world).await;
    writes(&world, "wamid.K1", Some("DF2lS5v2W6x="), "from before").await;
    // Of the same account a copy has all of it.
    writes(&world, "wamid.ASK1", None, "my data").await;
    let (copy, page) = fetched(&world, &mut seen).await;
    assert_eq!(copy["leaves_out_before"], Value::Null);
    assert!(words(&copy).contains(&"from before") && sales(&copy) > 0);
    assert!(page.contains("from before</p>") && !page.contains("is left out"));

    world.wait(25 * HOUR);
    world.mint().await;
    let since = writes(&world, "wamid.K2", Some("x6W2v5Sl2FD="), "the first since").await;
    writes(&world, "wamid.K3", Some("x6W2v5Sl2FD="), "and the next").await;
    writes(&world, "wamid.ASK2", None, "my data").await;
    let (copy, page) = fetched(&world, &mut seen).await;
    is_guarded(&copy, &page, since);
    let expected = ["the first since", "and the next", "my data"];
    assert_eq!(words(&copy), expected);
    assert!(!page.contains("from before</p>") && page.contains("and the next</p>"));
}

#[tokio::test]
async fn who_writes_again_after_a_year_gets_what_is_from_since_then_alone() {
    let (world, mut seen) = (World::start().await, Vec::new());
    acquainted(&world).await;
    world.send().await;
    world.wait(360 * DAY);
    world.mint().await;
    // The business goes on writing, for nobody has said no.
    let accepted = answer(&world, ADA, "sale-of-the-year").await;
    assert_eq!(accepted["type"], "message.accepted", "{accepted}");
    world.send().await;
    world.wait(6 * DAY);
    world.mint().await;
    let since = writes(&world, "wamid.BACK", None, "hello after a year").await;
    writes(&world, "wamid.ASK", None, "my data").await;
    let rows = world.rows().await;
    let sent = rows.iter().any(|(_, text)| text.contains("autumn_sale"));
    assert!(sent, "it is within its ninety days");
    let (copy, page) = fetched(&world, &mut seen).await;
    is_guarded(&copy, &page, since);
    assert_eq!(words(&copy), ["hello after a year", "my data"]);
}

#[tokio::test]
async fn a_copy_of_somebody_under_a_legal_hold_says_so() {
    let (world, mut seen) = (World::start().await, Vec::new());
    acquainted(&world).await;
    writes(&world, "wamid.ASK1", None, "my data").await;
    let (copy, page) = fetched(&world, &mut seen).await;
    assert_eq!(copy["under_legal_hold"], false);
    assert!(!page.contains("legal claim"));

    let subject = who_wrote(&world, "my parcel is late").await;
    let (settings, aws) = world.of("PrivacyWorkerFunction");
    let table = settings.name("HEADGATE_TABLE_PRIVACY_REQUESTS").unwrap();
    let placed_at = Timestamp::from_seconds(world.seconds());
    let hold = Hold {
        id: HoldId::from_random([7; 12]),
        scope: Scope::Subject(SubjectId::parse(&subject).unwrap()),
        reason: "claim C-17".to_owned(),
        approver: "general counsel".to_owned(),
        placed_at,
        expires_at: placed_at.plus_millis(90 * DAY),
        lifted_at: None,
    };
    hold.check().unwrap();
    let requests = PrivacyRequests::new(aws, table);
    requests.place_hold(&hold).await.unwrap();
    world.wait(25 * HOUR);
    world.mint().await;
    writes(&world, "wamid.ASK2", None, "my data").await;
    let (copy, page) = fetched(&world, &mut seen).await;
    assert_eq!(copy["under_legal_hold"], true);
    assert!(page.contains("legal claim obliges Maple Outfitters"));
    assert!(
        words(&copy).contains(&"my parcel is late"),
        "and has it all"
    );
    for secret in ["claim C-17", "general counsel"] {
        assert!(!copy.to_string().contains(secret), "why is not theirs");
    }
}

/// What is stored of a person beside what they said: what registers answered about their number.
#[tokio::test]
async fn a_copy_has_what_registers_said_and_what_a_law_has_people_told() {
    let (world, mut seen) = (World::start().await, Vec::new());
    acquainted(&world).await;
    let (settings, aws) = world.of("IntakeFunction");
    let list = Suppression::new(aws, settings.name("HEADGATE_TABLE_SUPPRESSION").unwrap());
    let now = Timestamp::from_seconds(world.seconds());
    let number = Identifier::Phone(Phone::parse(&format!("+{ADA}")).unwrap());
    for key in world.consents().await.suppression_keys(&number) {
        for (registry, listed) in [("US_NATIONAL_DNC", false), ("CA_NATIONAL_DNCL", true)] {
            let check = RegisterCheck {
                registry: registry.to_owned(),
                checked_on: now.day(),
                listed,
            };
            let until = now.plus_millis(30 * DAY);
            list.note_check(&key, &check, until).await.unwrap();
        }
    }
    let (_, form) = world.page("POST", "/requests", "ask=access&lang=de").await;
    let code = form.split("<strong>").nth(1).unwrap();
    let code = code.split('<').next().unwrap();
    writes(&world, "wamid.ASK1", None, code).await;
    let (copy, page) = fetched(&world, &mut seen).await;
    let day = now.day().to_string();
    assert_eq!(
        copy["registers"],
        serde_json::json!([
            { "registry": "CA_NATIONAL_DNCL", "checked_on": day, "listed": true },
            { "registry": "US_NATIONAL_DNC", "checked_on": day, "listed": false },
        ])
    );
    assert!(page.contains("CA_NATIONAL_DNCL") && page.contains("not on the list"));
    let sources = copy["sources"].as_array().unwrap();
    assert!(sources.iter().any(|source| source == "registers"));
    // In the language that was asked in, with the name of the business.
    assert_eq!(copy["language"], "de");
    let told = |name: &str, at: usize, of: &str| copy[name][at][of].as_str().unwrap().to_owned();
    assert_eq!(told("purposes", 0, "what"), "Neuigkeiten und Angebote");
    assert!(told("retention", 0, "how_long").starts_with("90 Tage"));
    let rights = copy["rights"].as_array().unwrap();
    assert!(rights.len() >= 4, "{rights:?}");
    let authority = &copy["complaints"]["authorities"][0];
    assert_eq!(authority["country"], "CA");
    assert!(!copy.to_string().contains("{business}"));
    let classes = copy["categories"].as_array().unwrap();
    assert!(classes.iter().any(|class| class == "message_content"));

    // Whoever has the number since is not told what was asked about the one before.
    world.wait(25 * HOUR);
    world.mint().await;
    writes(&world, "wamid.K1", Some("DF2lS5v2W6x="), "hello").await;
    world.wait(MINUTE);
    writes(&world, "wamid.K2", Some("x6W2v5Sl2FD="), "hello").await;
    writes(&world, "wamid.ASK2", None, "my data").await;
    let (copy, _page) = fetched(&world, &mut seen).await;
    assert_eq!(copy["registers"], serde_json::json!([]));
    assert!(
        copy["sources"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one != "registers")
    );
}

/// An answer of Lambda's ends at 6 MB: what is more comes in volumes, each a document by itself.
#[tokio::test]
async fn a_copy_that_fits_no_answer_comes_in_volumes_each_of_them_three_times() {
    let (world, mut seen) = (World::start().await, Vec::new());
    acquainted(&world).await;
    // What takes most room on a page.
    let long = |n: usize| format!("{n:02} {}", "&".repeat(50_000));
    for n in 0..30 {
        writes(&world, &format!("wamid.LONG{n}"), None, &long(n)).await;
    }
    writes(&world, "wamid.ASK", None, "my data").await;
    let (path, _) = next_copy(&world, &mut seen).await;
    let part = |volume: usize| format!("Part {volume} of 2");
    let (mut all, mut choices) = (Vec::new(), Vec::new());
    for volume in [1, 2] {
        let (_, door) = world.page("GET", &path, "").await;
        let offered = [1, 2].map(|one| door.contains(&part(one)));
        assert_eq!(
            offered,
            [volume == 1, true],
            "what was fetched three times is gone"
        );
        let (status, page) = world
            .page("POST", &path, &format!("as=page&volume={volume}"))
            .await;
        assert!(status == 200 && page.contains(&part(volume)));
        let copy = file(&world, &path, volume).await;
        assert_eq!(copy, file(&world, &path, volume).await);
        assert_eq!(
            copy["volume"],
            serde_json::json!({ "number": volume, "of": 2 })
        );
        all.extend(words(&copy).into_iter().map(str::to_owned));
        choices.push(copy["choices"].clone());
        // Once more: what is left of it is offered, and nothing of what is not.
        for form in ["as=page&volume=", "as=file&volume="] {
            for other in [volume, 0, 3, 99_999] {
                let (status, page) = world.page("POST", &path, &format!("{form}{other}")).await;
                assert_eq!(status, if volume == 1 { 200 } else { 410 });
                assert_eq!(page.contains(&part(2)), volume == 1);
                assert!(!page.contains(&part(1)) && !page.contains("&amp;&amp;"));
            }
        }
    }
    assert_eq!(world.page("GET", &path, "").await.0, 410);
    let expected: Vec<String> = (0..30).map(long).chain(["my data".to_owned()]).collect();
    let written: Vec<&String> = all
        .iter()
        .filter(|words| expected.contains(words))
        .collect();
    assert_eq!(written, expected.iter().collect::<Vec<_>>());
    assert_eq!(choices[0], choices[1], "each is a whole document");
}
