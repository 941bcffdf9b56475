//! While one pepper follows another everybody is found, nobody is made twice, and every no holds; in the end nothing
//! stands under the old names but who was erased.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use headgate_aws::consents::{Consents, Statement};
use headgate_aws::controls::Controls;
use headgate_aws::privacy_requests::{Errand, PrivacyRequests, Walk};
use headgate_domain::consent::Action;
use headgate_domain::identity::{Bsuid, Identifier, PepperVersion, Phone, Pseudonym, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::time::{DAY, HOUR, MINUTE, Timestamp};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{End, Stage, environment, people, stage};
use local_cloud::Crash;
use privacy_worker::PrivacyWorker;
use serde_json::{Value, json};

/// Every third has a user id, too, and every second has objected.
const PEOPLE: u64 = 12;

struct World {
    stage: Stage,
    intake: BTreeMap<String, String>,
    worker: BTreeMap<String, String>,
    now: Arc<AtomicI64>,
}

/// Somebody, as they were met before.
struct Known {
    identifiers: Vec<Identifier>,
    subject: SubjectId,
    has_objected: bool,
}

fn phone(n: u64) -> Identifier {
    Identifier::Phone(Phone::parse(&format!("+1613555{:04}", 100 + n)).unwrap())
}

fn identifiers(n: u64) -> Vec<Identifier> {
    let mut identifiers = vec![phone(n)];
    if n.is_multiple_of(3) {
        let bsuid = format!("CA.{}", 20_000_000 + n);
        identifiers.push(Identifier::Bsuid(Bsuid::parse(&bsuid).unwrap()));
    }
    identifiers
}

impl World {
    async fn new() -> Self {
        let stage = stage().await;
        headgate_lambda::log::capture(Arc::new(|_line| {}));
        Self {
            intake: stage.environment("IntakeFunction"),
            worker: stage.environment("PrivacyWorkerFunction"),
            now: Arc::new(AtomicI64::new((stage.clock())().millis())),
            stage,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn pass(&self, milliseconds: i64) {
        self.now.fetch_add(milliseconds, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now);
        Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)))
    }

    fn controls(&self) -> Controls {
        Controls::new(&self.stage.aws(), &self.intake["HEADGATE_TABLE_CONTROLS"])
    }

    /// What a function begins with now.
    async fn consents(&self) -> Consents {
        people::consents(&self.stage.aws(), &self.intake, self.now()).await
    }

    async fn rotate(&self, before: PepperVersion) {
        let put = self.controls().next_peppers(before, self.now()).await;
        assert!(put.unwrap());
    }

    async fn say(&self, consents: &Consents, subject: &SubjectId, action: Action) {
        let statement = Statement {
            subject: subject.clone(),
            purpose: Purpose::Marketing,
            topic: None,
            action,
            at: self.now(),
            asked_at: None,
            method: "web_checkbox".to_owned(),
            notice: None,
            locale: None,
            evidence: None,
            actor: None,
        };
        consents.record(&statement, self.now()).await.unwrap();
    }

    async fn somebody(&self, consents: &Consents, n: u64, has_objected: bool) -> Known {
        let identifiers = identifiers(n);
        let people = consents.subjects();
        let subject = people
            .find_or_create(&identifiers, self.now())
            .await
            .unwrap();
        let action = if has_objected {
            Action::Withdrawn
        } else {
            Action::Given
        };
        self.say(consents, &subject, action).await;
        Known {
            identifiers,
            subject,
            has_objected,
        }
    }

    /// Everybody is who they were, and is blocked as they were: for who looks now, and for a message that was accepted
    /// when only these keys were known.
    async fn stands(&self, consents: &Consents, known: &[Known], from_before: &Consents) {
        for person in known {
            for identifier in &person.identifiers {
                let found = consents.subjects().find(identifier).await.unwrap();
                assert_eq!(found.as_ref(), Some(&person.subject));
                let all = std::slice::from_ref(identifier);
                let found = consents.subjects().find_all(all).await.unwrap();
                assert_eq!(found[identifier], person.subject);
                for names in [consents, from_before] {
                    let keys = names.all_suppression_keys([identifier]);
                    let covered = consents.suppression().covering(&keys).await.unwrap();
                    let is_blocked = covered.iter().any(|(_, purposes)| !purposes.is_empty());
                    assert_eq!(is_blocked, person.has_objected);
                }
            }
        }
    }

    async fn run(&self) {
        let settings = Settings::from_map(self.worker.clone());
        let worker = PrivacyWorker::new(&settings, self.clock()).await.unwrap();
        worker.handle(Value::Null).await.unwrap();
    }

    async fn walk(&self, errand: Errand) -> Option<Walk> {
        let table = &self.worker["HEADGATE_TABLE_PRIVACY_REQUESTS"];
        let requests = PrivacyRequests::new(&self.stage.aws(), table);
        requests.walk(errand).await.unwrap()
    }

    /// Under which versions names of a kind stand anywhere, but in rows that say nothing and are to run out.
    async fn versions(&self, kinds: &[char]) -> BTreeMap<u32, usize> {
        let mut versions = BTreeMap::new();
        for table in ["HEADGATE_TABLE_SUBJECTS", "HEADGATE_TABLE_SUPPRESSION"] {
            for item in self.stage.cloud().items(&self.worker[table]).await.unwrap() {
                let says_nothing = item.as_object().unwrap().len() == 2 && item["ttl"].is_object();
                let text = if says_nothing {
                    String::new()
                } else {
                    item.to_string()
                };
                for word in text.split(['"', '#']) {
                    let name = Pseudonym::parse(word).ok();
                    if let Some(name) = name.filter(|_name| word.starts_with(kinds)) {
                        *versions.entry(name.version().unwrap()).or_default() += 1;
                    }
                }
            }
        }
        versions
    }
}

