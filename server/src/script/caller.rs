//! How a running script reaches the server: its commands go through the door's checks for scripts and then to their
//! handlers, under the locks that the script holds.

use super::flags::ScriptFlags;
use super::host::Caller;
use super::running::Shown;
use super::{Call, hex, sha_of};
use crate::acl::refusals::Context;
use crate::command::{self, Command, Flags};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::clock::Stopwatch;

/// A script, a function or a library that is being loaded, as the server knows it.
pub(super) struct ScriptCaller<'c, 'a> {
    ctx: &'c mut Ctx<'a>,
    kind: Kind<'c>,
    is_read_only: bool,
    /// Memory has run out, and the script did not say that it may run all the same.
    is_short: bool,
    has_written: bool,
    /// Runs since it turned out that the script takes its time.
    since: Option<Stopwatch>,
    db: usize,
    outer: &'static Command,
    was_logged: bool,
}

enum Kind<'c> {
    Script(&'c Call<'c>),
    Function(&'c Call<'c>, &'c str),
    Library,
}

/// Milliseconds that a library may take to load.
const LOAD_TIME: u128 = 500;

impl<'c, 'a> ScriptCaller<'c, 'a> {
    /// For a script that is about to run.
    ///
    /// # Errors
    /// It may not run now.
    pub(super) fn of_script(ctx: &'c mut Ctx<'a>, flags: ScriptFlags, call: &'c Call<'c>) -> CmdResult<Self> {
        Self::checked(ctx, flags, Kind::Script(call), call)
    }

    /// For a function that is about to run.
    ///
    /// # Errors
    /// It may not run now.
    pub(super) fn of_function(
        ctx: &'c mut Ctx<'a>,
        flags: ScriptFlags,
        call: &'c Call<'c>,
        name: &'c str,
    ) -> CmdResult<Self> {
        Self::checked(ctx, flags, Kind::Function(call, name), call)
    }

    /// For a library that is about to be loaded.
    pub(super) fn of_library(ctx: &'c mut Ctx<'a>) -> Self {
        Self::new(ctx, Kind::Library, true, false)
    }

    fn checked(ctx: &'c mut Ctx<'a>, flags: ScriptFlags, kind: Kind<'c>, call: &'c Call<'c>) -> CmdResult<Self> {
        let mut is_read_only = call.is_read_only;
        let is_short = ctx.session.is_short;
        if !flags.has(ScriptFlags::SILENT) {
            let may_write = !flags.has(ScriptFlags::NO_WRITES);
            if may_write {
                if call.is_read_only {
                    return Err(CommandError::WRITING_IN_RO);
                }
                ctx.engine.admit_write(ctx.session)?;
            }
            if is_short && may_write && !flags.has(ScriptFlags::ALLOW_OOM) {
                return Err(CommandError::OOM);
            }
            is_read_only |= !may_write;
        }
        let is_short = is_short && !flags.has(ScriptFlags::ALLOW_OOM);
        Ok(Self::new(ctx, kind, is_read_only, is_short))
    }

    fn new(ctx: &'c mut Ctx<'a>, kind: Kind<'c>, is_read_only: bool, is_short: bool) -> Self {
        let (db, outer, was_logged) = (ctx.db(), ctx.command, ctx.begin_script());
        ScriptCaller { ctx, kind, is_read_only, is_short, has_written: false, since: None, db, outer, was_logged }
    }

