//! Two subjects that are one person, and a join that was cut off between its two writes.

use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::privacy::{Choice, Wish};
use headgate_domain::profiles::Right;
use headgate_testkit::{End, environment};
use local_cloud::Crash;

use crate::world::World;

/// The one is to stand for the other, and whoever writes it down dies before the other's row says so.
async fn joined_by_half(world: &World, one: &SubjectId, other: &SubjectId) {
    let (subjects, gate) = (world.subjects().clone(), world.gate());
    let (one, other) = (one.clone(), other.clone());
    let end = environment(
        &gate,
        Some((2, Crash::Before)),
        || async move { subjects },
        |subjects| async move { subjects.join(&one, &other).await },
    );
    assert!(matches!(end.await, End::Died(_)));
}

async fn stands(world: &World, subject: &SubjectId) -> SubjectId {
    let person = world.subjects().person(subject).await.unwrap();
    let standing = person.subject.unwrap().id;
    assert_eq!(person.group.subjects[0], standing, "it comes first");
    standing
}

async fn is_restricted(world: &World, subject: &SubjectId) -> bool {
    let known = world.subjects().load(subject).await.unwrap();
    known.unwrap().restricted_at.is_some()
}

#[tokio::test]
async fn of_a_join_that_was_cut_off_the_one_that_stands_is_the_one_that_knows_it() {
    let world = World::start().await;
    let (ada, other) = (world.stranger(1).await, world.stranger(2).await);
    joined_by_half(&world, &ada, &other).await;
    assert_eq!(stands(&world, &ada).await, ada);
    let group = world.subjects().person(&ada).await.unwrap().group;
    assert!(group.has(&other), "an erasure finds what is theirs");
    assert_eq!(
        stands(&world, &other).await,
        other,
        "it knows of nobody yet"
    );
    // Done again, it is whole.
    world.subjects().join(&ada, &other).await.unwrap();
    assert_eq!(stands(&world, &other).await, ada);
}

/// Whoever stands for somebody who stands for somebody is found from every end, whichever join was cut off.
#[tokio::test]
async fn in_a_chain_the_one_nobody_stands_for_stands_for_all() {
    let world = World::start().await;
    let mut chain = Vec::new();
    for n in 1..=4 {
        chain.push(world.stranger(n).await);
    }
    let [top, middle, below, half] = [0, 1, 2, 3].map(|n| chain[n].clone());
    let people = world.subjects();
    people.join(&middle, &below).await.unwrap();
    people.join(&top, &middle).await.unwrap();
    for stranded in [&top, &middle, &below] {
        joined_by_half(&world, stranded, &half).await;
        for id in [&top, &middle, &below] {
            assert_eq!(stands(&world, id).await, top);
        }
    }
    // The top itself is given away by half: from below it still stands.
    let above = world.stranger(5).await;
    joined_by_half(&world, &above, &top).await;
    assert_eq!(stands(&world, &below).await, top);
    assert_eq!(stands(&world, &above).await, above);
}

#[tokio::test]
async fn what_is_asked_for_after_a_join_that_was_cut_off_is_written_where_it_is_looked_for() {
    let world = World::start().await;
    let both = [Purpose::Marketing, Purpose::Utility];
    let (ada, other) = (world.agreed(1, &both).await, world.agreed(2, &both).await);
    joined_by_half(&world, &ada, &other).await;
    for (n, right) in [(1, Right::Restriction), (2, Right::Objection)] {
        let (hash, _request) = world.chosen(Choice::Right(right)).await;
        let asked = world.asked(&ada, Wish::Code(hash), n);
        assert_eq!(world.hand_over(&[&asked]).await, 0);
    }
    assert!(is_restricted(&world, &ada).await);
    assert!(world.is_blocked(1).await);
}
