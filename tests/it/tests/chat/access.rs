//! "What do you know about me": a copy of everything, for the person alone.

use std::collections::BTreeSet;

use headgate_aws::peppers::pepper;
use headgate_domain::identity::{Identifier, Phone};
use headgate_domain::optin_code;
use headgate_domain::privacy::{ExportLink, RequestId};
use headgate_domain::time::{DAY, HOUR, MINUTE};
use serde_json::Value;

use crate::erasure::{acquainted, by_both, who_wrote};
use crate::world::World;
use crate::{ADA, BOB, answer, said, text};

/// The link to the copy of a request, which only the message to the person carries.
pub(crate) async fn link_of(world: &World, request: &str) -> ExportLink {
    let (settings, aws) = world.of("PrivacyWebFunction");
    let name = |variable: &'static str| settings.name(variable).unwrap().to_owned();
    let deployment = name("HEADGATE_DEPLOYMENT");
    let links = pepper(aws, &name("HEADGATE_KMS_MAC_LINKS"), &deployment).await;
    let request = RequestId::parse(request).unwrap();
    ExportLink::of(&links.unwrap(), &deployment, request.as_str())
}

/// The references of the copies people were told of.
pub(crate) async fn told(world: &World) -> Vec<String> {
    let queued = world.on_queue("-system").await;
    let of_kind = queued.iter().filter(|one| one["kind"] == "privacy_export");
    of_kind
        .map(|one| one["token"].as_str().unwrap().to_owned())
        .collect()
}

async fn asks(world: &World, id: &str, words: &str) {
    let ask = by_both(&said(ADA, id, world.seconds(), &text(words)));
    world.notify(id, &ask).await;
    world.receive_requests().await;
    world.work_off().await;
}

