//! LOLWUT: a small drawing, another one each time, and the version.

use super::{int, is};
use crate::command::{Command, Group};
use crate::context::Ctx;
use crate::error::CmdResult;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

pub(crate) const COMMANDS: &[Command] = &[LOLWUT];

const LOLWUT: Command = Command::read(Group::Server, "lolwut", lolwut)
    .arity(-1)
    .fast()
    .since("5.0.0")
    .doc("A drawing, and the server's version.")
    .syntax("[VERSION version]");

const COLUMNS: usize = 60;
const ROWS: usize = 10;
/// Heights in a row of text, from nothing to all of it.
const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

fn lolwut(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if let (Some(word), Some(version)) = (args.get(1), args.get(2))
        && is(word, "version")
    {
        // The drawings of these versions can be told their measures; ours has its own, but a mistake is one all the same.
        let measures = match int(version)? {
            5 => 3,
            6 => 2,
            _ => 0,
        };
        args.from(3).iter().take(measures).try_for_each(|measure| int(measure).map(drop))?;
    }
    let text = format!("{}\nA night at the lake. Resplite ver. {}\n", draw(&mut ctx.chance()), crate::VERSION);
    out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// Mountains under stars, and the same upside down in the water.
fn draw(chance: &mut fastrand::Rng) -> String {
    let full = STEPS.len() - 1;
    let most = (ROWS * full) as i32;
    let mut height = chance.i32(most / 4..most / 2);
    let mut slope = 0;
    let heights: Vec<usize> = (0..COLUMNS)
        .map(|_| {
            slope = (slope + chance.i32(-3..=3)).clamp(-8, 8);
            // Whoever comes to an edge turns back.
            if height + slope < 4 || height + slope > most - 2 * full as i32 {
                slope = -slope;
            }
            height = (height + slope).clamp(1, most);
            height as usize
        })
        .collect();
    let mut drawing = String::new();
    for row in (0..ROWS).rev() {
        for height in &heights {
            let here = height.saturating_sub(row * full).min(full);
            let is_star = here == 0 && chance.u8(..) < 6;
            drawing.push(if is_star { '·' } else { STEPS[here] });
        }
        drawing.push('\n');
    }
    for row in 0..ROWS / 3 {
        for height in &heights {
            let is_dark = *height > row * 3 * full;
            drawing.push(if is_dark && chance.u8(..) < 200 { '░' } else { ' ' });
        }
        drawing.push('\n');
    }
    drawing
}
