//! What LATENCY DOCTOR and LATENCY GRAPH say of events: texts, made from the samples alone.

use crate::slow::Event;
use std::fmt::Write;

/// Samples that a graph shows, the latest ones.
const COLUMNS: usize = 80;
/// Lines of a graph.
const ROWS: u64 = 6;

/// The samples of an event as bars, the latest on the right, and below each how long ago it was.
pub(super) fn graph(name: &str, event: &Event, now: u64) -> String {
    let skipped = event.samples.len().saturating_sub(COLUMNS);
    let samples: Vec<(u64, u64)> = event.samples.iter().skip(skipped).copied().collect();
    let millis = || samples.iter().map(|(_, millis)| *millis);
    let (low, high) = (millis().min().unwrap_or(0), millis().max().unwrap_or(0));
    let mut text = format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", event.most);
    text.extend(std::iter::repeat_n('-', COLUMNS));
    text.push('\n');
    // The lowest still has a bar.
    let height = |millis: u64| 1 + (millis - low) * (ROWS - 1) / (high - low).max(1);
    for row in (1..=ROWS).rev() {
        push_line(&mut text, millis().map(|millis| if height(millis) >= row { '#' } else { ' ' }));
    }
    let ages: Vec<Vec<char>> = samples.iter().map(|(second, _)| age(now.saturating_sub(*second))).collect();
    let tallest = ages.iter().map(Vec::len).max().unwrap_or(0);
    for row in 0..tallest {
        push_line(&mut text, ages.iter().map(|age| age.get(row).copied().unwrap_or(' ')));
    }
    text
}

fn push_line(text: &mut String, line: impl Iterator<Item = char>) {
    let line: String = line.collect();
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Seconds in the unit that needs the fewest digits.
fn age(seconds: u64) -> Vec<char> {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or((1, 's'));
    format!("{}{name}", seconds / unit).chars().collect()
}

/// What is known of an event for certain, and what can be done about it.
const ADVICE: &[(&str, &str)] = &[
    (
        "command",
        "Commands that look at much data were called: SLOWLOG GET shows which ones, if slowlog-log-slower-than is low \
         enough. Ask for less at once (SCAN instead of KEYS, ranges instead of whole values), and use UNLINK for large values.",
    ),
    (
        "fast-command",
        "Commands that should take no time took long: either the process did not get the processor (look at the load \
         of the machine and at its virtual memory), or their arguments were very many.",
    ),
    (
        "expire-cycle",
        "Many keys expired at the same time: spread their deadlines a little, or free them with lazyfree-lazy-expire.",
    ),
    (
        "eviction-cycle",
        "Many or large keys had to go at once since memory had reached maxmemory: raise it, write less at once, or free \
         values with lazyfree-lazy-eviction.",
    ),
];

/// What the events of the latency monitor say, all together.
pub(super) fn doctor(events: &[(&'static str, Event)], threshold: u64, now: u64) -> String {
    if events.is_empty() && threshold == 0 {
        return "The latency monitor is off: CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n".into();
    }
    if events.is_empty() {
        return format!("Nothing has taken {threshold} ms or longer since the monitor was turned on.\n");
    }
    let mut text = String::from("What took long, as far as it was noted:\n\n");
    for (number, (name, event)) in events.iter().enumerate() {
        let count = event.samples.len() as u64;
        let sum: u64 = event.samples.iter().map(|(_, millis)| millis).sum();
        let average = sum as f64 / count.max(1) as f64;
        let deviation = event.samples.iter().map(|(_, millis)| (*millis as f64 - average).abs()).sum::<f64>();
        let first = event.samples.front().map_or(now, |(second, _)| *second);
        let every = now.saturating_sub(first) as f64 / count.max(1) as f64;
        let written = writeln!(
            text,
            "{}. {name}: {count} seconds with a sample, {average:.0} ms on the average (mean deviation {:.0} ms), one every \
             {every:.1} seconds; the worst ever was {} ms.",
            number + 1,
            deviation / count.max(1) as f64,
            event.most
        );
        debug_assert!(written.is_ok(), "a String takes everything");
    }
    text.push_str("\nWhat can be done about it:\n\n");
    for (name, advice) in ADVICE {
        if events.iter().any(|(event, _)| event == name) {
            text.push_str(&format!("- {name}: {advice}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(samples: &[(u64, u64)], most: u64) -> Event {
        Event { samples: samples.iter().copied().collect(), most }
    }

    #[test]
    fn a_graph_has_a_bar_for_each_sample() {
        let text = graph("command", &event(&[(100, 10), (4000, 20), (7260, 35)], 50), 7300);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "command - high 35 ms, low 10 ms (all time high 50 ms)");
        assert_eq!(lines[2..], ["  #", "  #", "  #", " ##", " ##", "###", "254", "h50", " ms"].map(str::to_owned));
        let many: Vec<(u64, u64)> = (0..160).map(|at| (at, 5)).collect();
        let text = graph("command", &event(&many, 5), 160);
        assert_eq!(text.lines().nth(7).map(str::len), Some(COLUMNS));
        assert_eq!(text.lines().nth(2), Some(""), "all are the lowest");
    }

    #[test]
    fn the_doctor_counts() {
        assert!(doctor(&[], 0, 0).contains("is off"));
        assert!(doctor(&[], 7, 0).contains("7 ms or longer"));
        let text = doctor(&[("command", event(&[(100, 10), (110, 30)], 90))], 5, 120);
        assert!(text.contains(
            "1. command: 2 seconds with a sample, 20 ms on the average (mean deviation 10 ms), one every 10.0"
        ));
        assert!(text.contains("worst ever was 90 ms") && text.contains("SLOWLOG GET") && !text.contains("maxmemory"));
    }

    #[test]
    fn every_event_has_advice() {
        for name in ["command", "fast-command", "expire-cycle", "eviction-cycle"] {
            assert!(ADVICE.iter().any(|(known, _)| *known == name), "{name}");
        }
    }
}
