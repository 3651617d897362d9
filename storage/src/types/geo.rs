//! Positions on the earth, as scores of a sorted set: 52 bits in which longitude and latitude take turns.
//!
//! Close positions tend to have close scores. An area is searched by up to nine squares of the grid that the leading bits
//! make, each of them one range of scores. All arithmetic is done in the order in which real servers do it, so that
//! scores, distances and what is found are theirs to the last bit.

use super::Item;
use super::sorted_set::{ScoreBound, ScoreRange, SortedSet};
use smallvec::SmallVec;

/// Bits of each coordinate in a score.
const STEPS: u32 = 26;
const LONGITUDES: Interval = Interval { min: -180.0, max: 180.0 };
/// Where Mercator's map ends.
const LATITUDES: Interval = Interval { min: -85.051_128_78, max: 85.051_128_78 };
/// Half of the equator on Mercator's map, in meters.
const MERCATOR_MAX: f64 = 20_037_726.37;
/// In meters.
const EARTH_RADIUS: f64 = 6_372_797.560_856;
/// The digits of a geohash text.
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

#[derive(Clone, Copy)]
struct Interval {
    min: f64,
    max: f64,
}

impl Interval {
    fn contains(self, value: f64) -> bool {
        self.min <= value && value <= self.max
    }

    /// Which of the 2^`steps` parts of the interval holds a value; its upper end is in the one behind the last.
    fn part(self, value: f64, steps: u32) -> u32 {
        ((value - self.min) / (self.max - self.min) * (1_u64 << steps) as f64) as u32
    }

    /// The ends of one of 2^`steps` parts.
    fn ends(self, part: u32, steps: u32) -> Interval {
        let (count, scale) = ((1_u64 << steps) as f64, self.max - self.min);
        let end = |part: u32| self.min + f64::from(part) / count * scale;
        // One behind the greatest number is the first part again, where scores of other sorted sets may lead.
        Interval { min: end(part), max: end(part.wrapping_add(1)) }
    }

    fn middle(self) -> f64 {
        (self.min + self.max) / 2.0
    }
}

/// A place in degrees, within the limits of the map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

impl Position {
    /// `None` for what is not on the map.
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let is_on_map = LONGITUDES.contains(longitude) && LATITUDES.contains(latitude);
        is_on_map.then_some(Position { longitude, latitude })
    }

    /// The place that a score stands for: the middle of its square. Scores that no place has give one on the map, too.
    pub fn of_score(score: f64) -> Self {
        let square = Square::of_bits(bits_of(score), STEPS);
        Position {
            longitude: square.longitudes().middle().clamp(LONGITUDES.min, LONGITUDES.max),
            latitude: square.latitudes().middle().clamp(LATITUDES.min, LATITUDES.max),
        }
    }

    /// The score that stands for the place.
    pub fn score(self) -> f64 {
        Square::around(self, STEPS).bits() as f64
    }

    /// The geohash that other programs know: eleven digits, of which the last is always 0, as 52 bits do not fill it.
    pub fn geohash(self) -> [u8; 11] {
        const POLES: Interval = Interval { min: -90.0, max: 90.0 };
        let (x, y) = (LONGITUDES.part(self.longitude, STEPS), POLES.part(self.latitude, STEPS));
        let bits = Square { x, y, steps: STEPS }.bits();
        std::array::from_fn(|at| match at {
            10 => ALPHABET[0],
            _ => ALPHABET[(bits >> (52 - 5 * (at + 1)) & 31) as usize],
        })
    }

    /// Meters between two places along a great circle; the earth is a ball.
    pub fn distance(self, other: Position) -> f64 {
        let east = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        if east == 0.0 {
            return self.distance_of_latitudes(other);
        }
        let (here, there) = (radians(self.latitude), radians(other.latitude));
        let north = ((there - here) / 2.0).sin();
        let half_chord = north * north + here.cos() * there.cos() * east * east;
        2.0 * EARTH_RADIUS * half_chord.sqrt().asin()
    }

    fn distance_of_latitudes(self, other: Position) -> f64 {
        EARTH_RADIUS * (radians(other.latitude) - radians(self.latitude)).abs()
    }
}

fn radians(degrees: f64) -> f64 {
    degrees * (std::f64::consts::PI / 180.0)
}

