//! `resplite check-aof` and `resplite check-rdb`: what files of data are like, for people; loading them is elsewhere.

use resplite::disk::{Disk, RealDisk};
use resplite::{aof, rdb};
use std::fmt::Write;
use std::path::Path;

/// Looks at a log. The text is the report; as an error if the log would not be loaded.
pub(crate) fn aof(path: &Path, fix: bool) -> Result<String, String> {
    let reports = aof::check::check(&RealDisk, path, fix).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let mut is_well = true;
    for report in &reports {
        let _ = write!(text, "{}: {} bytes, {} commands", report.path.display(), report.len, report.commands);
        match &report.damage {
            None => text.push_str(", well"),
            Some((offset, what)) if report.is_cut => {
                let gone = report.len - offset;
                let _ = write!(text, "; at offset {offset} there was {what}: the last {gone} bytes were cut off");
            }
            Some((offset, what)) => {
                is_well = false;
                let _ = write!(text, "; DAMAGED at offset {offset}: {what}");
            }
        }
        text.push('\n');
    }
    if is_well {
        return Ok(text);
    }
    let can_be_fixed = reports.iter().all(|report| report.damage.is_none() || report.can_be_cut);
    text.push_str(if can_be_fixed {
        "With --fix the file is cut off there; what lies behind is given up."
    } else {
        "Only the end of the last file that holds anything can be cut off. What can be saved of the others has to be \
         moved into a new log by hand."
    });
    Err(text)
}

/// Looks at a snapshot.
pub(crate) fn rdb(path: &Path) -> Result<String, String> {
    let input = RealDisk.read(path).map_err(|error| error.to_string())?;
    let summary = rdb::check(input, Default::default(), |_| {})
        .map_err(|error| format!("{}: DAMAGED: {error}", path.display()))?;
    let mut text = format!("{}: {} bytes, version {}, well\n", path.display(), summary.bytes, summary.version);
    let _ = writeln!(text, "{} keys, {} of them with a deadline", summary.keys, summary.expires);
    for (name, found) in [
        ("strings", &summary.strings),
        ("lists", &summary.lists),
        ("sets", &summary.sets),
        ("hashes", &summary.hashes),
        ("sorted sets", &summary.sorted_sets),
    ] {
        if found.keys > 0 {
            let _ = writeln!(text, "{name}: {} keys, {} bytes", found.keys, found.bytes);
        }
    }
    if summary.functions > 0 {
        let _ = writeln!(text, "{} libraries of functions, which are not supported yet", summary.functions);
    }
    Ok(text)
}
