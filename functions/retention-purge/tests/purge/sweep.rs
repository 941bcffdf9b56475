//! The sweep: everything of a day goes with its key, whatever it is and whoever's it was, and nothing younger.

use headgate_aws::messages::{Idempotency, Inbound, Part, Settlement};
use headgate_domain::identity::Pseudonym;
use headgate_domain::retention::sweep_before;
use headgate_domain::time::SECOND;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A number that is in no configuration.
const OTHER: &str = "106540352242999";

fn pseudonym(kind: &str, n: u8) -> Pseudonym {
    Pseudonym::parse(&format!(
        "{kind}_{}",
        format!("{n:02x}").repeat(32).get(..43).unwrap()
    ))
    .unwrap()
}

fn written(at: Timestamp, n: u8, body: Vec<u8>) -> Inbound {
    Inbound {
        reference: pseudonym("m1", n),
        subject: SubjectId::from_random([7; 16]),
        at,
        kind: "text".to_owned(),
        day: at.day(),
        body,
        done: false,
    }
}

/// Somebody writes, and an app uses an id.
pub(super) async fn write_and_claim(world: &World, n: u8) {
    let (messages, now) = (world.messages(), world.now());
    messages
        .put_inbound(&written(now, n, vec![n]))
        .await
        .unwrap();
    let record = record(now, n);
    let whose = (&record.reference, &record.subject);
    let claimed = messages
        .claim_id(&pseudonym("i1", n), whose, "mac", now)
        .await
        .unwrap();
    assert_eq!(claimed, Idempotency::Fresh);
}

/// The oldest day of any row in the messages table, and how many rows there are.
pub(super) async fn days_of_rows(world: &World) -> (Day, usize) {
    let table = world.name("HEADGATE_TABLE_MESSAGES");
    let rows = world.cloud.items(table).await.unwrap();
    let days = rows
        .iter()
        .map(|row| Day::parse(row["day"]["S"].as_str().unwrap()).unwrap());
    (days.min().unwrap(), rows.len())
}

/// What a run found in a store, and whether none is left.
fn of(manifest: &Manifest, store: Store) -> Option<(u64, u64, bool)> {
    let of_store = manifest.stores.iter().find(|known| known.store == store)?;
    Some((of_store.matched, of_store.deleted, of_store.is_complete))
}

#[tokio::test]
async fn what_people_wrote_and_the_ids_of_apps_go_with_their_day_and_no_sooner() {
    let world = World::new().await;
    world.configure().await;
    let purge = world.purge().await;
    run(&purge).await;
    let (first, messages) = (world.now(), world.messages());
    let (_salt, body) = sealed(&world.keyring(), first.day()).await;
    let table = world.name("HEADGATE_TABLE_MESSAGES").to_owned();
    for n in 0..40 {
        write_and_claim(&world, n).await;
    }
    let with_body = written(first, 40, body);
    messages.put_inbound(&with_body).await.unwrap();
    // As a version before the index wrote it: DynamoDB's own deletion takes it.
    let old = serde_json::json!({ "pk": { "S": "N#m1_old" }, "sk": { "S": "N" },
        "day": { "S": first.day().to_string() }, "ttl": { "N": "1" } });
    world.cloud.load(&table, vec![old]).await.unwrap();
    world.pass(DAY);
    for n in 100..103 {
        write_and_claim(&world, n).await;
    }

    world.pass((CONTENT_DAYS - 1) * DAY - 9 * HOUR - 1);
    assert!(run(&purge).await.stores.is_empty(), "a millisecond early");
    world.pass(1);
    let before = sweep_before(world.now());
    let mut counted = BTreeMap::new();
    for part in Part::of_index() {
        let page = messages.count_sweep(part, before, None).await.unwrap();
        for (store, rows) in page.rows {
            *counted.entry(store).or_insert(0) += rows;
        }
    }
    let expected = [(Store::Inbound, 41), (Store::Idempotency, 40)];
    assert_eq!(counted, BTreeMap::from(expected), "as a dry run tells it");
    let manifest = run(&purge).await;
    assert_eq!(of(&manifest, Store::Inbound), Some((41, 41, true)));
    assert_eq!(of(&manifest, Store::Idempotency), Some((40, 40, true)));
    assert_eq!(of(&manifest, Store::Outbox), None);
    assert!(manifest.tried > 0, "what people wrote was sealed");
    assert_eq!(world.manifests().await.last(), Some(&manifest));
    let (oldest, rows) = days_of_rows(&world).await;
    assert_eq!(
        (oldest, rows),
        (first.day(), 7),
        "three of each, and the old one"
    );
    assert_eq!(world.cloud.sweep_expired().await.unwrap(), 1);
    let (oldest, rows) = days_of_rows(&world).await;
    assert_eq!((oldest, rows), (first.day().plus(1), 6));
    // A new process finds nothing left.
    assert!(!run(&world.purge().await).await.changed_something());
}

