//! The geo family: sorted sets whose scores are places on the earth.

use super::sorted_set::{Scores, add_all};
use super::{float, int, is, write_item};
use crate::command::{Command, Flags, Group, Handler, KeySpec, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::partial_sort::sort_part;
use resplite_storage::types::geo::{self, Area, Found, Position, Shape};
use resplite_storage::types::sorted_set::{AddOptions, SortedSet};
use std::cmp::Ordering;

pub(crate) const COMMANDS: &[Command] = &[
    GEOADD,
    GEOPOS,
    GEODIST,
    GEOHASH,
    GEOSEARCH,
    GEOSEARCHSTORE,
    GEORADIUS,
    GEORADIUS_RO,
    GEORADIUSBYMEMBER,
    GEORADIUSBYMEMBER_RO,
];

const fn read(name: &'static str, handler: Handler) -> Command {
    Command::read(Group::Geo, name, handler)
}

const fn write(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::Geo, name, handler).deny_oom()
}

const GEOADD: Command = write("geoadd", geoadd)
    .arity(-5)
    .key(usage::UPDATE, 1)
    .since("3.2.0")
    .doc("Adds members at places or moves them; returns how many are new.")
    .syntax("key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]");

fn geoadd(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (mut options, mut count_changed) = (AddOptions::default(), false);
    let mut at = 2;
    while let Some(word) = args.get(at) {
        match word {
            word if is(word, "nx") => options.only_new = true,
            word if is(word, "xx") => options.only_existing = true,
            word if is(word, "ch") => count_changed = true,
            _ => break,
        }
        at += 1;
    }
    let places = args.from(at);
    let is_whole = !places.is_empty() && places.len().is_multiple_of(3);
    if !is_whole || options.only_new && options.only_existing {
        return Err(CommandError::SYNTAX);
    }
    let scores = (0..places.len()).step_by(3).map(|at| position(&places[at], &places[at + 1]).map(Position::score));
    let scores = scores.collect::<CmdResult<Scores>>()?;
    add_all(ctx, &args[1], &scores, |at| &places[3 * at + 2], options, count_changed, out)
}

/// Reads a place.
fn position(longitude: &[u8], latitude: &[u8]) -> CmdResult<Position> {
    let (longitude, latitude) = (float(longitude)?, float(latitude)?);
    Position::new(longitude, latitude).ok_or_else(|| CommandError::invalid_position(longitude, latitude))
}

const GEOPOS: Command = read("geopos", geopos)
    .arity(-2)
    .key(usage::READ, 1)
    .since("3.2.0")
    .doc("Longitude and latitude of members, nil for those that do not exist.")
    .syntax("key [member [member ...]]");

fn geopos(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let set = ctx.read::<SortedSet>(&args[1])?;
    out.array(args.len() - 2);
    for member in args.iter().skip(2) {
        match set.and_then(|set| set.score(member)) {
            Some(score) => write_position(out, Position::of_score(score)),
            None => out.nil_array(),
        }
    }
    Ok(())
}

fn write_position(out: &mut Reply, position: Position) {
    out.array(2);
    write_degrees(out, position.longitude);
    write_degrees(out, position.latitude);
}

/// Writes a number with 17 digits behind the point, less the zeros at its end.
fn write_degrees(out: &mut Reply, degrees: f64) {
    let text = format!("{degrees:.17}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if out.is_resp3() {
        out.raw(format!(",{text}\r\n").as_bytes());
    } else {
        out.bulk(text);
    }
}

/// Writes a distance with four digits behind the point. It is made a whole number of ten-thousandths first, which rounds
/// otherwise than its exact digits would: one in a million shows that.
fn write_distance(out: &mut Reply, distance: f64) {
    let scaled = (distance * 10_000.0).round_ties_even();
    // What is no number becomes what processors make of it.
    let scaled = if scaled.is_finite() { scaled as i64 } else { i64::MIN };
    let (sign, scaled) = (if scaled < 0 { "-" } else { "" }, scaled.unsigned_abs());
    out.bulk(format!("{sign}{}.{:04}", scaled / 10_000, scaled % 10_000));
}

const GEODIST: Command = read("geodist", geodist)
    .arity(-4)
    .key(usage::READ, 1)
    .since("3.2.0")
    .doc("The distance between two members, or nil if one does not exist.")
    .syntax("key member1 member2 [M | KM | FT | MI]");

fn geodist(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let meters = match args.len() {
        4 => 1.0,
        5 => unit(&args[4])?,
        _ => return Err(CommandError::SYNTAX),
    };
    let set = ctx.read::<SortedSet>(&args[1])?;
    let place = |member: &[u8]| set?.score(member).map(Position::of_score);
    match (place(&args[2]), place(&args[3])) {
        (Some(one), Some(other)) => write_distance(out, one.distance(other) / meters),
        _ => out.nil(),
    }
    Ok(())
}