impl World {
    /// Everybody who was known before: of one a number has passed to somebody of whom a user id was known alone.
    async fn populate(&self, consents: &Consents) -> Vec<Known> {
        let mut known = Vec::new();
        for n in 0..PEOPLE {
            known.push(self.somebody(consents, n, n.is_multiple_of(2)).await);
        }
        let (people, now) = (consents.subjects(), self.now());
        let passed = known[1].identifiers[0].clone();
        let bsuid = Identifier::Bsuid(Bsuid::parse("CA.30000001").unwrap());
        let one = std::slice::from_ref(&bsuid);
        let owner = people.find_or_create(one, now).await.unwrap();
        assert!(people.take_over(&passed, &owner, now).await.unwrap());
        people.complete(&owner, &passed, now).await.unwrap();
        let before = &known[1].subject;
        people.forget_identifier(before, &passed).await.unwrap();
        known[1] = Known {
            identifiers: vec![bsuid, passed],
            subject: owner,
            has_objected: false,
        };
        self.forget_names(&known[2].subject).await;
        known
    }

    /// Their row does not say by which names they are found.
    async fn forget_names(&self, subject: &SubjectId) {
        let (table, cloud) = (&self.worker["HEADGATE_TABLE_SUBJECTS"], self.stage.cloud());
        let pk = format!("S#{subject}");
        let items = cloud.items(table).await.unwrap();
        let theirs = |item: &&Value| item["pk"]["S"] == pk.as_str() && item["sk"]["S"] == "S";
        let mut row = items.iter().find(theirs).unwrap().clone();
        row.as_object_mut().unwrap().remove("idents").unwrap();
        cloud.load(table, vec![row]).await.unwrap();
    }

    /// Somebody who was erased: nothing but a key of theirs is there.
    async fn erased(&self, consents: &Consents) -> Identifier {
        let erased = phone(90);
        for key in consents.new_suppression_keys(&erased) {
            let list = consents.suppression();
            let added = list.add(&key, &[Purpose::Marketing], self.now(), "erasure");
            added.await.unwrap();
        }
        erased
    }

    /// What the list has of somebody, that still says something.
    async fn entries(&self, consents: &Consents, who: &Identifier) -> usize {
        let keys = consents.all_suppression_keys([who]);
        let covered = consents.suppression().covering(&keys).await.unwrap();
        let blocked = covered.iter().filter(|(_, purposes)| !purposes.is_empty());
        blocked.count()
    }
}

#[tokio::test]
async fn everybody_is_found_and_every_no_holds_while_one_pepper_follows_another() {
    let world = World::new().await;
    let before = world.consents().await;
    let mut known = world.populate(&before).await;
    let from_before = known.len();
    world.pass(1_000);
    world.rotate(PepperVersion::FIRST).await;
    let rotated_at = world.now();
    let mut next = PEOPLE;
    for (minutes, is_moved) in [(0, false), (30, false), (45, false), (65, true), (75, true)] {
        let now = rotated_at.plus_millis(minutes * MINUTE);
        world.now.store(now.millis(), Ordering::SeqCst);
        let consents = world.consents().await;
        // Whoever is met meanwhile, and whoever says no or yes.
        known.push(world.somebody(&consents, next, true).await);
        known.push(world.somebody(&consents, next + 1, false).await);
        next += 2;
        let (one, other) = (known.len() - 4, known.len() - 3);
        world.pass(1_000);
        for (index, action) in [(one, Action::Given), (other, Action::Withdrawn)] {
            world.say(&consents, &known[index].subject, action).await;
            known[index].has_objected = action == Action::Withdrawn;
        }
        // A key of whoever was met since the rotation is under the newer pepper, too.
        let those_of_before = &known[..from_before];
        world.stands(&consents, those_of_before, &before).await;
        world.stands(&consents, &known, &consents).await;
        world.run().await;
        world.stands(&consents, &known, &consents).await;
        let pointers = world.versions(&['s', 'b']).await;
        let has_older = pointers.contains_key(&1);
        assert_eq!(has_older, !is_moved, "{minutes}: {pointers:?}");
    }
    let walk = world.walk(Errand::Rename).await.unwrap();
    let counted = (walk.version, walk.older, walk.unopened);
    assert_eq!(counted, (2, 0, 0), "{walk:?}");
    assert!(walk.ended_at.is_some() && world.walk(Errand::Relist).await.is_none());

    // The list: both, for as long as a message waits that knows only the older keys.
    world.pass(69 * DAY);
    let consents = world.consents().await;
    let late = &mut known[5];
    world.say(&consents, &late.subject, Action::Withdrawn).await;
    late.has_objected = true;
    let those_of_before = &known[..from_before];
    world.stands(&consents, those_of_before, &before).await;
    world.run().await;
    assert!(world.versions(&['x']).await.contains_key(&1));
    world.pass(DAY);
    world.run().await;
    let consents = world.consents().await;
    world.stands(&consents, &known, &consents).await;
    let left = world.versions(&['s', 'b', 'x']).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), [&2], "{left:?}");
}