#[tokio::test]
async fn something_a_person_wrote_whose_key_still_exists_fails_the_run() {
    let world = World::new().await;
    let purge = world.purge().await;
    run(&purge).await;
    let (_salt, body) = sealed(&world.keyring(), world.now().day().plus(1)).await;
    let stray = written(world.now(), 1, body);
    world.messages().put_inbound(&stray).await.unwrap();
    world.pass(CONTENT_DAYS * DAY - 9 * HOUR);
    let failed = purge.handle(Value::Null).await;
    assert_eq!(failed.err(), Some(PurgeError::StillOpens));
}

#[tokio::test]
async fn the_outbox_of_a_number_that_left_the_configuration_is_swept_too() {
    let world = World::new().await;
    world.configure().await;
    let purge = world.purge().await;
    let messages = world.messages();
    messages.put(&record(world.now(), 1)).await.unwrap();
    run(&purge).await;
    // Meta has told something of another, which never was in the configuration of this deployment's runs.
    let mut other = record(world.now(), 2);
    other.reference.number = OTHER.to_owned();
    messages.put(&other).await.unwrap();
    let controls = Controls::new(&world.aws, world.name("HEADGATE_TABLE_CONTROLS"));
    controls.count_inbound(OTHER, 1).await.unwrap();
    let text = include_str!("../../../../config/headgate.toml").replace(NUMBER, "106540352242911");
    let config = Config::from_toml(&text).unwrap();
    controls.put_config(&config, 2).await.unwrap();

    world.pass(CONTENT_DAYS * DAY);
    let manifest = run(&world.purge().await).await;
    assert_eq!(of(&manifest, Store::Outbox), Some((2, 2, true)));
}

#[tokio::test]
async fn what_is_past_its_time_is_not_read_while_its_bytes_are_still_there() {
    let world = World::new().await;
    let (messages, first) = (world.messages(), world.now());
    let record = record(first, 1);
    messages.put(&record).await.unwrap();
    let settlement = Settlement {
        wamid: Some(vec![1]),
        wamid_pseudonym: Some(pseudonym("m1", 9).as_str().to_owned()),
        ..Settlement::default()
    };
    messages
        .put_wamid(&record.reference, &settlement)
        .await
        .unwrap();
    write_and_claim(&world, 2).await;
    let references = [record.reference.clone()];
    let seen = async |now| {
        let shard = record.reference.shard;
        let page = messages.page(NUMBER, Purpose::Marketing, shard, ("0", 10), now);
        let settled = messages.settle(&record.reference, State::Delivered, &settlement, now);
        let claim = pseudonym("i1", 2);
        [
            messages.load(&references, now).await.unwrap().len(),
            page.await.unwrap().seen.len(),
            usize::from(
                messages
                    .wamid(&record.reference, now)
                    .await
                    .unwrap()
                    .is_some(),
            ),
            usize::from(
                messages
                    .inbound(&pseudonym("m1", 2), now)
                    .await
                    .unwrap()
                    .is_some(),
            ),
            usize::from(
                messages
                    .accepted_under(&claim, now)
                    .await
                    .unwrap()
                    .is_some(),
            ),
            usize::from(settled.await.unwrap().is_some()),
        ]
    };
    let end = first.day().plus(CONTENT_DAYS).start();
    assert_eq!(seen(end).await, [0; 6]);
    assert_eq!(seen(end.plus_millis(-SECOND)).await, [1; 6]);
    assert_eq!(days_of_rows(&world).await.1, 3, "nothing was deleted");
    // What is written anew takes the place of what is past its time.
    let anew = written(end, 2, vec![8]);
    assert_eq!(messages.put_inbound(&anew).await.unwrap().body, vec![8]);
    assert_eq!(days_of_rows(&world).await.1, 3);
}

#[tokio::test]
async fn what_was_done_about_something_that_is_gone_does_not_bring_it_back() {
    let world = World::new().await;
    let gone = pseudonym("m1", 3);
    world.messages().inbound_done(&gone).await.unwrap();
    let table = world.name("HEADGATE_TABLE_MESSAGES");
    assert!(world.cloud.items(table).await.unwrap().is_empty());
}

