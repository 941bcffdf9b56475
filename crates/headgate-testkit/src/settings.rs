//! The settings table of docs/data.md, as data: the one list of what each function must be told.

const DATA: &str = include_str!("../../../docs/data.md");
const LANES: [&str; 4] = ["AUTHENTICATION", "SERVICE", "UTILITY", "MARKETING"];

/// The variables in the column of a function.
pub fn settings_of(function: &str) -> Vec<String> {
    let mut rows = DATA
        .lines()
        .skip_while(|line| !line.starts_with("| Variable |"))
        .take_while(|line| line.starts_with('|'))
        .map(cells);
    let head = rows.next().expect("docs/data.md has the settings table");
    let column = head
        .iter()
        .position(|name| *name == function)
        .unwrap_or_else(|| panic!("docs/data.md has no column {function}"));
    let settings: Vec<String> = rows
        .filter(|row| row.get(column) == Some(&"x"))
        .flat_map(|row| variables(row.first().copied().unwrap_or_default()))
        .collect();
    assert!(!settings.is_empty(), "{function} has no settings");
    settings
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

/// The variables of a row: `<LANE>` stands for four, `_X` replaces the last word of the one before.
fn variables(cell: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in cell.split(',').map(|name| name.trim().trim_matches('`')) {
        if name.contains("<LANE>") {
            out.extend(LANES.map(|lane| name.replace("<LANE>", lane)));
        } else if name.starts_with('_') {
            let stem = out.last().and_then(|before| before.rsplit_once('_'));
            out.push(format!("{}{name}", stem.expect("a name before").0));
        } else {
            out.push(name.to_owned());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_in_the_table_are_written_out() {
        let intake = settings_of("intake");
        for name in [
            "HEADGATE_QUEUE_MARKETING_ARN",
            "HEADGATE_QUEUE_CONSENTS_ARN",
            "HEADGATE_KMS_MAC_SUPPRESSION",
        ] {
            assert!(intake.iter().any(|setting| setting == name), "{name}");
        }
        assert!(
            intake
                .iter()
                .all(|setting| setting.starts_with("HEADGATE_"))
        );
        assert_eq!(settings_of("webhook").len(), 3);
    }
}
