//! Intake dies: a batch of a lane, and a batch of consents.

use headgate_domain::lane::Purpose;
use headgate_domain::record::State;
use headgate_lambda::batch::{BatchResponse, SqsEvent};
use headgate_testkit::{End, environment};
use local_cloud::{Call, Crash};
use serde_json::json;

use crate::Trial;
use crate::world::{NUMBER, PORTFOLIO, World, again, bsuid, consent, intake, message};

/// Runs intake on a batch in an environment of its own.
async fn run(world: &World, batch: SqsEvent, death: Option<(u64, Crash)>) -> End<BatchResponse> {
    let (settings, clock) = (
        world.stage.environment("IntakeFunction"),
        world.clock.clone(),
    );
    environment(
        &world.stage.cloud().gate(),
        death,
        || intake(settings, clock),
        |intake| async move { intake.handle(batch).await },
    )
    .await
}

/// Dies, and is handed the batch again until it has dealt with it.
async fn die(world: &World, batch: SqsEvent, n: u64, crash: Crash) -> Option<Call> {
    let call = match run(world, batch.clone(), Some((n, crash))).await {
        End::Died(call) => Some(call),
        End::Answered(answer) => {
            assert_eq!(answer, BatchResponse::default());
            None
        }
    };
    if call.is_some() {
        let answer = run(world, again(batch), None).await;
        assert_eq!(answer, End::Answered(BatchResponse::default()), "{call:?}");
    }
    call
}

/// A lane's batch: one for at once, one for later, one that nobody agreed to.
pub(crate) struct Messages(World);

impl Trial for Messages {
    async fn start() -> Self {
        Self(World::start().await)
    }

    async fn die(&self, n: u64, crash: Crash) -> Option<Call> {
        let world = &self.0;
        let batch = world.batch();
        let [at_once, later, never] =
            [0, 1, 2].map(|person| json!({ "bsuid": bsuid(batch * 3 + person) }));
        let yes = [&at_once, &later].map(|to| consent(world, "given", to, &format!("yes-{batch}")));
        world.intake(world.queued("CONSENTS", batch, &yes)).await;
        let id = |what: &str| format!("{what}-{batch}");
        let mut scheduled = message("utility", &later, &id("later"));
        scheduled["not_before"] = json!((world.clock)().plus_millis(3_600_000));
        let bodies = [
            message("utility", &at_once, &id("now")),
            scheduled,
            message("marketing", &never, &id("misplaced")),
            message("utility", &never, &id("never")),
        ];
        let outbox = format!("O#{NUMBER}#u#");
        let before = world.rows("messages", &outbox).await;
        let woken = world.stage.cloud().meter().queue("wake").sent;
        let batch_of_queue = world.queued("UTILITY", batch, &bodies);
        let call = die(world, batch_of_queue, n, crash).await;
        let at = format!("{n} {crash:?} {call:?}");

        let told = world.told(&format!("-{batch}")).await;
        let expected = [
            ("message.accepted", "later"),
            ("message.accepted", "now"),
            ("message.refused", "misplaced"),
            ("message.refused", "never"),
        ];
        let about_messages = told
            .iter()
            .filter(|((kind, _), _)| kind.starts_with("message."));
        let kinds: Vec<_> = about_messages
            .clone()
            .map(|(what, _)| what.clone())
            .collect();
        let expected = expected.map(|(kind, what)| (kind.to_owned(), id(what)));
        assert_eq!(kinds, expected, "{at}");
        for (what, event_ids) in about_messages {
            assert_eq!(event_ids.len(), 1, "{what:?} is told under one id: {at}");
        }
        let after = world.rows("messages", &outbox).await;
        assert_eq!(
            after - before,
            2,
            "each accepted message is there once: {at}"
        );
        assert!(
            world.stage.cloud().meter().queue("wake").sent > woken,
            "the pacer is woken: {at}"
        );

        let references = [
            world.reference(&id("now")).await,
            world.reference(&id("later")).await,
        ];
        let stored = world
            .messages
            .load(&references, (world.clock)())
            .await
            .unwrap();
        assert_eq!(stored.len(), 2, "{at}");
        let far = (world.clock)().plus_millis(30 * 86_400_000);
        let due = world
            .pacing
            .due(PORTFOLIO, Purpose::Utility, far, None, 1_000)
            .await
            .unwrap();
        for record in stored {
            let times = due.iter().filter(|d| d.reference == record.reference);
            // What is readable in the outbox is not also due; what is not is due once.
            let expected = usize::from(record.state == State::Scheduled);
            assert_eq!(times.count(), expected, "{at}");
        }
        call
    }
}

/// A yes, and a no of somebody who had said yes.
pub(crate) struct Consents(World);

impl Trial for Consents {
    async fn start() -> Self {
        Self(World::start().await)
    }

    async fn die(&self, n: u64, crash: Crash) -> Option<Call> {
        let world = &self.0;
        let batch = world.batch();
        let [new, old] = [0, 1].map(|person| json!({ "bsuid": bsuid(batch * 2 + person) }));
        let before = consent(world, "given", &old, &format!("before-{batch}"));
        let first = world.queued("CONSENTS", batch, &[before]);
        world.intake(first).await;
        let facts = world.rows("consent-ledger", "/E#").await;
        let listed = world.rows("suppression", "x1_").await;
        let bodies = [
            consent(world, "given", &new, &format!("yes-{batch}")),
            consent(world, "withdrawn", &old, &format!("no-{batch}")),
        ];
        let batch_of_queue = world.queued("CONSENTS", batch + 1_000_000, &bodies);
        let call = die(world, batch_of_queue, n, crash).await;
        let at = format!("{n} {crash:?} {call:?}");

        // The proof comes before its effect, and the ledger forgets nothing: a death between the two leaves a proof that
        // nothing refers to, at most one for each of the two records that were being dealt with.
        let proofs = world.rows("consent-ledger", "/E#").await - facts;
        let spare = if call.is_some() { 2 } else { 0 };
        assert!(
            (4..=4 + spare).contains(&proofs),
            "{proofs} proofs of two purposes each: {at}"
        );
        let listed = world.rows("suppression", "x1_").await - listed;
        assert_eq!(listed, 1, "who said no is on the list: {at}");
        let mut ledger_events = std::collections::BTreeSet::new();
        for event in world.events().await {
            let id = event["id"].as_str().unwrap_or_default();
            let kind = match id.split_once('-') {
                Some(("yes", end)) if end == batch.to_string() => "subject.opted_in",
                Some(("no", end)) if end == batch.to_string() => "subject.opted_out",
                _ => continue,
            };
            assert_eq!(event["type"], kind, "{at}");
            ledger_events.insert((
                event["event_id"].as_str().unwrap().to_owned(),
                event["data"]["ledger_event"].as_str().unwrap().to_owned(),
            ));
        }
        assert_eq!(ledger_events.len(), 4, "each fact is told as one: {at}");
        call
    }
}