/// A unit of length in meters.
fn unit(word: &[u8]) -> CmdResult<f64> {
    match word {
        word if is(word, "m") => Ok(1.0),
        word if is(word, "km") => Ok(1000.0),
        word if is(word, "ft") => Ok(0.3048),
        word if is(word, "mi") => Ok(1609.34),
        _ => Err(CommandError::GEO_UNIT),
    }
}

const GEOHASH: Command = read("geohash", geohash)
    .arity(-2)
    .key(usage::READ, 1)
    .since("3.2.0")
    .doc("Members' places as geohash texts, nil for those that do not exist.")
    .syntax("key [member [member ...]]");

fn geohash(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let set = ctx.read::<SortedSet>(&args[1])?;
    out.array(args.len() - 2);
    for member in args.iter().skip(2) {
        match set.and_then(|set| set.score(member)) {
            Some(score) => out.bulk(Position::of_score(score).geohash()),
            None => out.nil(),
        }
    }
    Ok(())
}

/// Which of the commands that search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// GEORADIUS: a place and a radius stand in front of the options.
    Radius,
    /// GEORADIUSBYMEMBER: a member and a radius do.
    RadiusByMember,
    /// GEOSEARCH: all is said by options.
    Search,
    /// GEOSEARCHSTORE: in front of the key stands the destination.
    SearchStore,
}

/// In which order members are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// What a search is to find, and what of it is wanted.
#[derive(Default)]
struct Query<'a> {
    center: Option<Position>,
    /// A center was given, which without a set is nowhere.
    has_center: bool,
    area: Option<Area>,
    with_position: bool,
    with_distance: bool,
    with_hash: bool,
    order: Option<Order>,
    count: Option<usize>,
    any: bool,
    destination: Option<&'a [u8]>,
    /// Distances are kept as scores instead of places.
    keep_distances: bool,
}

impl<'a> Query<'a> {
    fn parse(args: Args<'a>, form: Form, may_store: bool, set: Option<&SortedSet>) -> CmdResult<Self> {
        let mut query = Query::default();
        let mut at = match form {
            Form::Radius => {
                query.set_center(Some(position(&args[2], &args[3])?));
                query.area = Some(circle(&args[4], &args[5])?);
                6
            }
            Form::RadiusByMember => {
                // Without a set nobody looks at the radius.
                if let Some(set) = set {
                    query.set_center(Some(place_of(set, &args[2])?));
                    query.area = Some(circle(&args[3], &args[4])?);
                }
                5
            }
            Form::Search => 2,
            Form::SearchStore => {
                query.destination = args.get(1);
                3
            }
        };
        let is_search = matches!(form, Form::Search | Form::SearchStore);
        let (mut by_place, mut by_member, mut by_radius, mut by_box) = (false, false, false, false);
        while let Some(word) = args.get(at) {
            let left = args.len() - at - 1;
            match word {
                word if is(word, "withdist") => query.with_distance = true,
                word if is(word, "withhash") => query.with_hash = true,
                word if is(word, "withcoord") => query.with_position = true,
                word if is(word, "any") => query.any = true,
                word if is(word, "asc") => query.order = Some(Order::Nearest),
                word if is(word, "desc") => query.order = Some(Order::Farthest),
                word if is(word, "count") && left >= 1 => {
                    at += 1;
                    let count = int(&args[at])?;
                    if count <= 0 {
                        return Err(CommandError::CLAIM_COUNT);
                    }
                    query.count = Some(usize::try_from(count).unwrap_or(usize::MAX));
                }
                word if may_store && !is_search && left >= 1 && (is(word, "store") || is(word, "storedist")) => {
                    at += 1;
                    query.destination = args.get(at);
                    query.keep_distances = is(word, "storedist");
                }
                word if form == Form::SearchStore && is(word, "storedist") => query.keep_distances = true,
                word if is_search && left >= 1 && !by_place && is(word, "frommember") => {
                    at += 1;
                    by_member = true;
                    query.set_center(set.map(|set| place_of(set, &args[at])).transpose()?);
                }
                word if is_search && left >= 2 && !by_member && is(word, "fromlonlat") => {
                    by_place = true;
                    query.set_center(Some(position(&args[at + 1], &args[at + 2])?));
                    at += 2;
                }
                word if is_search && left >= 2 && !by_box && is(word, "byradius") => {
                    by_radius = true;
                    query.area = Some(circle(&args[at + 1], &args[at + 2])?);
                    at += 2;
                }
                word if is_search && left >= 3 && !by_radius && is(word, "bybox") => {
                    by_box = true;
                    query.area = Some(rectangle(&args[at + 1], &args[at + 2], &args[at + 3])?);
                    at += 3;
                }
                _ => return Err(CommandError::SYNTAX),
            }
            at += 1;
        }
        query.check(args.name(), form)?;
        Ok(query)
    }