/// The settings of a purge behind whose first request with some words, once it is answered, something happens before
/// its next query.
#[allow(
    clippy::disallowed_methods,
    reason = "it ends with the runtime of its test"
)]
async fn in_between(
    world: &World,
    words: &'static str,
    what: impl Future<Output = ()> + Send + 'static,
) -> Settings {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut environment = world.environment.clone();
    let here = format!("http://{}", listener.local_addr().unwrap());
    let tables = environment.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), here);
    let tables = tables.unwrap().replace("http://", "").replace('/', "");
    let waiting = Arc::new(tokio::sync::Mutex::new((false, Some(Box::pin(what)))));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let tables = TcpStream::connect(&tables).await.unwrap();
            let (mut requests, mut to_client) = client.into_split();
            let (mut answers, mut to_tables) = tables.into_split();
            tokio::spawn(async move {
                tokio::io::copy(&mut answers, &mut to_client).await.ok();
            });
            let waiting = Arc::clone(&waiting);
            tokio::spawn(async move {
                let mut piece = vec![0; 1 << 16];
                while let Ok(length @ 1..) = requests.read(&mut piece).await {
                    let said = String::from_utf8_lossy(&piece[..length]);
                    let mut waiting = waiting.lock().await;
                    if said.contains(words) {
                        waiting.0 = true;
                    } else if waiting.0
                        && said.contains("DynamoDB_20120810.Query")
                        && let Some(what) = waiting.1.take()
                    {
                        what.await;
                    }
                    drop(waiting);
                    to_tables.write_all(&piece[..length]).await.unwrap();
                }
            });
        }
    });
    Settings::from_map(environment)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_there_again_behind_the_sweep_leaves_the_store_unfinished() {
    let world = World::new().await;
    world.configure().await;
    run(&world.purge().await).await;
    let (first, messages) = (world.now(), world.messages());
    messages.put(&record(first, 1)).await.unwrap();
    world.pass(CONTENT_DAYS * DAY - 9 * HOUR);
    let put_back = async move {
        assert!(messages.put(&record(first, 1)).await.unwrap());
    };
    let settings = in_between(&world, "DynamoDB_20120810.BatchWriteItem", put_back).await;
    let purge = world.purge_by(&settings).await;
    let manifest = run(&purge).await;
    assert_eq!(of(&manifest, Store::Outbox), Some((2, 1, false)));
    assert_eq!(world.manifests().await.last(), Some(&manifest));
    assert_eq!(days_of_rows(&world).await.1, 1);
    // The next hour goes on, and finds nothing behind it.
    world.pass(HOUR);
    let manifest = run(&purge).await;
    assert_eq!(of(&manifest, Store::Outbox), Some((1, 1, true)));
    let table = world.name("HEADGATE_TABLE_MESSAGES");
    assert!(world.cloud.items(table).await.unwrap().is_empty());
    world.pass(HOUR);
    assert!(!run(&purge).await.changed_something());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_index_has_again_behind_the_sweep_goes_in_its_second_half() {
    let world = World::new().await;
    run(&world.purge().await).await;
    let (first, messages) = (world.now(), world.messages());
    messages
        .put_inbound(&written(first, 1, vec![1]))
        .await
        .unwrap();
    world.pass(CONTENT_DAYS * DAY - 9 * HOUR);
    let put_back = async move {
        let written = written(first, 1, vec![1]);
        messages.put_inbound(&written).await.unwrap();
    };
    // The deletions of the sweep alone say so.
    let settings = in_between(
        &world,
        "\"ConditionExpression\":\"#day < :before\"",
        put_back,
    )
    .await;
    let purge = world.purge_by(&settings).await;
    let manifest = run(&purge).await;
    assert_eq!(of(&manifest, Store::Inbound), Some((2, 2, true)));
    let table = world.name("HEADGATE_TABLE_MESSAGES");
    assert!(world.cloud.items(table).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_left_is_counted_by_the_table_and_nothing_younger() {
    let world = World::new().await;
    let (first, messages) = (world.now(), world.messages());
    for n in 0..3 {
        write_and_claim(&world, n).await;
    }
    messages.put(&record(first, 1)).await.unwrap();
    let numbers = [NUMBER.to_owned()].into();
    let parts = [Part::of_index(), Part::of_outbox(&numbers)].concat();
    let left = async |before| {
        let mut rows = BTreeMap::new();
        for part in &parts {
            let left = messages.count_left(*part, before, None).await.unwrap();
            for (store, count) in left.rows {
                *rows.entry(store).or_insert(0) += count;
            }
        }
        rows
    };
    assert_eq!(left(first.day()).await, BTreeMap::new());
    let all = [
        (Store::Outbox, 1),
        (Store::Inbound, 3),
        (Store::Idempotency, 3),
    ];
    assert_eq!(left(first.day().plus(1)).await, all.into());
}