    /// The command of these arguments, if scripts may call it.
    fn admit(&self, args: Args<'_>) -> CmdResult<&'static Command> {
        let command = command::resolve(self.ctx.engine.names.find(args.name()), args);
        let command = command.map_err(|_| CommandError::UNKNOWN_IN_SCRIPT)?;
        if !command.takes(args.len()) {
            return Err(CommandError::ARITY_IN_SCRIPT);
        }
        if command.flags.has(Flags::NOSCRIPT) {
            return Err(CommandError::NOT_IN_SCRIPT);
        }
        if let Err(denied) = self.ctx.session.user.check(command, args) {
            let session = &*self.ctx.session;
            let who = (&*session.record, &*session.user);
            self.ctx.engine.note_denied(who, (command, args), denied, Context::Script);
            return Err(session.user.error(command, denied).in_script());
        }
        if self.is_read_only && (command.flags.has(Flags::WRITE) || command.flags.has(Flags::MAY_REPLICATE)) {
            return Err(CommandError::READ_ONLY_SCRIPT);
        }
        if command.flags.has(Flags::WRITE) {
            self.ctx.engine.admit_write(self.ctx.session)?;
        }
        if self.is_short && !self.has_written && command.flags.has(Flags::DENYOOM) {
            return Err(CommandError::OOM);
        }
        Ok(command)
    }

    /// Shows others what runs.
    fn show(&self) {
        let (name, args) = match self.kind {
            // A script's name is not known any more if it came by its source; that is rare enough to compute it again.
            Kind::Script(call) if super::parse_sha(&call.args[1]).is_some() => {
                (String::from_utf8_lossy(&call.args[1]).to_lowercase(), call.args.to_owned())
            }
            Kind::Script(call) => {
                let sha = hex(&sha_of(&call.args[1]));
                (String::from_utf8_lossy(&sha).into_owned(), call.args.to_owned())
            }
            Kind::Function(call, name) => (name.to_owned(), call.args.to_owned()),
            Kind::Library => return,
        };
        let running = &self.ctx.engine.scripts.running;
        running.set_wrote(self.has_written);
        running.show(Shown { name, args, since: Stopwatch::start() }, matches!(self.kind, Kind::Function(..)));
    }
}

/// Puts back what the script may have changed for itself.
impl Drop for ScriptCaller<'_, '_> {
    fn drop(&mut self) {
        self.ctx.end_script(self.outer, self.db, self.was_logged);
        if self.since.is_some() {
            self.ctx.engine.scripts.running.end();
            self.ctx.clear_left_over();
        }
    }
}

impl Caller for ScriptCaller<'_, '_> {
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Result<(), CommandError> {
        let command = match self.admit(args) {
            Ok(command) => command,
            Err(error) => {
                let engine = self.ctx.engine;
                engine.stats.count_error(error.as_bytes());
                if let Ok(command) = command::resolve(engine.names.find(args.name()), args) {
                    engine.command_stats.count_rejected(self.ctx.session.record.id, command);
                }
                return Err(error);
            }
        };
        if command.flags.has(Flags::WRITE) && !self.has_written {
            self.has_written = true;
            if self.since.is_some() {
                self.ctx.engine.scripts.running.set_wrote(true);
            }
        }
        self.ctx.run_in_script(command, args, reply);
        Ok(())
    }

    fn may_call(&mut self, args: Args<'_>) -> Result<bool, ()> {
        let command = command::resolve(self.ctx.engine.names.find(args.name()), args).map_err(|_| ())?;
        if !command.takes(args.len()) {
            return Err(());
        }
        Ok(self.ctx.session.user.check(command, args).is_ok())
    }

    fn set_logged(&mut self, is_logged: bool) {
        self.ctx.set_logged(is_logged && self.was_logged);
    }

    fn clock(&mut self) -> f64 {
        let engine = self.ctx.engine;
        engine.clock.micros().saturating_sub(engine.started) as f64 / 1e6
    }

    fn interrupt(&mut self) -> Option<&'static str> {
        let engine = self.ctx.engine;
        if matches!(self.kind, Kind::Library) {
            // It is nobody's script, and what a file holds has been loaded before.
            let elapsed = self.since.get_or_insert_with(Stopwatch::start).elapsed().as_millis();
            let is_over = elapsed >= LOAD_TIME && !self.ctx.session.is_replay || engine.is_stopping();
            return is_over.then_some("FUNCTION LOAD timeout");
        }
        if self.since.is_none() {
            self.show();
        }
        let elapsed = self.since.get_or_insert_with(Stopwatch::start).elapsed().as_millis();
        let running = &engine.scripts.running;
        let patience = u128::from(self.ctx.settings().busy_reply_threshold);
        if patience > 0 && elapsed >= patience {
            if !running.is_busy() {
                running.set_busy();
                log::warn!(
                    "A script has been running for {elapsed} milliseconds; SCRIPT KILL or FUNCTION KILL ends it"
                );
            }
            if let Some(serve) = self.ctx.session.while_busy.clone() {
                serve();
            }
        }
        if engine.is_stopping() && (!self.has_written || running.is_abandoned()) {
            if self.has_written {
                self.was_logged = false;
                self.ctx.abandon();
            }
            return Some("the server has ended");
        }
        // What has been written since somebody looked keeps the script from being killed all the same.
        if running.is_killed() && !self.has_written {
            log::warn!("A script was killed");
            return Some("Script killed by user with SCRIPT KILL...");
        }
        None
    }
}