#[tokio::test]
async fn whoever_was_erased_stays_on_the_list_under_the_older_name_until_they_are_known_again() {
    let world = World::new().await;
    let before = world.consents().await;
    world.somebody(&before, 0, true).await;
    let erased = world.erased(&before).await;
    world.rotate(PepperVersion::FIRST).await;
    world.pass(71 * DAY);
    world.run().await;
    let consents = world.consents().await;
    let left = world.versions(&['x']).await;
    assert_eq!(left[&1], 1, "{left:?}");
    assert_eq!(world.entries(&consents, &erased).await, 1);

    // Known again, and the next look through the list finds them.
    let again = std::slice::from_ref(&erased);
    let people = consents.subjects();
    people.find_or_create(again, world.now()).await.unwrap();
    world.pass(31 * DAY);
    world.run().await;
    let left = world.versions(&['s', 'b', 'x']).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), [&2], "{left:?}");
    assert_eq!(world.entries(&consents, &erased).await, 1);
}

/// The one still writes the old name, the other the new one already.
#[tokio::test(flavor = "multi_thread")]
async fn two_who_meet_somebody_at_once_under_two_names_make_one_person_of_them() {
    let world = World::new().await;
    world.rotate(PepperVersion::FIRST).await;
    world.pass(39 * MINUTE);
    let late = world.consents().await;
    world.pass(2 * MINUTE);
    let early = world.consents().await;
    for n in 0..40 {
        let now = world.now();
        let who = identifiers(n);
        let (one, other) = tokio::join!(
            late.subjects().find_or_create(&who, now),
            early.subjects().find_or_create(&who, now)
        );
        // A transaction that met the other's is tried again, like any that failed.
        let found = early.subjects().find_or_create(&who, now).await.unwrap();
        for subject in [one, other].into_iter().flatten() {
            assert_eq!(subject, found, "{n}");
        }
    }
    let names = world.versions(&['s', 'b']).await;
    assert!(
        names.contains_key(&1) && names.contains_key(&2),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_walk_dies_the_next_run_ends_it() {
    let world = World::new().await;
    let before = world.consents().await;
    let mut known = Vec::new();
    for n in 0..PEOPLE {
        known.push(world.somebody(&before, n, n.is_multiple_of(2)).await);
    }
    world.rotate(PepperVersion::FIRST).await;
    world.pass(71 * DAY);
    let (mut deaths, gate) = (0, world.stage.cloud().gate());
    // Each process gets a little further than the one before, and the last one to the end.
    for n in (1..4_000).step_by(5) {
        let crash = [Crash::Before, Crash::Unanswered][n % 2];
        let (settings, clock) = (Settings::from_map(world.worker.clone()), world.clock());
        let end = environment(
            &gate,
            Some((n as u64, crash)),
            || async move { PrivacyWorker::new(&settings, clock).await.unwrap() },
            |worker| async move { worker.handle(Value::Null).await.map(|_done| ()) },
        );
        let died = matches!(end.await, End::Died(_));
        let consents = world.consents().await;
        world.stands(&consents, &known, &consents).await;
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 10, "{deaths}");
    let left = world.versions(&['s', 'b', 'x']).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), [&2], "{left:?}");
}

#[tokio::test]
async fn a_version_that_went_back_is_told_and_nobody_works_with_it() {
    let world = World::new().await;
    let consents = world.consents().await;
    world.rotate(PepperVersion::FIRST).await;
    let second = world.controls().pepper_version().await.unwrap();
    world.rotate(second).await;
    world.pass(6 * MINUTE);
    consents.refresh(world.now()).await.unwrap();
    world.pass(HOUR);
    world.run().await;
    // The controls come back from a backup of before.
    let table = &world.intake["HEADGATE_TABLE_CONTROLS"];
    let of_then = json!({ "pk": { "S": "peppers" }, "sk": { "S": "peppers" }, "version": { "N": "2" },
                          "since": { "N": second.since().unwrap().millis().to_string() } });
    world
        .stage
        .cloud()
        .load(table, vec![of_then])
        .await
        .unwrap();
    world.pass(6 * MINUTE);
    assert!(consents.refresh(world.now()).await.is_err());
    let settings = Settings::from_map(world.worker.clone());
    let worker = PrivacyWorker::new(&settings, world.clock()).await.unwrap();
    let told = worker.handle(Value::Null).await.unwrap_err();
    assert_eq!(told, privacy_worker::WorkerError::PeppersWentBack);
}
