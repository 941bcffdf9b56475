//! The plot: how fast messages went out, against the line of what is allowed.

use std::time::Duration;

/// Rows of the plot.
const ROWS: usize = 9;
/// Columns it is not to exceed.
const COLUMNS: usize = 96;
const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws the rate per half second, in messages a second; wider bins where the time does not fit.
pub(super) fn draw(times: &[Duration], limit: u32) -> String {
    let Some((first, last)) = times.iter().min().zip(times.iter().max()) else {
        return "  (nothing was sent)\n".to_owned();
    };
    let span = last.saturating_sub(*first).as_millis();
    let mut bin = 500_u128;
    while span / bin >= COLUMNS as u128 {
        bin += 500;
    }
    let columns = usize::try_from(span / bin).unwrap_or(0) + 1;
    let mut counts = vec![0_u64; columns];
    for time in times {
        let at = usize::try_from(time.saturating_sub(*first).as_millis() / bin).unwrap_or(0);
        if let Some(count) = counts.get_mut(at) {
            *count += 1;
        }
    }
    // What ends within the last bin would look slow: it is drawn for the time it lasted.
    let bin = u64::try_from(bin).unwrap_or(500);
    let tail = u64::try_from(span).unwrap_or(0) % bin;
    let rates: Vec<u64> = counts
        .iter()
        .enumerate()
        .filter_map(|(i, count)| {
            let is_last = i + 1 == columns;
            let length = if is_last && columns > 1 { tail } else { bin };
            // Too short to have a rate.
            (length >= bin / 4).then(|| count * 1_000 / length)
        })
        .collect();
    render(&rates, u64::from(limit), bin)
}

fn render(rates: &[u64], limit: u64, bin: u64) -> String {
    let top = rates.iter().copied().max().unwrap_or(0).max(limit);
    // The limit is the upper edge of a row, and there is room above it.
    let rows_below = ROWS - 1;
    let row_height = (limit.max(1)).div_ceil(rows_below as u64).max(1);
    let rows = usize::try_from(top.div_ceil(row_height))
        .unwrap_or(ROWS)
        .clamp(ROWS, 2 * ROWS);
    let mut out = String::new();
    for row in (0..rows).rev() {
        let floor = row as u64 * row_height;
        let is_limit_row = row == rows_below;
        let label = if is_limit_row {
            format!("{limit:>5}/s ")
        } else if row == 0 {
            "    0/s ".to_owned()
        } else {
            " ".repeat(8)
        };
        out.push_str(&label);
        out.push(if is_limit_row { '┄' } else { '│' });
        for rate in rates {
            let above = rate.saturating_sub(floor);
            let eighths = usize::try_from(above * 8 / row_height).unwrap_or(8).min(8);
            out.push(match eighths {
                0 if is_limit_row => '┄',
                0 => ' ',
                n => EIGHTHS.get(n - 1).copied().unwrap_or('█'),
            });
        }
        out.push_str(if is_limit_row { "┄ limit\n" } else { "\n" });
    }
    let seconds = rates.len() as u64 * bin / 1_000;
    let ends = format!("{seconds} s");
    out.push_str(&format!("{}└{}\n", " ".repeat(8), "─".repeat(rates.len())));
    out.push_str(&format!(
        "{}0{ends:>width$}\n",
        " ".repeat(9),
        width = rates.len().saturating_sub(1).max(ends.len())
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(ms: u64, count: u64) -> Vec<Duration> {
        (0..count).map(|i| Duration::from_millis(i * ms)).collect()
    }

    #[test]
    fn a_steady_rate_just_below_the_limit_stays_below_the_line() {
        let plot = draw(&every(13, 600), 80);
        let line = plot
            .lines()
            .find(|l| l.contains("limit"))
            .unwrap_or_default();
        assert!(line.starts_with("   80/s ┄"), "{plot}");
        assert!(!line.contains('█'), "nothing reaches the line:\n{plot}");
        assert!(plot.contains('█'), "{plot}");
    }

    #[test]
    fn what_is_over_the_limit_is_seen_over_the_line() {
        let plot = draw(&every(8, 600), 80);
        let line = plot
            .lines()
            .find(|l| l.contains("limit"))
            .unwrap_or_default();
        assert!(line.chars().any(|c| EIGHTHS.contains(&c)), "{plot}");
    }

    #[test]
    fn a_long_run_fits_and_no_run_is_no_error() {
        assert!(
            draw(&every(100, 6_000), 10)
                .lines()
                .all(|l| l.chars().count() < COLUMNS + 24)
        );
        assert!(draw(&[], 80).contains("nothing"));
        assert!(draw(&every(1, 1), 80).contains("limit"));
    }
}