    fn set_center(&mut self, center: Option<Position>) {
        self.center = center;
        self.has_center = true;
    }

    fn check(&self, name: &[u8], form: Form) -> CmdResult {
        let is_search = matches!(form, Form::Search | Form::SearchStore);
        if self.destination.is_some() && (self.with_distance || self.with_hash || self.with_position) {
            let store = if is_search { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            return Err(CommandError::store_with(store));
        }
        if is_search && !self.has_center {
            return Err(CommandError::quoting(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ",
                name,
                "",
            ));
        }
        if is_search && self.area.is_none() {
            return Err(CommandError::quoting("ERR exactly one of BYRADIUS and BYBOX can be specified for ", name, ""));
        }
        if self.any && self.count.is_none() {
            return Err(CommandError::ANY_WITHOUT_COUNT);
        }
        Ok(())
    }

    /// What is wanted of a set, in the order in which it is wanted.
    fn run<'s>(&self, set: &'s SortedSet) -> Vec<Found<'s>> {
        let (Some(center), Some(area)) = (self.center, self.area) else { return Vec::new() };
        let most = self.count.unwrap_or(usize::MAX);
        let mut found = geo::search(set, center, &area, if self.any { most } else { usize::MAX });
        // A count without an order is of the nearest ones.
        let by_default = (self.count.is_some() && !self.any).then_some(Order::Nearest);
        if let Some(order) = self.order.or(by_default) {
            let wanted = most.min(found.len());
            sort_part(&mut found, 0..wanted, |one, other| {
                let nearest = compare(one.distance, other.distance);
                if order == Order::Nearest { nearest } else { nearest.reverse() }
            });
            found.truncate(wanted);
        }
        // In the unit that the area was given in.
        found.iter_mut().for_each(|found| found.distance /= area.unit);
        found
    }
}

/// Compares distances; that of antipodes may be no number, which is the greatest.
fn compare(one: f64, other: f64) -> Ordering {
    one.partial_cmp(&other).unwrap_or_else(|| one.is_nan().cmp(&other.is_nan()))
}

/// Where a member is; one that does not exist is nowhere.
fn place_of(set: &SortedSet, member: &[u8]) -> CmdResult<Position> {
    set.score(member).map(Position::of_score).ok_or(CommandError::NO_SUCH_PLACE)
}

fn circle(radius: &[u8], meters: &[u8]) -> CmdResult<Area> {
    let radius = number::parse_f64(radius).ok_or(CommandError::RADIUS_NOT_FLOAT)?;
    if radius < 0.0 {
        return Err(CommandError::NEGATIVE_RADIUS);
    }
    Ok(Area { shape: Shape::Circle { radius }, unit: unit(meters)? })
}

fn rectangle(width: &[u8], height: &[u8], meters: &[u8]) -> CmdResult<Area> {
    let width = number::parse_f64(width).ok_or(CommandError::WIDTH_NOT_FLOAT)?;
    let height = number::parse_f64(height).ok_or(CommandError::HEIGHT_NOT_FLOAT)?;
    if width < 0.0 || height < 0.0 {
        return Err(CommandError::NEGATIVE_BOX);
    }
    Ok(Area { shape: Shape::Box { width, height }, unit: unit(meters)? })
}

/// Searches the set at `source`, and shows or keeps what is found.
fn search(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, form: Form) -> CmdResult {
    let source = if form == Form::SearchStore { 2 } else { 1 };
    let (may_store, limits) = (ctx.command.flags.has(Flags::WRITE), ctx.limits());
    let set = ctx.read::<SortedSet>(&args[source])?;
    let query = Query::parse(args, form, may_store, set)?;
    let found = set.map_or_else(Vec::new, |set| query.run(set));
    let Some(destination) = query.destination else {
        write_found(out, &found, &query);
        return Ok(());
    };
    let mut result = SortedSet::new();
    result.expect(found.len(), found.iter().map(|found| found.member.len()).max().unwrap_or(0), &limits);
    for found in &found {
        let score = if query.keep_distances { found.distance } else { found.score };
        found.member.with_bytes(|member| result.add(member, score, AddOptions::default(), &limits));
    }
    let len = result.len();
    let event = if form == Form::SearchStore { "geosearchstore" } else { "georadiusstore" };
    ctx.store(destination, result, EventClasses::SORTED_SET, event);
    out.int(len as i64);
    Ok(())
}

