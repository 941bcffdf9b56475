//! Any order and repetition of a day's notifications ends in the same state.
//!
//! Meta promises neither order nor uniqueness and repeats for seven days. A day is made by chance and
//! handed over twice, to two deployments: once as it happened, once shuffled, with repetitions, cut into
//! notifications and batches anyhow. Compared is what `standing` counts as the state, without two estimates
//! that fold what arrives: how often in a row a person could not be reached, and the risk score
//! of a number. Everybody has said yes before: a START of somebody of whom nothing is known is
//! not remembered, so whoever says it before their first yes and their first no ends stricter.

use headgate_aws::subjects::ConsentRequest;
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::optin_code;
use headgate_domain::record::{RecordRef, ulid};
use headgate_domain::time::{DAY, HOUR, Timestamp};
use local_cloud::Calendar;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::standing::{Standing, standing};
use crate::world::{NUMBER, World, status, text};

/// When the day begins.
const MORNING: Timestamp = Timestamp::from_seconds(1_795_305_600);
const PEOPLE: [&str; 3] = ["+16135550100", "+16135550101", "+447700900123"];
const MESSAGES: [(usize, Purpose); 4] = [
    (0, Purpose::Marketing),
    (0, Purpose::Utility),
    (1, Purpose::Marketing),
    (2, Purpose::Marketing),
];

