//! The generic family: keys of any type, their names, deadlines and databases.

use crate::command::Command;

pub(crate) const COMMANDS: &[Command] = &[];
