//! SORT and SORT_RO: the elements of a list, a set or a sorted set in another order, or what keys named after them hold.

use super::{Bound, bounded, int, is, write_item, write_string};
use crate::command::{Command, Flags, Group, KeySpec, Locks, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use memchr::{memchr, memmem};
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::entry::{Entry, StringRef, ValueRef};
use resplite_storage::partial_sort::sort_part;
use resplite_storage::types::list::{List, Side};
use resplite_storage::types::{Item, Limits};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

pub(crate) const COMMANDS: &[Command] = &[SORT, SORT_RO];

const CATEGORIES: &[&str] = &["set", "sortedset", "list", "dangerous"];

const SORT: Command = Command::write(Group::Generic, "sort", sort)
    .arity(-2)
    .key(usage::READ, 1)
    .keys(KeySpec::unknown(usage::READ, |_| None))
    .keys(KeySpec::unknown(usage::OVERWRITE, destination))
    .locks(Locks::AllIf(has_pattern))
    .flag(Flags::MOVABLEKEYS)
    .deny_oom()
    .categories(CATEGORIES)
    .doc("The elements of a list, a set or a sorted set in order, or what keys named after them hold; shown or kept.")
    .syntax(
        "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA] \
         [STORE destination]",
    );

const SORT_RO: Command = Command::read(Group::Generic, "sort_ro", sort)
    .arity(-2)
    .key(usage::READ, 1)
    .keys(KeySpec::unknown(usage::READ, |_| None))
    .locks(Locks::AllIf(has_pattern))
    .flag(Flags::MOVABLEKEYS)
    .categories(CATEGORIES)
    .since("7.0.0")
    .doc("The elements of a list, a set or a sorted set in order, or what keys named after them hold.")
    .syntax("key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA]");

/// Whether keys may be met that the elements name: only a pattern with a star leads to them.
fn has_pattern(args: Args<'_>) -> bool {
    args.iter().skip(2).any(|arg| memchr(b'*', arg).is_some())
}

/// Which argument is the key that the result is kept under.
fn destination(args: Args<'_>) -> Option<usize> {
    let (mut found, mut at) = (None, 2);
    while let Some(word) = args.get(at) {
        at += match word {
            word if is(word, "limit") => 3,
            word if is(word, "by") || is(word, "get") => 2,
            word if is(word, "store") => {
                found = Some(at + 1).filter(|at| *at < args.len()).or(found);
                2
            }
            _ => 1,
        };
    }
    found
}

#[derive(Default)]
struct Options<'a> {
    /// The pattern of the keys whose values say how the elements are sorted.
    by: Option<Pattern<'a>>,
    /// A pattern without a star was given: the elements stay as they are.
    keep_order: bool,
    gets: Vec<Pattern<'a>>,
    /// Elements to skip, and to show at most (negative: all).
    limit: Option<(i64, i64)>,
    descending: bool,
    /// They are compared as texts, not as numbers.
    alpha: bool,
    destination: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(ctx: &Ctx<'_>, args: Args<'a>) -> CmdResult<Self> {
        let may_store = ctx.command.flags.has(Flags::WRITE);
        let may_look_up = || ctx.session.user.may_read_others(ctx.command, args);
        let mut options = Options::default();
        let mut at = 2;
        while let Some(word) = args.get(at) {
            let left = args.len() - at - 1;
            match word {
                word if is(word, "asc") => options.descending = false,
                word if is(word, "desc") => options.descending = true,
                word if is(word, "alpha") => options.alpha = true,
                word if is(word, "limit") && left >= 2 => {
                    options.limit = Some((int(&args[at + 1])?, int(&args[at + 2])?));
                    at += 2;
                }
                word if may_store && is(word, "store") && left >= 1 => {
                    at += 1;
                    options.destination = args.get(at);
                }
                word if is(word, "by") && left >= 1 => {
                    at += 1;
                    let pattern = Pattern::parse(args.get(at).unwrap_or_default());
                    let leads_to_keys = matches!(pattern, Pattern::Key { .. });
                    if leads_to_keys && !may_look_up() {
                        return Err(CommandError::BY_DENIED);
                    }
                    options.keep_order |= !leads_to_keys;
                    options.by = Some(pattern);
                }
                word if is(word, "get") && left >= 1 => {
                    if !may_look_up() {
                        return Err(CommandError::GET_DENIED);
                    }
                    at += 1;
                    options.gets.push(Pattern::parse(args.get(at).unwrap_or_default()));
                }
                _ => return Err(CommandError::SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }

    /// Which of `len` elements are wanted once they are in order.
    fn window(&self, len: usize) -> Range<usize> {
        let (skip, most) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(skip.max(0)).unwrap_or(usize::MAX).min(len);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        start..start + most.min(len - start)
    }
}

/// What BY and GET name. As for C a pattern ends at a zero byte where something is looked for in it.
#[derive(Clone, Copy)]
enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// The key with the element in place of the star, or a field of the hash at that key.
    Key { before: &'a [u8], behind: &'a [u8], field: Option<&'a [u8]> },
    /// Without a star it names nothing.
    Nothing,
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a [u8]) -> Self {
        let visible = &text[..memchr(0, text).unwrap_or(text.len())];
        if visible == b"#" {
            return Pattern::Element;
        }
        let Some(star) = memchr(b'*', visible) else { return Pattern::Nothing };
        let behind = star + 1;
        // An arrow at the very end is a part of the key.
        let arrow = memmem::find(&visible[behind..], b"->").filter(|arrow| behind + arrow + 2 < visible.len());
        let end = arrow.map_or(text.len(), |arrow| behind + arrow);
        let field = arrow.map(|_| &text[end + 2..]);
        Pattern::Key { before: &text[..star], behind: &text[behind..end], field }
    }

    /// Looks up what the pattern names for an element, counting a read; `key` is room for the key.
    fn read<'c>(&self, ctx: &'c mut Ctx<'_>, element: &'c [u8], key: &mut Vec<u8>) -> Option<Found<'c>> {
        match *self {
            Pattern::Element => Some(Found::Item(Item::Bytes(element))),
            Pattern::Nothing => None,
            Pattern::Key { field, .. } => {
                self.write_key(element, key);
                found(ctx.entry(key)?, field)
            }
        }
    }

    /// The same for what has just been read; all of it can be looked at together.
    fn look<'c>(&self, ctx: &'c Ctx<'_>, element: &'c [u8], key: &mut Vec<u8>) -> Option<Found<'c>> {
        match *self {
            Pattern::Element => Some(Found::Item(Item::Bytes(element))),
            Pattern::Nothing => None,
            Pattern::Key { field, .. } => {
                self.write_key(element, key);
                found(ctx.look_again(key)?, field)
            }
        }
    }

    fn write_key(&self, element: &[u8], key: &mut Vec<u8>) {
        key.clear();
        if let Pattern::Key { before, behind, .. } = self {
            [before, element, behind].into_iter().for_each(|part| key.extend_from_slice(part));
        }
    }
}

