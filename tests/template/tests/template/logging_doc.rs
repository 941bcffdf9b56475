//! docs/logging.md: generated from the sources and the templates, so that a new line in a log is seen in review.
//!
//! `UPDATE_DOCS=1 cargo test -p headgate-template-tests` rewrites it; otherwise a difference fails. Owns, too, that
//! every log group is in the templates, keeps nothing for ever, and is the only one its function can write to.

use std::collections::{BTreeMap, BTreeSet};
use std::{env, fmt::Write as _, fs};

use crate::access::grants;
use crate::log_calls::{Line, lines};
use crate::template::{Template, functions, in_repository, many, target};

const PATH: &str = "docs/logging.md";

const HEAD: &str = "\
# Logging: what is written down, and what never is

One reader, one question: what will I find in the logs, for how long, and what can I be sure not to find?

Generated from the sources and the templates; `UPDATE_DOCS=1 cargo test -p headgate-template-tests` writes it again.

## What a line is
One JSON object on standard output: `timestamp`, `level`, `event`, and the fields of the event. A field can only be made from types that are allowed to be there ([log.rs](../crates/headgate-lambda/src/log.rs)); there is no way to put text from outside into one (R-304). An allow-list, and not a mask: a mask has to know what it hides.

| Kind | What it can hold |
|---|---|
| word | a word from the source: a code, the name of a call, a family of browsers |
| text | what a type of ours shows by itself and promises to be harmless (`LogSafe`): a sentence about an error, a random id, a keyed hash |
| count, number, milliseconds, flag | a number; yes or no |
| subject | `sub_…`: a person by our own random name |
| pseudonym | the first characters of a keyed pseudonym |
| record | the public address of a message record |

Beside these lines stand those of Lambda itself (from WARN on, and the report of each invocation), which know nothing of an event's content. A panic leaves file and line, never its words.

## What is never logged
Numbers, user ids, user names and names of people · bodies, captions, parameters, button titles, media ids and addresses · login codes · message ids of Meta's, which hold the number · notifications as they came · access, verify and API tokens, the app secret, `appsecret_proof`, signatures · links with a token in them, consent codes · addresses and User-Agents in full · the app's own `id` and `ref` · what Meta answers to a refused request, which repeats parts of it.

Forty canaries of these kinds go through every function and every error path, and everything that is printed, stored, queued and answered is searched for them ([canaries](../tests/it/tests/canaries/main.rs)).

";

const NET: &str = "
## The second net
Every log group has a data protection policy, by which CloudWatch looks for what should never have been written and masks it wherever lines are read: the console, Insights, metric filters, subscriptions. Only who has `logs:Unmask` sees what is below; no role of the templates has it. What was found is counted, and nowhere copied.

It is only a second net, because a mask is a guess:

- a number without its plus sign looks like a phone number id or a time, and is not masked: those are in every second line;
- the number inside a message id, a name, or a text is in no pattern; CloudWatch's own patterns for telephone numbers are for seven countries and want a word like *phone* close by;
- the line is kept as it was, under the key of the logs, until the group forgets it;
- lines from before a policy was set stay unmasked.

