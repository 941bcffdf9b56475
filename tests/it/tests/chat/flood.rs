//! Whoever asks for everything, over and over: one request of a kind is open, and what is stored does not grow with
//! the asking.

use std::collections::{BTreeMap, BTreeSet};

use headgate_aws::privacy_requests::PrivacyRequests;
use headgate_domain::identity::SubjectId;
use headgate_domain::profiles::Right;
use headgate_domain::time::MINUTE;

use crate::erasure::{acquainted, by_both, who_wrote};
use crate::world::World;
use crate::{ADA, said, text};

const CHOICES: [&str; 5] = [
    "access",
    "rectification",
    "objection",
    "restriction",
    "erasure",
];
const FORMS: usize = 200;
const MESSAGES: usize = 60;

/// The message that the page gives for a choice.
async fn form(world: &World, choice: &str) -> String {
    let (status, page) = world
        .page("POST", "/requests", &format!("ask={choice}&lang=en"))
        .await;
    assert_eq!(status, 200);
    let message = page.split("<strong>").nth(1).unwrap();
    message.split('<').next().unwrap().to_owned()
}

/// Rows of the table of requests, by what they begin with.
async fn counted(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (place, _) in world.rows().await {
        let Some((_, row)) = place.split_once("-privacy-requests/") else {
            continue;
        };
        let kind = row.split(['#', '/']).next().unwrap().to_owned();
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn two_hundred_forms_and_sixty_messages_open_one_request_of_each_kind() {
    let world = World::start().await;
    acquainted(&world).await;
    let subject = SubjectId::parse(&who_wrote(&world, "my parcel is late").await).unwrap();
    let before = counted(&world).await;
    let rows = world.rows().await.len();
    let mut messages = Vec::with_capacity(FORMS);
    for n in 0..FORMS {
        messages.push(form(&world, CHOICES[n % CHOICES.len()]).await);
    }
    let forms = counted(&world).await;
    assert_eq!(forms["code"], FORMS, "each a row that runs out: {forms:?}");
    assert_eq!(forms.len(), before.len() + 1, "and nothing else: {forms:?}");

    // Two of three messages have a code of the page, the rest a guess.
    let mut sent = Vec::new();
    for (n, message) in messages.iter().take(MESSAGES).enumerate() {
        let guess = format!("PRIVACY {:0>10}", 7 * n);
        let is_guess = n % 3 == 2;
        let words = if is_guess { &guess } else { message };
        sent.extend((!is_guess).then_some(CHOICES[n % CHOICES.len()]));
        let id = format!("wamid.FLOOD{n}");
        let body = by_both(&said(ADA, &id, world.seconds(), &text(words)));
        world.notify(&id, &body).await;
    }
    // The queue hands all of them over at once, and again: two at once may get in each other's way.
    let mut failed = Vec::new();
    for _again in 0..5 {
        failed.push(world.failed_requests().await);
    }
    assert_eq!(failed.last(), Some(&0), "{failed:?}");
    let after = counted(&world).await;
    let (settings, aws) = world.of("PrivacyWorkerFunction");
    let table = settings.name("HEADGATE_TABLE_PRIVACY_REQUESTS").unwrap();
    let requests = PrivacyRequests::new(aws, table);
    let open = async || {
        let mut open = Vec::new();
        for right in Right::ALL {
            let found = requests.find_open(&subject, right).await.unwrap();
            open.extend(found.map(|request| request.right.word()));
        }
        open.sort_unstable();
        open
    };
    // An objection is done as soon as it is made; of the others one is open, whatever the queue brings.
    assert_eq!(
        open().await,
        ["access", "erasure", "rectification", "restriction"]
    );
    let objections = sent.iter().filter(|choice| **choice == "objection").count();
    assert_eq!(after["open"], 4, "{after:?}");
    assert!(after["request"] <= 4 + objections, "{after:?}");
    assert!(after["agenda"] <= 5, "{after:?}");
    assert_eq!(after["code"], FORMS, "a guess makes no row");
    assert_eq!(after.len(), 4, "{after:?}");

    // She is told of each request once, and has one copy.
    for _again in 0..3 {
        world.work_off().await;
    }
    let told = world.on_queue("-system").await;
    let told = |kind: &str| {
        let of_kind = told.iter().filter(|one| one["kind"] == kind);
        let about: BTreeSet<String> = of_kind.map(|one| one["token"].to_string()).collect();
        about.len()
    };
    for kind in [
        "privacy_export",
        "privacy_receipt",
        "privacy_rectification",
        "privacy_restriction",
    ] {
        assert_eq!(told(kind), 1, "{kind}");
    }
    assert!((1..=objections).contains(&told("privacy_objection")));
    let forms_and_messages = FORMS + MESSAGES;
    let grown = world.rows().await.len() - rows;
    assert!(grown < 2 * forms_and_messages, "{grown} rows");

    // With the erasure all of it is over.
    world.wait(6 * MINUTE);
    world.work_off().await;
    assert_eq!(open().await, Vec::<&str>::new());
    let places = world.places_with(subject.as_str()).await;
    let flood = places
        .iter()
        .filter(|place| place.contains("/open#") || place.contains("/request#"));
    assert_eq!(flood.count(), 0, "{places:?}");
}