/// What an entry holds that SORT can show: a string, or a field of a hash.
fn found<'c>(entry: &'c Entry, field: Option<&[u8]>) -> Option<Found<'c>> {
    match (entry.value(), field) {
        (ValueRef::String(text), None) => Some(Found::String(text)),
        (ValueRef::Hash(hash), Some(field)) => hash.get(field).map(Found::Item),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Found<'c> {
    String(StringRef<'c>),
    Item(Item<'c>),
}

impl<'c> Found<'c> {
    fn with_bytes<R>(self, read: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Found::String(text) => text.with_bytes(read),
            Found::Item(item) => item.with_bytes(read),
        }
    }

    fn into_text(self) -> Cow<'c, [u8]> {
        match self {
            Found::String(text) => text.into(),
            Found::Item(Item::Bytes(bytes)) => Cow::Borrowed(bytes),
            Found::Item(item) => Cow::Owned(item.to_vec()),
        }
    }

    fn write(self, out: &mut Reply) {
        match self {
            Found::String(text) => write_string(out, text),
            Found::Item(item) => write_item(out, item),
        }
    }
}

/// The elements that are sorted, one behind the other.
#[derive(Default)]
struct Elements {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Elements {
    fn add(&mut self, element: Item<'_>) {
        element.with_bytes(|bytes| self.bytes.extend_from_slice(bytes));
        self.ends.push(self.bytes.len());
    }

    fn add_all<'e>(&mut self, elements: impl DoubleEndedIterator<Item = Item<'e>>, is_turned: bool) {
        if is_turned {
            elements.rev().for_each(|element| self.add(element));
        } else {
            elements.for_each(|element| self.add(element));
        }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[at]]
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.get(at))
    }
}