fn write_found(out: &mut Reply, found: &[Found<'_>], query: &Query<'_>) {
    let more = [query.with_distance, query.with_hash, query.with_position].into_iter().filter(|with| *with).count();
    out.array(found.len());
    for found in found {
        if more > 0 {
            out.array(1 + more);
        }
        write_item(out, found.member);
        if query.with_distance {
            write_distance(out, found.distance);
        }
        if query.with_hash {
            out.int(found.score as i64);
        }
        if query.with_position {
            write_position(out, found.position);
        }
    }
}

const GEOSEARCH: Command = read("geosearch", geosearch)
    .arity(-7)
    .key(usage::READ, 1)
    .since("6.2.0")
    .doc("The members within a circle or a box around a member or a place.")
    .syntax(
        "key <FROMMEMBER member | FROMLONLAT longitude latitude> <<BYRADIUS radius> <M | KM | FT | MI> | <BYBOX width> \
         height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    );

fn geosearch(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    search(ctx, args, out, Form::Search)
}

const GEOSEARCHSTORE: Command = write("geosearchstore", geosearchstore)
    .arity(-8)
    .key(usage::OVERWRITE, 1)
    .key(usage::READ, 2)
    .since("6.2.0")
    .doc("Keeps the members within a circle or a box under another key; returns how many.")
    .syntax(
        "destination source <FROMMEMBER member | FROMLONLAT longitude latitude> <<BYRADIUS radius> <M | KM | FT | MI> | \
         <BYBOX width> height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
    );

fn geosearchstore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    search(ctx, args, out, Form::SearchStore)
}

/// The key behind the last STORE or STOREDIST, which is the one that counts, if that is this word; options begin at `from`.
fn destination(args: Args<'_>, from: usize, wanted: &str) -> Option<usize> {
    let (mut found, mut at) = (None, from);
    while let Some(word) = args.get(at) {
        at += match word {
            word if is(word, "store") || is(word, "storedist") => {
                found = (at + 1 < args.len()).then_some((at + 1, is(word, wanted))).or(found);
                2
            }
            word if is(word, "count") => 2,
            _ => 1,
        };
    }
    found.filter(|(_, is_wanted)| *is_wanted).map(|(at, _)| at)
}

/// The options that all commands of the older form have.
macro_rules! radius_options {
    ($before:literal, $behind:literal) => {
        concat!(
            $before,
            " radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]",
            $behind
        )
    };
}

const GEORADIUS: Command = write("georadius", georadius)
    .arity(-6)
    .key(usage::READ, 1)
    .keys(KeySpec::behind(usage::OVERWRITE, 6, "STORE").found_by(|args| destination(args, 6, "store")))
    .keys(KeySpec::behind(usage::OVERWRITE, 6, "STOREDIST").found_by(|args| destination(args, 6, "storedist")))
    .flag(Flags::MOVABLEKEYS)
    .since("3.2.0")
    .doc("The members within a circle around a place, shown or kept. GEOSEARCH can do more.")
    .syntax(radius_options!("key longitude latitude", " [STORE storekey | STOREDIST storedistkey]"));

fn georadius(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    search(ctx, args, out, Form::Radius)
}

const GEORADIUS_RO: Command = read("georadius_ro", georadius)
    .arity(-6)
    .key(usage::READ, 1)
    .since("3.2.10")
    .doc("The members within a circle around a place. GEOSEARCH can do more.")
    .syntax(radius_options!("key longitude latitude", ""));

const GEORADIUSBYMEMBER: Command = write("georadiusbymember", georadiusbymember)
    .arity(-5)
    .key(usage::READ, 1)
    .keys(KeySpec::behind(usage::OVERWRITE, 5, "STORE").found_by(|args| destination(args, 5, "store")))
    .keys(KeySpec::behind(usage::OVERWRITE, 5, "STOREDIST").found_by(|args| destination(args, 5, "storedist")))
    .flag(Flags::MOVABLEKEYS)
    .since("3.2.0")
    .doc("The members within a circle around a member, shown or kept. GEOSEARCH can do more.")
    .syntax(radius_options!("key member", " [STORE storekey | STOREDIST storedistkey]"));

fn georadiusbymember(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    search(ctx, args, out, Form::RadiusByMember)
}

const GEORADIUSBYMEMBER_RO: Command = read("georadiusbymember_ro", georadiusbymember)
    .arity(-5)
    .key(usage::READ, 1)
    .since("3.2.10")
    .doc("The members within a circle around a member. GEOSEARCH can do more.")
    .syntax(radius_options!("key member", ""));