#[tokio::test]
async fn a_copy_has_everything_and_is_behind_a_link_that_only_the_person_has() {
    let world = World::start().await;
    acquainted(&world).await;
    asks(&world, "wamid.MINE", "my data").await;
    let requests = told(&world).await;
    assert_eq!(requests.len(), 1);
    let first = requests[0].clone();
    let before = world.arrivals().len();
    world.answer_people().await;
    world.send().await;
    assert!(
        world.arrivals().len() > before,
        "the person is told where it is"
    );
    let link = link_of(&world, &requests[0]).await;
    let places = world.places_with(link.reveal()).await;
    assert_eq!(places, Vec::<String>::new(), "the link stands nowhere");
    let places = world.places_with("my parcel is late").await;
    assert!(
        places.iter().all(|place| place.contains("-app-events")),
        "{places:?}"
    );

    let path = format!("/e/{}", link.reveal());
    for _ in 0..5 {
        let (status, page) = world.page("GET", &path, "").await;
        assert_eq!(status, 200);
        assert!(
            page.contains("value=\"file\"") && !page.contains("parcel"),
            "a preview sees nothing"
        );
    }
    let (status, copy) = world.page("POST", &path, "as=file").await;
    assert_eq!(status, 200);
    let copy: Value = serde_json::from_str(&copy).unwrap();
    let wrong: Vec<String> = World::schema("export.v1.json")
        .iter_errors(&copy)
        .map(|e| e.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(copy["you"]["phone"], format!("+{ADA}"));
    assert_eq!(copy["choices"][0]["state"], "given");
    assert_eq!(copy["choices"][0]["topic"], "offers");
    assert!(
        copy["proofs"].as_array().unwrap().len() >= 2,
        "{}",
        copy["proofs"]
    );
    let messages = copy["messages"].as_array().unwrap();
    let words = |one: &&Value| one["message"]["text"]["body"] == "my parcel is late";
    assert_eq!(
        messages.iter().find(words).unwrap()["direction"],
        "from_you"
    );
    let sale = |one: &&Value| one["template"] == "autumn_sale" && one["direction"] == "to_you";
    assert_eq!(messages.iter().filter(sale).count(), 2);
    assert!(messages.is_sorted_by_key(|one| one["at"].as_str().unwrap().to_owned()));
    assert!(
        !copy.to_string().contains("wamid."),
        "Meta's ids hold the number of the business, too"
    );

    let (status, page) = world.page("POST", &path, "as=page").await;
    assert!(status == 200 && page.contains("my parcel is late") && page.contains("autumn_sale"));
    assert_eq!(world.page("POST", &path, "as=file").await.0, 200);
    assert_eq!(
        world.page("POST", &path, "as=file").await.0,
        410,
        "three times and no more"
    );
    assert_eq!(world.page("GET", &path, "").await.0, 410);

    // Whoever asks all day gets one copy a day.
    for n in 0..5 {
        asks(&world, &format!("wamid.MORE{n}"), "my data").await;
    }
    assert_eq!(told(&world).await.len(), 1);
    world.wait(25 * HOUR);
    world.mint().await;
    asks(&world, "wamid.NEXT", "my data").await;
    let requests = told(&world).await;
    assert_eq!(requests.len(), 2);
    let fresh = requests.iter().find(|one| **one != first).unwrap();
    let link = link_of(&world, fresh).await;
    let path = format!("/e/{}", link.reveal());
    world.wait(4 * DAY);
    assert_eq!(
        world.page("POST", &path, "as=file").await.0,
        410,
        "and not after three days"
    );
}

#[tokio::test]
async fn a_code_of_the_page_is_the_request_of_whoever_sends_it_and_of_nobody_else() {
    let world = World::start().await;
    acquainted(&world).await;
    let rows = world.rows().await;
    let ask = async || {
        let (status, page) = world.page("POST", "/requests", "ask=access&lang=en").await;
        assert_eq!(status, 200);
        let code = optin_code::find_privacy_in(
            page.split("<strong>")
                .nth(1)
                .unwrap()
                .split('<')
                .next()
                .unwrap(),
        );
        let reference = page
            .split("/r/")
            .nth(1)
            .unwrap()
            .split('?')
            .next()
            .unwrap()
            .to_owned();
        (code.unwrap(), reference)
    };
    // A thousand visits name nobody and tell nobody.
    for _ in 0..20 {
        ask().await;
    }
    world.work_off().await;
    assert!(told(&world).await.is_empty());
    let new = world.rows().await;
    let codes = new.iter().filter(|(place, _)| place.contains("/code#"));
    assert_eq!(codes.count(), 20, "each a row that runs out");
    let rest = new.iter().filter(|row| !rows.contains(row));
    assert!(
        rest.clone()
            .all(|(place, _)| place.contains("/code#") || place.contains("/~calendar")),
        "{:?}",
        rest.map(|(place, _)| place).collect::<Vec<_>>()
    );

    let (code, reference) = ask().await;
    let status = format!("/r/{reference}");
    let unknown = world.page("GET", &status, "").await;
    let never = world
        .page("GET", &format!("/r/dsr_{}", "a".repeat(20)), "")
        .await;
    assert_eq!(unknown, never, "no oracle");
    let words = format!("Send me a copy of my data. PRIVACY {}", code.to_lowercase());
    // Whoever sends it once it is used asks for nothing, while the copy is being made and when it is.
    let stranger = async |id: &str, words: &str| {
        let body = said(BOB, id, world.seconds(), &text(words));
        world.notify(id, &body).await;
        world.receive_requests().await;
    };
    let first = by_both(&said(ADA, "wamid.CODE", world.seconds(), &text(&words)));
    world.notify("code", &first).await;
    world.receive_requests().await;
    stranger("wamid.USED", &words).await;
    assert_eq!(world.work_off().await, 1, "one request is open");
    stranger("wamid.LATE", &words).await;
    assert_eq!(world.work_off().await, 0);
    assert_eq!(told(&world).await, [reference.as_str()]);
    let (_, page) = world.page("GET", &status, "").await;
    assert!(page != unknown.1 && !page.contains(ADA), "{page}");

    // An old code is nobody's, and a guess is none.
    let (old, _reference) = ask().await;
    world.wait(31 * MINUTE);
    stranger("wamid.OLD", &format!("PRIVACY {old}")).await;
    stranger("wamid.GUESS", "PRIVACY 0000000000").await;
    assert_eq!(world.work_off().await, 0);
    assert_eq!(told(&world).await, [reference.as_str()]);
    // With one of their own they have a copy of their own.
    let (own, theirs) = ask().await;
    stranger("wamid.OWN", &format!("PRIVACY {own}")).await;
    assert_eq!(world.work_off().await, 1);
    let made: BTreeSet<String> = told(&world).await.into_iter().collect();
    assert_eq!(made, BTreeSet::from([reference, theirs]));
}

/// The code is used up by the message that has it first, and it is about whoever sent that.
#[tokio::test]
async fn a_used_code_from_another_phone_erases_nobody() {
    let world = World::start().await;
    acquainted(&world).await;
    let hello = said(
        BOB,
        "wamid.HELLO",
        world.seconds(),
        &text("hello, it is Bob"),
    );
    world.notify("hello", &hello).await;
    let (ada, bob) = (
        who_wrote(&world, "my parcel is late").await,
        who_wrote(&world, "hello, it is Bob").await,
    );
    let (_, page) = world.page("POST", "/requests", "ask=erasure&lang=en").await;
    let message = page.split("<strong>").nth(1).unwrap();
    let message = message.split('<').next().unwrap().to_owned();
    let of = |id: &str, from: &str| said(from, id, world.seconds(), &text(&message));
    world
        .notify("first", &by_both(&of("wamid.FIRST", ADA)))
        .await;
    world.receive_requests().await;
    // While it waits, and again when it is done.
    world.notify("second", &of("wamid.SECOND", BOB)).await;
    world.receive_requests().await;
    world.wait(6 * MINUTE);
    assert_eq!(world.work_off().await, 1, "one request is open");
    world.notify("third", &of("wamid.THIRD", BOB)).await;
    world.receive_requests().await;
    world.wait(6 * MINUTE);
    assert_eq!(world.work_off().await, 0);
    let told = world.on_queue("app-events").await;
    let erased: Vec<&Value> = told
        .iter()
        .filter(|event| event["type"] == "subject.erased")
        .map(|event| &event["subject"])
        .collect();
    assert_eq!(erased, [&Value::from(ada)]);
    let number = Phone::parse(&format!("+{BOB}")).unwrap();
    let consents = world.consents().await;
    let found = consents.subjects().find(&Identifier::Phone(number)).await;
    assert_eq!(found.unwrap().unwrap().as_str(), bob);
    let refused = answer(&world, BOB, "offer").await;
    assert_eq!(refused["data"]["code"], "no_consent", "he has said nothing");
}