fn degrees(radians: f64) -> f64 {
    radians / (std::f64::consts::PI / 180.0)
}

/// The bits of a score. Those that no place has (negative, huge ones) are read as x86 processors convert them.
fn bits_of(score: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    let convert = |number: f64| if (-HALF..HALF).contains(&number) { number as i64 as u64 } else { 1 << 63 };
    if score < HALF { convert(score) } else { convert(score - HALF) ^ 1 << 63 }
}

/// One square of the grid that divides both coordinates into 2^`steps` parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Square {
    x: u32,
    y: u32,
    steps: u32,
}

impl Square {
    fn around(position: Position, steps: u32) -> Self {
        let (x, y) = (LONGITUDES.part(position.longitude, steps), LATITUDES.part(position.latitude, steps));
        Square { x, y, steps }
    }

    fn of_bits(bits: u64, steps: u32) -> Self {
        Square { x: gather(bits >> 1), y: gather(bits), steps }
    }

    fn bits(self) -> u64 {
        spread(self.x) << 1 | spread(self.y)
    }

    fn longitudes(self) -> Interval {
        LONGITUDES.ends(self.x, self.steps)
    }

    fn latitudes(self) -> Interval {
        LATITUDES.ends(self.y, self.steps)
    }

    /// The square so far to the east and to the north; behind the edge of the map it begins anew.
    fn neighbour(self, east: i32, north: i32) -> Self {
        let mask = (1 << self.steps) - 1;
        // What does not move keeps the bit that the upper edge of the map has too many.
        let moved = |at: u32, by: i32| if by == 0 { at } else { at.wrapping_add_signed(by) & mask };
        Square { x: moved(self.x, east), y: moved(self.y, north), steps: self.steps }
    }

    /// The scores of all places in it.
    fn scores(self) -> ScoreRange {
        let end = |bits: u64| (bits << (2 * (STEPS - self.steps))) as f64;
        ScoreRange {
            min: ScoreBound { value: end(self.bits()), exclusive: false },
            max: ScoreBound { value: end(self.bits() + 1), exclusive: true },
        }
    }
}

/// Puts a zero above each bit.
fn spread(half: u32) -> u64 {
    let mut bits = u64::from(half);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Takes every second bit, from the lowest on.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

/// What lies around a center. Lengths are in a unit of `unit` meters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Its form and size.
    pub shape: Shape,
    /// Meters.
    pub unit: f64,
}

/// The form of an [`Area`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// All that is at most so far away.
    Circle {
        /// How far.
        radius: f64,
    },
    /// Half of the lengths to each side.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

/// Whether something is too far away. A distance that is no number, which antipodes may have, is not.
fn is_beyond(distance: f64, most: f64) -> bool {
    distance > most
}

/// The edges of an area in degrees.
struct Bounds {
    longitudes: Interval,
    latitudes: Interval,
}

impl Area {
    /// The distance of a place from the center, if it is in the area.
    fn distance(&self, center: Position, place: Position) -> Option<f64> {
        let distance = || center.distance(place);
        match self.shape {
            Shape::Circle { radius } => Some(distance()).filter(|distance| !is_beyond(*distance, radius * self.unit)),
            Shape::Box { width, height } => {
                let abeam = Position { longitude: center.longitude, latitude: place.latitude };
                let is_outside = is_beyond(place.distance_of_latitudes(center), height * self.unit / 2.0)
                    || is_beyond(place.distance(abeam), width * self.unit / 2.0);
                (!is_outside).then(distance)
            }
        }
    }