So a finding is an incident: something got past the allow-list. The alarm [`log-line-masked`](operations.md#alarm-log-line-masked) tells of the first one, in whichever group. Setting the policies takes `logs:PutDataProtectionPolicy` for whoever deploys.

| Masked | By |
|---|---|
";

/// The page as the sources and templates say it must be.
fn page() -> String {
    let mut out = HEAD.to_owned();
    out.push_str(
        "## Where lines go, and for how long\n\n| Log group | Days | Of |\n|---|---|---|\n",
    );
    for (name, days, of) in groups() {
        writeln!(out, "| `{name}` | {days} | {of} |").unwrap();
    }
    out.push_str("\nNo role of a function can write to another group than its own, and none can make one. All are under the key of the logs.\n");
    out.push_str(NET);
    let root = Template::root();
    let protection = &root.section("Mappings")["LogProtection"];
    for identifier in many(&protection["Policy"]["Identifiers"]) {
        let name = identifier.as_str().unwrap();
        match protection["Regex"][name].as_str() {
            // A bar would end the cell.
            Some(regex) => writeln!(out, "| `{name}` | `{}` |", regex.replace('|', "\\|")),
            None => writeln!(
                out,
                "| `{}` | CloudWatch |",
                name.rsplit('/').next().unwrap()
            ),
        }
        .unwrap();
    }
    out.push_str("\n## Events\n");
    for (function, lines) in lines() {
        let name = if function.is_empty() {
            "Every function"
        } else {
            &function
        };
        writeln!(
            out,
            "\n### {name}\n\n| Event | Level | Fields |\n|---|---|---|"
        )
        .unwrap();
        for line in lines {
            writeln!(out, "{}", row(&line)).unwrap();
        }
    }
    out
}

fn row(line: &Line) -> String {
    let joined =
        |words: &BTreeSet<&'static str>| words.iter().copied().collect::<Vec<_>>().join(" or ");
    let fields: Vec<String> = line
        .fields
        .iter()
        .map(|(name, kinds)| format!("`{name}` {}", joined(kinds)))
        .collect();
    format!(
        "| `{}` | {} | {} |",
        line.event,
        joined(&line.levels),
        fields.join(", ")
    )
}

/// Name, days and source of every log group of the templates.
fn groups() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for template in Template::all() {
        for id in template.ids_of("AWS::Logs::LogGroup") {
            let properties = template.properties(id);
            let name = target(&properties["LogGroupName"]).replace("${Deployment}", "<deployment>");
            let days = &properties["RetentionInDays"];
            let days = days.as_i64().map_or_else(
                || {
                    let parameter = target(days);
                    let default = &template.section("Parameters")[&parameter]["Default"];
                    format!("{default} (`{parameter}`)")
                },
                |days| days.to_string(),
            );
            let of = id.strip_suffix("LogGroup").unwrap();
            let of = if name.starts_with("/aws/lambda/") {
                "a function".to_owned()
            } else {
                of.to_owned()
            };
            found.push((name, days, of));
        }
    }
    found.sort();
    found
}

#[test]
fn the_page_on_logging_is_what_the_sources_say() {
    let page = page();
    let path = in_repository(PATH);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let difference = written
        .lines()
        .zip(page.lines())
        .find(|(old, new)| old != new);
    assert!(
        written == page,
        "{PATH} differs from the sources: read the change, then run\n  \
         UPDATE_DOCS=1 cargo test -p headgate-template-tests\nfirst difference: {difference:?}"
    );
}

#[test]
fn every_log_group_forgets_after_a_quarter_of_a_year_at_most() {
    let mut seen = 0;
    for template in Template::all() {
        for id in template.ids_of("AWS::Logs::LogGroup") {
            let days = &template.properties(id)["RetentionInDays"];
            let longest = days.as_i64().unwrap_or_else(|| {
                let allowed = &template.section("Parameters")[&target(days)]["AllowedValues"];
                allowed
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|day| day.as_i64().unwrap())
                    .max()
                    .unwrap()
            });
            assert!(
                (1..=90).contains(&longest),
                "{id} keeps lines for {longest} days"
            );
            seen += 1;
        }
    }
    assert!(seen > functions().len());
}

/// Whoever can make a group, or write to any, writes where nothing is forgotten and nothing is masked.
#[test]
fn no_function_can_write_to_a_log_group_outside_the_templates() {
    let template = Template::root();
    for (id, _) in functions() {
        let role = template.properties(&format!("{id}Role"));
        assert!(
            role["ManagedPolicyArns"].is_null(),
            "{id} has rights that are not written here"
        );
        let mut on = BTreeMap::new();
        for grant in grants(&template, &id) {
            for action in grant
                .actions
                .iter()
                .filter(|action| action.starts_with("logs:") || action.contains('*'))
            {
                on.insert(action.clone(), grant.resources.clone());
            }
        }
        let own = vec![format!("{id}LogGroup.Arn")];
        let expected = ["logs:CreateLogStream", "logs:PutLogEvents"]
            .map(|action| (action.to_owned(), own.clone()));
        assert_eq!(on, BTreeMap::from(expected), "{id}");
    }
}
