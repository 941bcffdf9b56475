//! A legal hold on somebody of whom only the number is known: placed, listed, handed out, lifted, as the command does.

use headgate_aws::evidence::Evidence;
use headgate_aws::privacy_requests::PrivacyRequests;
use headgate_aws::subjects::Pointers;
use headgate_domain::identity::{Identifier, Phone};
use headgate_domain::privacy::{Hold, HoldId, Scope, Task};
use headgate_domain::time::DAY;
use headgate_testkit::people;
use serde_json::json;

use crate::list::{APP, CODES, NAMES, PHONES};
use crate::world::World;

pub(crate) async fn by_number(world: &World) {
    let went = |way: &str| world.went("privacy-worker", way);
    let environment = world.environment("PrivacyWorkerFunction");
    let setting = |name: &str| environment[name].as_str();
    let aws = &world.stage.aws;
    let requests = PrivacyRequests::new(aws, setting("HEADGATE_TABLE_PRIVACY_REQUESTS"));
    let evidence = Evidence::new(aws, setting("HEADGATE_TABLE_EVIDENCE"));
    let intake = world.environment("IntakeFunction");
    let peppers = people::peppers(aws, &intake, "HEADGATE_KMS_MAC_IDENTITY", world.now()).await;
    let pointers = Pointers::new(aws, setting("HEADGATE_TABLE_SUBJECTS"), peppers);
    world.put_in(PHONES[0]);
    let number = Identifier::Phone(Phone::parse(PHONES[0]).unwrap());
    let subject = pointers.find(&number).await.unwrap().unwrap();

    let now = world.now();
    let mut hold = Hold {
        id: HoldId::from_random([7; 12]),
        scope: Scope::Subject(subject),
        reason: format!("about {}", PHONES[0]),
        approver: "general counsel".to_owned(),
        placed_at: now,
        expires_at: now.plus_millis(30 * DAY),
        lifted_at: None,
    };
    // Whoever writes the number into the reason is refused, and it is not repeated.
    let refused = hold.check().unwrap_err();
    world.keep("error of a hold", &format!("{refused} {refused:?}"));
    "claim C-17".clone_into(&mut hold.reason);
    hold.check().unwrap();
    requests.place_hold(&hold).await.unwrap();
    let work = async || {
        let event = json!({ "detail": { NAMES[0]: PHONES[0] }, "resources": [APP[0], CODES[0]] });
        world
            .cloud()
            .invoke("PrivacyWorkerFunction", event)
            .await
            .unwrap();
    };
    world
        .until("what there is of somebody is held", async || {
            work().await;
            !evidence.held(&hold.id).await.unwrap().is_empty()
        })
        .await;
    went("held");
    let listed = requests.holds().await.unwrap();
    assert!(listed.contains(&hold));
    world.keep("list of holds", &format!("{listed:?}"));

    requests
        .plan(&Task::Disclose(hold.id.clone()), world.now())
        .await
        .unwrap();
    world
        .until("a copy of what is held is made", async || {
            work().await;
            requests.disclosed(&hold.id).await.unwrap().is_some()
        })
        .await;
    let link = requests.disclosed(&hold.id).await.unwrap().unwrap();
    let browser = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Sec-Fetch-Site", "same-origin"),
        ("User-Agent", CODES[1]),
    ];
    // The copy itself is for whoever has the link: all of it is what was asked for.
    let copy = world
        .ask_for(
            "PrivacyApi",
            &format!("POST /e/{link}"),
            &browser,
            b"as=file",
            |text| text.split_once("\r\n\r\n").unwrap().1.to_owned(),
        )
        .await;
    assert!(
        copy.contains(PHONES[0]),
        "what is held has no number of its person"
    );
    went("held copy made");

    assert!(requests.lift_hold(&hold.id, world.now()).await.unwrap());
    world
        .until("what was held is destroyed", async || {
            work().await;
            evidence.held(&hold.id).await.unwrap().is_empty()
        })
        .await;
    went("hold over");
}