    fn bounds(&self, center: Position) -> Bounds {
        let (width, height) = match self.shape {
            Shape::Circle { radius } => (radius, radius),
            Shape::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let (width, height) = (width * self.unit, height * self.unit);
        let north = degrees(height / EARTH_RADIUS);
        // Meridians are closest on the side of the pole.
        let side = if center.latitude < 0.0 { center.latitude - north } else { center.latitude + north };
        let east = degrees(width / EARTH_RADIUS / radians(side).cos());
        Bounds {
            longitudes: Interval { min: center.longitude - east, max: center.longitude + east },
            latitudes: Interval { min: center.latitude - north, max: center.latitude + north },
        }
    }

    /// How fine the grid may be so that nine squares surely hold the area.
    fn steps(&self, center: Position) -> u32 {
        let radius = match self.shape {
            Shape::Circle { radius } => radius,
            Shape::Box { width, height } => (width / 2.0 * (width / 2.0) + height / 2.0 * (height / 2.0)).sqrt(),
        };
        let mut radius = radius * self.unit;
        if radius == 0.0 {
            return STEPS;
        }
        let mut steps = 1;
        while radius < MERCATOR_MAX {
            radius *= 2.0;
            steps += 1;
        }
        // Squares become narrow towards the poles.
        steps -= 2 + i32::from(center.latitude.abs() > 66.0) + i32::from(center.latitude.abs() > 80.0);
        steps.clamp(1, STEPS as i32) as u32
    }

    /// The squares that hold the area, in the order in which they are searched.
    fn squares(&self, center: Position) -> SmallVec<[Square; 9]> {
        let bounds = self.bounds(center);
        let mut steps = self.steps(center);
        let mut square = Square::around(center, steps);
        let is_too_fine = square.neighbour(0, 1).latitudes().max < bounds.latitudes.max
            || square.neighbour(0, -1).latitudes().min > bounds.latitudes.min
            || square.neighbour(1, 0).longitudes().max < bounds.longitudes.max
            || square.neighbour(-1, 0).longitudes().min > bounds.longitudes.min;
        if steps > 1 && is_too_fine {
            steps -= 1;
            square = Square::around(center, steps);
        }
        let (latitudes, longitudes) = (square.latitudes(), square.longitudes());
        let reaches = |east: i32, north: i32| {
            // On the coarsest grid the neighbours are the other side of the map.
            let is_left_out = steps >= 2
                && (north < 0 && latitudes.min < bounds.latitudes.min
                    || north > 0 && latitudes.max > bounds.latitudes.max
                    || east < 0 && longitudes.min < bounds.longitudes.min
                    || east > 0 && longitudes.max > bounds.longitudes.max);
            !is_left_out
        };
        const ORDER: [(i32, i32); 9] = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut squares: SmallVec<[Square; 9]> = SmallVec::new();
        for (east, north) in ORDER.into_iter().filter(|(east, north)| reaches(*east, *north)) {
            let square = square.neighbour(east, north);
            // On a coarse grid the neighbours on both sides are one.
            if !squares.contains(&square) {
                squares.push(square);
            }
        }
        squares
    }
}

/// A member that a search has found.
pub struct Found<'a> {
    /// The member.
    pub member: Item<'a>,
    /// Its score.
    pub score: f64,
    /// The place that the score stands for.
    pub position: Position,
    /// Meters from the center.
    pub distance: f64,
}