/// The elements of a key, or only those that are wanted, if they stay in order; and which of these are wanted.
struct Loaded {
    elements: Elements,
    window: Range<usize>,
    is_set: bool,
}

impl Loaded {
    fn read(ctx: &mut Ctx<'_>, key: &[u8], options: &Options<'_>) -> CmdResult<Self> {
        let mut elements = Elements::default();
        let Some(entry) = ctx.entry(key) else {
            return Ok(Loaded { elements, window: 0..0, is_set: false });
        };
        // Lists and sorted sets have an order to keep, which DESC turns round.
        let is_turned = options.keep_order && options.descending;
        let ordered = |len: usize| {
            let window = if options.keep_order { options.window(len) } else { 0..len };
            if is_turned { len - window.end..len - window.start } else { window }
        };
        let is_set = match entry.value() {
            ValueRef::List(list) => {
                elements.add_all(list.range(ordered(list.len())), is_turned);
                false
            }
            ValueRef::SortedSet(set) => {
                let members = set.range(ordered(set.len())).map(|(member, _)| member);
                elements.add_all(members, is_turned);
                false
            }
            ValueRef::Set(set) => {
                set.iter().for_each(|member| elements.add(member));
                true
            }
            _ => return Err(CommandError::WRONG_TYPE),
        };
        let len = elements.len();
        let window = if options.keep_order && !is_set { 0..len } else { options.window(len) };
        Ok(Loaded { elements, window, is_set })
    }
}

fn sort(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut options = Options::parse(ctx, args)?;
    let Loaded { elements, window, is_set } = Loaded::read(ctx, &args[1], &options)?;
    if options.keep_order && is_set && (options.destination.is_some() || ctx.is_in_script()) {
        // A set has no order that could be kept: what is stored, or seen by a script, must be the same everywhere.
        options.keep_order = false;
        options.alpha = true;
        options.by = None;
    }
    let order = in_order(ctx, &elements, &options, window)?;
    let Some(destination) = options.destination else {
        return write_sorted(ctx, &elements, &order, &options, out);
    };
    let (list, len) = collect(ctx, &elements, &order, &options)?;
    if is_set && options.alpha && options.by.is_some() {
        // Elements with the same weight come in the set's own order, which is left to chance.
        log_list(ctx, destination, &list);
    }
    ctx.store(destination, list, EventClasses::LIST, "sortstore");
    out.int(len as i64);
    Ok(())
}

/// Which elements are wanted, in the order that the options say.
fn in_order(
    ctx: &mut Ctx<'_>,
    elements: &Elements,
    options: &Options<'_>,
    window: Range<usize>,
) -> CmdResult<Vec<usize>> {
    let mut order: Vec<usize> = (0..elements.len()).collect();
    if !options.keep_order {
        let turn = |order: Ordering| if options.descending { order.reverse() } else { order };
        // Real servers sort all of it if the elements themselves are compared, which shows where some are the same.
        let part = if options.by.is_some() { window.clone() } else { 0..order.len() };
        match (options.alpha, &options.by) {
            (false, by) => {
                let weights = numbers(ctx, elements, by.as_ref())?;
                let compare = |one: usize, other: usize| {
                    let by_weight = weights[one].partial_cmp(&weights[other]).unwrap_or(Ordering::Equal);
                    by_weight.then_with(|| elements.get(one).cmp(elements.get(other)))
                };
                // Only equal elements are equal here.
                sort_part(&mut order, window.clone(), |one, other| turn(compare(*one, *other)));
            }
            (true, None) => {
                let text = |at: &usize| shown(elements.get(*at), options);
                sort_part(&mut order, part, |one, other| turn(text(one).cmp(text(other))));
            }
            (true, Some(by)) => {
                let weights = texts(ctx, elements, by);
                let text = |at: &usize| weights[*at].as_deref().map(|weight| shown(weight, options));
                sort_part(&mut order, part, |one, other| turn(text(one).cmp(&text(other))));
            }
        }
    }
    order.truncate(window.end);
    order.drain(..window.start);
    Ok(order)
}

/// What is compared of a text: all of it if the result is kept, otherwise what C's `strcoll` sees.
fn shown<'t>(text: &'t [u8], options: &Options<'_>) -> &'t [u8] {
    match options.destination {
        Some(_) => text,
        None => &text[..memchr(0, text).unwrap_or(text.len())],
    }
}