/// Something that happens, by Meta's clock.
#[derive(Clone, Debug)]
struct Happening {
    at: Timestamp,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Status(usize, &'static str, Option<u32>),
    Text(usize, &'static str),
    /// The person sends the code of the opt-in page.
    Confirm(usize),
    Switch(usize, &'static str),
    Notice(&'static str, Value),
}

impl What {
    /// Whether it opens something: of two that have the same second, the closing one wins.
    fn opens(&self) -> bool {
        matches!(
            self,
            Self::Confirm(_) | Self::Text(_, "START") | Self::Switch(_, "resume")
        )
    }

    /// What must not have two values in one second: a real account has not.
    fn object(&self) -> Option<String> {
        match self {
            Self::Notice(field, value) => Some(format!("{field} {}", value["event"].is_null())),
            Self::Status(..) | Self::Text(..) | Self::Confirm(_) | Self::Switch(..) => None,
        }
    }
}

fn what() -> impl Strategy<Value = What> {
    let person = 0..PEOPLE.len();
    let pick = |all: Vec<Value>| prop::sample::select(all);
    let number = json!({ "display_phone_number": "16135550199" });
    let with = |base: &Value, rest: &[(&str, Value)]| {
        let mut value = base.clone();
        for (name, part) in rest {
            value[*name] = part.clone();
        }
        value
    };
    let events = |base: &Value, words: &[&str]| {
        words
            .iter()
            .map(|word| with(base, &[("event", json!(word))]))
            .collect::<Vec<_>>()
    };
    let ban = |state: &str| json!({ "event": "DISABLED_UPDATE", "ban_info": { "waba_ban_state": state } });
    let restricted = |kind: &str, hours: i64| {
        json!({ "event": "ACCOUNT_RESTRICTION", "restriction_info": [
            { "restriction_type": kind, "expiration": MORNING.plus_millis(hours * HOUR).seconds() }] })
    };
    let template =
        json!({ "message_template_name": "autumn_sale", "message_template_language": "en_US" });
    let changed = |to: &str| {
        with(
            &template,
            &[
                ("previous_category", json!("UTILITY")),
                ("new_category", json!(to)),
            ],
        )
    };
    let tier = |limit: Value| json!({ "max_daily_conversations_per_business": limit });
    prop_oneof![
        8 => (0..MESSAGES.len(), prop::sample::select(vec![
            ("sent", None), ("delivered", None), ("read", None), ("failed", Some(131_026)), ("failed", Some(131_050)),
        ])).prop_map(|(message, (word, code))| What::Status(message, word, code)),
        6 => (person.clone(), prop::sample::select(vec!["STOP", "STOP ALL", "START", "hello"]))
            .prop_map(|(who, words)| match (who, words) {
                // A START before anything else is known of a person is no consent, and is not remembered.
                (2, "START") => What::Text(1, words),
                other => What::Text(other.0, other.1),
            }),
        2 => person.clone().prop_map(What::Confirm),
        3 => (person, prop::sample::select(vec!["stop", "resume"]))
            .prop_map(|(who, word)| What::Switch(who, word)),
        2 => pick(events(&template, &["APPROVED", "PAUSED", "PENDING", "DISABLED"]))
            .prop_map(|value| What::Notice("message_template_status_update", value)),
        1 => pick(vec![changed("MARKETING"), changed("UTILITY")])
            .prop_map(|value| What::Notice("template_category_update", value)),
        2 => pick(events(&number, &["THROUGHPUT_UPGRADE", "FLAGGED", "UNFLAGGED"]))
            .prop_map(|value| What::Notice("phone_number_quality_update", value)),
        1 => pick(vec![tier(json!("TIER_2K")), tier(json!(10_000)), tier(json!(-1))])
            .prop_map(|value| What::Notice("business_capability_update", value)),
        2 => pick(vec![ban("DISABLE"), ban("REINSTATE"), restricted("RESTRICTED_BIZ_INITIATED_MESSAGING", 30),
            restricted("RESTRICTED_UTILITY_TEMPLATES", 50), restricted("RESTRICTED_CUSTOMER_INITIATED_MESSAGING", 9)])
            .prop_map(|value| What::Notice("account_update", value)),
        1 => pick(vec![json!({ "decision": "APPROVED" }), json!({ "decision": "REJECTED" })])
            .prop_map(|value| What::Notice("account_review_update", value)),
    ]
}

/// A day: what happens, in the order in which it does.
fn day() -> impl Strategy<Value = Vec<Happening>> {
    // Often within one minute or second of something else, and sometimes hours apart.
    let when = prop_oneof![0_i64..6, 0_i64..90, 0_i64..86_400];
    prop::collection::vec((when, what()), 1..28).prop_map(|all| {
        let mut day: Vec<Happening> = all
            .into_iter()
            .map(|(second, what)| Happening {
                at: MORNING.plus_millis(second * 1000),
                what,
            })
            .collect();
        day.sort_by_key(|happening| (happening.at, !happening.what.opens()));
        let mut seen = std::collections::BTreeSet::new();
        day.retain(|happening| match happening.what.object() {
            Some(object) => seen.insert((happening.at, object)),
            None => true,
        });
        // A page gives each person one code.
        let mut confirmed = std::collections::BTreeSet::new();
        day.retain(|happening| {
            let What::Confirm(person) = happening.what else {
                return true;
            };
            confirmed.insert(person)
        });
        day
    })
}

/// How a day is handed over: which happenings, over and over, in which order; how many to a
/// notification, how many notifications to a batch.
#[derive(Clone, Debug)]
struct Delivery {
    order: Vec<usize>,
    cuts: Vec<(usize, usize)>,
}

fn delivery(happenings: usize) -> impl Strategy<Value = Delivery> {
    let again = prop::collection::vec(0..happenings, 0..happenings);
    let order = again
        .prop_map(move |again| (0..happenings).chain(again).collect::<Vec<_>>())
        .prop_shuffle();
    let cuts = prop::collection::vec((1_usize..5, 1_usize..4), 2 * happenings);
    (order, cuts).prop_map(|(order, cuts)| Delivery { order, cuts })
}

fn code(person: usize) -> String {
    optin_code::from_random([u8::try_from(person).unwrap() + 9; 7])
}

fn reference(message: usize) -> RecordRef {
    RecordRef {
        number: NUMBER.into(),
        lane: MESSAGES[message].1,
        shard: 0,
        ulid: ulid(MORNING, [u8::try_from(message).unwrap(); 10]),
    }
}

/// The entry of a notification.
fn entry(place: usize, happening: &Happening) -> Value {
    let at = happening.at;
    let metadata = json!({ "phone_number_id": NUMBER });
    let (field, member, update) = match &happening.what {
        What::Status(message, word, code) => {
            let update = status(&reference(*message).opaque(1), word, at, *code);
            ("messages", "statuses", update)
        }
        What::Text(person, words) => {
            let update = text(PEOPLE[*person], &format!("wamid.{place}"), at, words);
            ("messages", "messages", update)
        }
        What::Confirm(person) => {
            let words = format!("CONFIRM {}", code(*person));
            let update = text(PEOPLE[*person], &format!("wamid.{place}"), at, &words);
            ("messages", "messages", update)
        }
        What::Switch(person, word) => {
            let who = PEOPLE[*person].trim_start_matches('+');
            let update = json!({ "wa_id": who, "category": "marketing_messages", "value": word, "timestamp": at.seconds() });
            ("user_preferences", "user_preferences", update)
        }
        What::Notice(field, value) => {
            let changes = json!([{ "field": field, "value": value }]);
            return json!({ "id": "300000000000001", "time": at.seconds(), "changes": changes });
        }
    };
    let value = json!({ "messaging_product": "whatsapp", "metadata": metadata, member: [update] });
    json!({ "id": "300000000000001", "changes": [{ "field": field, "value": value }] })
}

fn notification(day: &[Happening], places: &[usize]) -> String {
    let entries: Vec<Value> = places
        .iter()
        .map(|place| entry(*place, &day[*place]))
        .collect();
    json!({ "object": "whatsapp_business_account", "entry": entries }).to_string()
}

/// A deployment at the end of the day, with people who have said yes the day before, and messages to them.
async fn world() -> World {
    let calendar = Calendar::system();
    calendar.set_offset_ms(MORNING.plus_millis(DAY + HOUR).millis() - calendar.now_ms());
    let world = World::start_at(calendar).await;
    let yesterday = MORNING.plus_millis(-HOUR);
    for (person, phone) in PEOPLE.iter().enumerate() {
        let at = yesterday.plus_millis(i64::try_from(person).unwrap());
        let subject = world.subject(phone).await;
        for purpose in [Purpose::Marketing, Purpose::Utility] {
            world.opt_in_to(purpose, &subject, at).await;
        }
    }
    for person in 0..PEOPLE.len() {
        let request = ConsentRequest {
            asks: vec![(Purpose::Marketing, None), (Purpose::Utility, None)],
            notice: "Maple Outfitters may write to me".into(),
            locale: "en".into(),
            requested_at: yesterday,
        };
        let hash = optin_code::hash(&code(person));
        world
            .requests()
            .put(&hash, &request, world.now().plus_millis(HOUR))
            .await
            .unwrap();
    }
    for (message, (person, _purpose)) in MESSAGES.iter().enumerate() {
        let id = u8::try_from(message).unwrap();
        world
            .record_as(&reference(message), PEOPLE[*person], id)
            .await;
    }
    world
}

/// The state at the end, with the moment each consent counts from.
async fn end(world: &World) -> Standing {
    let records: Vec<RecordRef> = (0..MESSAGES.len()).map(reference).collect();
    let mut all = standing(world, &PEOPLE, &records).await;
    all.retain(|what, _value| !what.ends_with("in a row"));
    for (place, phone) in PEOPLE.iter().enumerate() {
        let Some(person) = world.known(phone).await else {
            continue;
        };
        for purpose in PURPOSES {
            if let Some(consent) = person.consent(purpose) {
                all.insert(
                    format!("person {place}: since, {purpose}"),
                    consent.at.to_string(),
                );
            }
        }
    }
    all
}

async fn in_order(day: &[Happening]) -> Standing {
    let world = Box::pin(world()).await;
    for place in 0..day.len() {
        world.consume(&notification(day, &[place])).await;
    }
    end(&world).await
}

async fn anyhow(day: &[Happening], delivery: &Delivery) -> Standing {
    let world = Box::pin(world()).await;
    let mut rest = delivery.order.as_slice();
    let mut cuts = delivery.cuts.iter();
    while !rest.is_empty() {
        let (many, batch) = cuts.next().unwrap();
        let mut bodies = Vec::new();
        for _notification in 0..*batch {
            let (these, others) = rest.split_at((*many).min(rest.len()));
            rest = others;
            if !these.is_empty() {
                bodies.push(notification(day, these));
            }
        }
        let answer = world.deliver(&bodies, 1).await;
        assert!(answer.batch_item_failures.is_empty());
    }
    end(&world).await
}

fn cases() -> u32 {
    let all = std::env::var_os("HEADGATE_PROOF").is_some();
    let asked = std::env::var("HEADGATE_PROOF_CASES").ok();
    asked
        .and_then(|text| text.parse().ok())
        .unwrap_or(if all { 500 } else { 16 })
}

#[test]
fn any_order_and_repetition_of_a_day_ends_in_the_same_state() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let days = day().prop_flat_map(|day| {
        let delivery = delivery(day.len());
        (Just(day), delivery)
    });
    runner
        .run(&days, |(day, delivery)| {
            let (calm, wild) =
                runtime.block_on(async { tokio::join!(in_order(&day), anyhow(&day, &delivery)) });
            prop_assert_eq!(calm, wild);
            Ok(())
        })
        .unwrap();
}