/// The members of a sorted set that lie in an area, square by square, in each in the order of scores; not more than `most`.
pub fn search<'a>(set: &'a SortedSet, center: Position, area: &Area, most: usize) -> Vec<Found<'a>> {
    let squares = area.squares(center);
    let members = squares.iter().flat_map(|square| set.range(set.ranks_by_score(square.scores())));
    let found = members.filter_map(|(member, score)| {
        let position = Position::of_score(score);
        let distance = area.distance(center, position)?;
        Some(Found { member, score, position, distance })
    });
    found.take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::super::sorted_set::{AddOptions, SortedSet};
    use super::{Area, LATITUDES, LONGITUDES, Position, STEPS, Shape, Square, bits_of, gather, search, spread};
    use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

    fn position() -> impl Strategy<Value = Position> {
        let longitude = prop_oneof![-180.0..=180.0, -1.0..1.0, 179.0..=180.0];
        let latitude = prop_oneof![LATITUDES.min..=LATITUDES.max, -1.0..1.0, 79.0..=85.0];
        (longitude, latitude).prop_map(|(longitude, latitude)| Position { longitude, latitude })
    }

    fn area() -> impl Strategy<Value = Area> {
        let length = || prop_oneof![0.0..2e6_f64, 0.0..1e3, Just(0.0)];
        let shape = prop_oneof![
            length().prop_map(|radius| Shape::Circle { radius }),
            (length(), length()).prop_map(|(width, height)| Shape::Box { width, height }),
        ];
        (shape, prop_oneof![Just(1.0), Just(0.3048)]).prop_map(|(shape, unit)| Area { shape, unit })
    }

    #[test]
    fn sicily() {
        let [palermo, catania] = [(13.361389, 38.115556), (15.087269, 37.502669)]
            .map(|(longitude, latitude)| Position::new(longitude, latitude).unwrap());
        assert_eq!((palermo.score(), catania.score()), (3479099956230698.0, 3479447370796909.0));
        let [palermo, catania] = [palermo, catania].map(|position| Position::of_score(position.score()));
        assert_eq!(palermo.distance(catania), 166274.15156960032);
        assert_eq!(&palermo.geohash(), b"sqc8b49rny0");
    }

    #[test]
    fn scores_of_other_sorted_sets_are_read_as_well() {
        for (score, bits) in [
            (-1.0, u64::MAX),
            (1.9, 1),
            (f64::INFINITY, 0),
            (f64::NEG_INFINITY, 1 << 63),
            (9_223_372_036_854_775_808.0, 1 << 63),
            (18_446_744_073_709_551_616.0, 0),
        ] {
            assert_eq!(bits_of(score), bits, "{score}");
            let position = Position::of_score(score);
            assert!(Position::new(position.longitude, position.latitude).is_some());
        }
    }

    proptest! {
        #[test]
        fn halves_come_back(x in any::<u32>(), y in any::<u32>()) {
            let bits = spread(x) << 1 | spread(y);
            let naive = (0..32).fold(0_u64, |bits, at| {
                bits | u64::from(x >> at & 1) << (2 * at + 1) | u64::from(y >> at & 1) << (2 * at)
            });
            prop_assert_eq!(bits, naive);
            prop_assert_eq!((gather(bits >> 1), gather(bits)), (x, y));
        }

        #[test]
        fn scores_stand_for_places_nearby(position in position()) {
            let read = Position::of_score(position.score());
            let width = |interval: super::Interval| (interval.max - interval.min) / f64::from(1 << STEPS);
            prop_assert!((read.longitude - position.longitude).abs() <= width(LONGITUDES));
            prop_assert!((read.latitude - position.latitude).abs() <= width(LATITUDES));
        }

        #[test]
        fn neighbours_are_next_to_each_other(position in position(), steps in 2..=STEPS, east in -1..=1, north in -1..=1) {
            let square = Square::around(position, steps);
            let square = square.neighbour(1, 1).neighbour(-1, -1);
            let there = square.neighbour(east, north);
            prop_assert_eq!(there.neighbour(-east, -north), square);
            if there.x > 0 && east == 1 {
                prop_assert_eq!(there.longitudes().min, square.longitudes().max);
            }
            if there.y > 0 && north == 1 {
                prop_assert_eq!(there.latitudes().min, square.latitudes().max);
            }
        }

        /// Away from the poles and from the line where the map is cut, where real servers miss some as well.
        #[test]
        fn a_search_finds_what_looking_at_all_finds(
            places in prop::collection::vec((-150.0..150.0, -60.0..60.0), 0..200),
            near in prop::collection::vec((-0.1..0.1, -0.1..0.1), 0..50),
            center in (-140.0..140.0, -55.0..55.0),
            area in area(),
            most in 1_usize..300,
        ) {
            let limits = Limits { zset_max_listpack_entries: 50, ..Limits::DEFAULT };
            let center = Position::new(center.0, center.1).unwrap();
            let near = near.into_iter().map(|(east, north)| (center.longitude + east, center.latitude + north));
            let mut set = SortedSet::new();
            for (at, (longitude, latitude)) in places.into_iter().chain(near).enumerate() {
                let score = Position::new(longitude, latitude).unwrap().score();
                set.add(at.to_string().as_bytes(), score, AddOptions::default(), &limits);
            }
            let names = |found: Vec<super::Found<'_>>| {
                let mut names: Vec<Vec<u8>> = found.iter().map(|found| found.member.to_vec()).collect();
                names.sort();
                names
            };
            let all = names(search(&set, center, &area, usize::MAX));
            let mut naive: Vec<Vec<u8>> = set
                .iter()
                .filter(|(_, score)| area.distance(center, Position::of_score(*score)).is_some())
                .map(|(member, _)| member.to_vec())
                .collect();
            naive.sort();
            prop_assert_eq!(&all, &naive);
            let some = names(search(&set, center, &area, most));
            prop_assert_eq!(some.len(), most.min(all.len()));
            prop_assert!(some.iter().all(|name| all.contains(name)));
        }
    }
}