/// The numbers by which elements are sorted: themselves, or what the pattern names, 0 where that is missing.
fn numbers(ctx: &mut Ctx<'_>, elements: &Elements, by: Option<&Pattern<'_>>) -> CmdResult<Vec<f64>> {
    let (mut key, mut is_wrong) = (Vec::new(), false);
    let mut weights = Vec::with_capacity(elements.len());
    for element in elements.iter() {
        let weight = match by {
            None => weight(element),
            Some(by) => by.read(ctx, element, &mut key).map_or(Some(0.0), |found| found.with_bytes(weight)),
        };
        is_wrong |= weight.is_none();
        weights.push(weight.unwrap_or(0.0));
    }
    if is_wrong { Err(CommandError::NOT_SORTABLE) } else { Ok(weights) }
}

/// The texts that the pattern names.
fn texts<'c>(ctx: &'c mut Ctx<'_>, elements: &'c Elements, by: &Pattern<'_>) -> Vec<Option<Cow<'c, [u8]>>> {
    let mut key = Vec::new();
    // First all of them are read, which may remove what has expired; then all of them stay.
    for element in elements.iter() {
        by.read(ctx, element, &mut key);
    }
    let ctx = &*ctx;
    elements.iter().map(|element| by.look(ctx, element, &mut key).map(Found::into_text)).collect()
}

/// A text as a number, as C's `strtod` reads it: blanks may stand in front, nothing at all is 0, a zero byte ends it.
fn weight(text: &[u8]) -> Option<f64> {
    if let Some(number) = number::parse_i64(text) {
        return Some(number as f64);
    }
    let text = &text[..memchr(0, text).unwrap_or(text.len())];
    if text.is_empty() {
        return Some(0.0);
    }
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let blanks = text.iter().take_while(is_blank).count();
    number::parse_f64(&text[blanks..])
}

fn write_sorted(
    ctx: &mut Ctx<'_>,
    elements: &Elements,
    order: &[usize],
    options: &Options<'_>,
    out: &mut Reply,
) -> CmdResult {
    out.array(order.len() * options.gets.len().max(1));
    if options.gets.is_empty() {
        order.iter().for_each(|at| out.bulk(elements.get(*at)));
        return Ok(());
    }
    let (bound, mut key) = (Bound::new(ctx, out), Vec::new());
    for at in order {
        for get in &options.gets {
            match get.read(ctx, elements.get(*at), &mut key) {
                Some(found) => found.write(out),
                None => out.nil(),
            }
            bounded(bound.check(out))?;
        }
    }
    Ok(())
}

/// The list that is to be kept, and its length. What is missing is an empty text.
fn collect(ctx: &mut Ctx<'_>, elements: &Elements, order: &[usize], options: &Options<'_>) -> CmdResult<(List, usize)> {
    let limits: Limits = ctx.limits();
    let mut list = List::new();
    if options.gets.is_empty() {
        order.iter().for_each(|at| list.push(Side::Back, elements.get(*at), &limits));
    }
    // As for a reply: what is stored can be named any number of times.
    let (most, mut bytes, mut key) = (ctx.settings().proto_max_bulk_len, 0, Vec::new());
    for at in order.iter().filter(|_| !options.gets.is_empty()) {
        for get in &options.gets {
            let found = get.read(ctx, elements.get(*at), &mut key);
            found.unwrap_or(Found::Item(Item::Bytes(b""))).with_bytes(|text| {
                bytes += text.len() as u64 + 1;
                list.push(Side::Back, text, &limits);
            });
            if bytes > most {
                return Err(CommandError::OUT_OF_RANGE);
            }
        }
    }
    let len = list.len();
    Ok((list, len))
}

/// Has the log say what the list at a key is, instead of how it came about.
fn log_list(ctx: &mut Ctx<'_>, key: &[u8], list: &List) {
    if !ctx.is_logged() {
        return;
    }
    if ctx.peek(key).is_none() && list.is_empty() {
        return;
    }
    ctx.log(&[b"DEL", key]);
    if !list.is_empty() {
        let elements: Vec<Vec<u8>> = list.iter().map(Item::to_vec).collect();
        let mut record: Vec<&[u8]> = vec![b"RPUSH", key];
        record.extend(elements.iter().map(Vec::as_slice));
        ctx.log(&record);
    }
}
