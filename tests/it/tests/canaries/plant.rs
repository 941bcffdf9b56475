//! Leaks that are planted to be found: each form in each kind of place.
//!
//! Owns the proof that the search can fail. What is planted really lies there: items in tables, messages and dead
//! letters on queues, events, objects and their names, lines on both outputs, answers.

use headgate_aws::objects::Bucket;
use serde_json::{Value, json};

use crate::list::{BODIES, NAMES, PHONES, wamids};
use crate::world::World;

/// What is printed before the planted lines.
pub(crate) const MARK: &str = "PLANTED FROM HERE ON";

/// Each form a leak can have: its name, how it reads, and what is to be found.
pub(crate) fn forms() -> Vec<(&'static str, String, &'static str)> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let hex = |text: &str| -> String { text.bytes().map(|byte| format!("{byte:02x}")).collect() };
    let percent =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let escaped = |text: &str| -> String {
        text.encode_utf16()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect()
    };
    let (phone, name, body) = (PHONES[2], NAMES[0], BODIES[0]);
    vec![
        ("clear", phone.to_owned(), "phone 3"),
        ("clear name", name.to_owned(), "name 1"),
        ("other letters", body.to_uppercase(), "body 1"),
        ("punctuated", "(416) 555-0143".to_owned(), "phone 3"),
        ("escaped", escaped(name), "name 1"),
        ("base64", STANDARD.encode(body), "body 1"),
        (
            "base64, one byte on",
            STANDARD.encode(format!("x{phone}")),
            "phone 3",
        ),
        (
            "base64url, two bytes on",
            URL_SAFE_NO_PAD.encode(format!("xy{name}")),
            "name 1",
        ),
        (
            "base64 twice",
            STANDARD.encode(STANDARD.encode(phone)),
            "phone 3",
        ),
        ("hex", hex(phone), "phone 3"),
        ("HEX", hex(name).to_uppercase(), "name 1"),
        ("URL-encoded", percent(body), "body 1"),
        ("reversed", phone.chars().rev().collect(), "phone 3"),
        ("reversed name", name.chars().rev().collect(), "name 1"),
        ("last six digits", "***550143".to_owned(), "phone 3"),
        (
            "a message id",
            wamids()[0].trim_start_matches("wamid.").to_owned(),
            "phone 5",
        ),
    ]
}

/// Plants every form in every kind of place.
pub(crate) async fn everywhere(world: &World) {
    let environment = world.environment("IntakeFunction");
    let imports = world.environment("ConsentImportFunction")["HEADGATE_BUCKET_IMPORTS"].clone();
    let bucket = Bucket::new(&world.stage.aws, &imports, 1 << 20);
    // What is planted for intake stays where it is.
    world
        .cloud()
        .set_mapping_enabled("IntakeFunction", "SystemQueue", false);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    println!("{MARK}");
    for (index, (form, leak, _)) in forms().into_iter().enumerate() {
        let name = format!("planted-{index}");
        let item = json!({ "pk": { "S": name }, "sk": { "S": "S" }, "note": { "S": leak } });
        world
            .cloud()
            .load(&environment["HEADGATE_TABLE_SUBJECTS"], vec![item])
            .await
            .unwrap();
        let text = json!({ "planted": name, "leak": leak }).to_string();
        let set_aside = json!({ "planted": name, "reason": leak }).to_string();
        let event = json!({ "planted": name, "type": "message.sent", "data": leak }).to_string();
        for (queue, body) in [
            ("Wake", &text),
            ("System", &text),
            ("UtilityDlq", &set_aside),
            ("AppEvents", &event),
        ] {
            planted_on(world, queue, body).await;
        }
        bucket
            .put(&format!("reports/{name}"), leak.clone().into_bytes())
            .await
            .unwrap();
        if fits_a_key(&leak) {
            let key = format!("planted/{index}/{}", in_a_key(&leak));
            bucket.put(&key, b"nothing".to_vec()).await.unwrap();
        }
        println!("{}", json!({ "event": name, "form": form, "field": leak }));
        eprintln!("{name}: {leak}");
        world.keep(
            &format!("answer 400 to {name}"),
            &format!("HTTP/1.1 400\r\nX-Planted: {leak}\r\n\r\n{{}}"),
        );
    }
}

async fn planted_on(world: &World, queue: &str, body: &str) {
    let url = if let Some(lane) = queue.strip_suffix("Dlq") {
        world.environment("IntakeFunction")
            [&format!("HEADGATE_QUEUE_{}_DLQ_URL", lane.to_uppercase())]
            .clone()
    } else {
        world.stage.queue_url(queue).unwrap()
    };
    let queue = headgate_aws::queue::Queue::new(&world.stage.aws, &url);
    queue.send(body, &[]).await.unwrap();
}

/// As it may stand in the name of an object.
fn in_a_key(leak: &str) -> &str {
    leak.trim_start_matches(['+', '*']).trim_end_matches('=')
}

/// Whether a form can lie in the name of an object as it is: our names are of few characters.
pub(crate) fn fits_a_key(leak: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    in_a_key(leak).chars().all(fits)
}

/// Whether a place, with its text, is the one.
pub(crate) type IsThere = Box<dyn Fn(&str, &str) -> bool>;

/// The kinds of place a planted leak is found in: a part of the place's name, or of the text where the place is
/// shared, for the leak of an index.
pub(crate) fn kinds_of_place(index: usize) -> Vec<(&'static str, IsThere)> {
    let name = format!("planted-{index}\"");
    let on = move |queue: &'static str, name: String| -> IsThere {
        Box::new(move |place, text| place.contains(queue) && text.contains(&name))
    };
    let item = format!("/planted-{index}/");
    let object = format!("object reports/planted-{index}");
    let key = format!("planted/{index}/");
    let line = format!("\"event\":\"planted-{index}\"");
    let answer = format!("answer 400 to planted-{index}");
    let error = format!("planted-{index}: ");
    vec![
        (
            "table",
            Box::new(move |place, _| place.starts_with("table ") && place.contains(&item)),
        ),
        ("queue", on("-wake ", name.clone())),
        ("system queue", on("-system ", name.clone())),
        ("dead letter", on("-utility-dlq ", name.clone())),
        ("event", on("-app-events ", name)),
        ("object", Box::new(move |place, _| place.ends_with(&object))),
        (
            "key",
            Box::new(move |place, text| place.ends_with(" name") && text.starts_with(&key)),
        ),
        (
            "log",
            Box::new(move |place, text| place == "output" && text.contains(&line)),
        ),
        (
            "error output",
            Box::new(move |place, text| place == "output" && text.starts_with(&error)),
        ),
        ("answer", Box::new(move |place, _| place == answer)),
    ]
}

/// What was planted, for whoever searches.
pub(crate) fn to_json(places: &crate::world::Places) -> Value {
    places
        .iter()
        .map(|(place, text)| json!([place, text]))
        .collect()
}
