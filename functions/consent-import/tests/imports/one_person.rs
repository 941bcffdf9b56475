//! Two numbers of one person in one file: the person is asked once.

use headgate_domain::consent::State;
use headgate_domain::identity::{Identifier, Phone, SubjectId};
use headgate_domain::import::Stage;
use headgate_domain::lane::Purpose;

use crate::world::{HEADER, World, row};
use crate::{ADA, BEN, EVE};

fn number(phone: &str) -> Identifier {
    Identifier::Phone(Phone::parse(phone).unwrap())
}

/// One subject to whom both numbers lead.
async fn one_subject(world: &World) -> SubjectId {
    let both = [number(ADA), number(BEN)];
    world
        .subjects()
        .find_or_create(&both, world.now())
        .await
        .unwrap()
}

/// Two subjects, of whom the one stands for the other.
async fn joined_subjects(world: &World) -> SubjectId {
    let mut made = Vec::new();
    for phone in [ADA, BEN] {
        let number = [number(phone)];
        let subject = world.subjects().find_or_create(&number, world.now());
        made.push(subject.await.unwrap());
    }
    let joined = world.subjects().join(&made[0], &made[1]).await;
    joined.unwrap();
    made.swap_remove(0)
}

/// Imports four rows, three of them of one person.
async fn check(world: &World, person: &SubjectId) {
    let rows = [
        row(ADA, "marketing"),
        row(BEN, "marketing"),
        row(EVE, "marketing"),
        row(BEN, "utility"),
    ]
    .concat();
    let (progress, report) = world.import(format!("{HEADER}{rows}")).await;
    assert_eq!(progress.stage, Stage::Done);
    let told: Vec<&str> = report
        .iter()
        .map(|line| line.rsplit_once(',').unwrap().0)
        .collect();
    assert_eq!(
        told,
        [
            "1,2,requested,,marketing",
            "2,3,already_requested,,",
            "3,4,requested,,marketing",
            "4,5,requested,,utility",
        ]
    );
    assert_eq!(world.facts().await, 3);
    let known = world.subjects().load(person).await.unwrap().unwrap();
    for purpose in [Purpose::Marketing, Purpose::Utility] {
        assert_eq!(known.consent(purpose).unwrap().state, State::Requested);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_numbers_of_one_subject_ask_one_person_once() {
    let world = World::start().await;
    let person = one_subject(&world).await;
    check(&world, &person).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_subjects_that_are_one_person_are_asked_once() {
    let world = World::start().await;
    let person = joined_subjects(&world).await;
    check(&world, &person).await;
}
