//! What an entry remembers of its uses, in 24 bits: when the last one was, or how many there have been of late.
//!
//! Which of the two it is depends on how victims are chosen when memory runs out, and is the same for all entries. The counter
//! is the one of Redis' LFU policies (documented under "Key eviction"): eight bits that grow ever more slowly, and sixteen for
//! the minute in which they were last looked at, since the counter shrinks while nobody comes.

/// What a new entry's counter begins with, so that it is not gone before anybody could come for it.
const FIRST_COUNT: u32 = 5;

/// One use of an entry, to be noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// At this second, on a clock of 24 bits.
    At(u32),
    /// One more.
    Counted {
        /// The minute, on a clock of 16 bits.
        minute: u16,
        /// How much more slowly each step of the counter comes than the one before (`lfu-log-factor`).
        log_factor: u32,
        /// Minutes without a use that cost the counter one (`lfu-decay-time`); 0: none do.
        decay_minutes: u32,
        /// By chance: decides whether the counter grows.
        dice: u32,
    },
}

impl Use {
    /// What an entry remembers that is new.
    #[inline]
    pub fn first(self) -> u32 {
        match self {
            Use::At(second) => second,
            Use::Counted { minute, .. } => u32::from(minute) << 8 | FIRST_COUNT,
        }
    }

    /// What an entry remembers that has remembered `before`.
    #[inline]
    pub fn again(self, before: u32) -> u32 {
        match self {
            Use::At(second) => second,
            Use::Counted { minute, log_factor, dice, .. } => {
                let count = self.count(before);
                // The chance is one in as many as this, out of all values of the dice.
                let odds = u64::from(count.saturating_sub(FIRST_COUNT)) * u64::from(log_factor) + 1;
                let grows = count < 255 && u64::from(dice) * odds < 1 << 32;
                u32::from(minute) << 8 | (count + u32::from(grows))
            }
        }
    }

    /// Seconds since the last use that is remembered, if uses are not counted.
    pub fn idle_seconds(self, remembered: u32) -> Option<u32> {
        match self {
            Use::At(now) => Some(now.wrapping_sub(remembered) & 0x00ff_ffff),
            Use::Counted { .. } => None,
        }
    }

    /// The counter as it is now, if uses are counted.
    pub fn frequency(self, remembered: u32) -> Option<u8> {
        match self {
            Use::At(_) => None,
            Use::Counted { .. } => Some(self.count(remembered) as u8),
        }
    }

    fn count(self, remembered: u32) -> u32 {
        let Use::Counted { minute, decay_minutes, .. } = self else { return 0 };
        let (then, count) = ((remembered >> 8) as u16, remembered & 0xff);
        let elapsed = u32::from(minute.wrapping_sub(then));
        count.saturating_sub(elapsed.checked_div(decay_minutes).unwrap_or(0))
    }

    /// What an entry remembers whose last use was so long ago, if that is what is remembered.
    pub fn remember_idle(self, seconds: u64) -> Option<u32> {
        match self {
            Use::At(now) => Some(now.wrapping_sub(seconds.min(0x00ff_ffff) as u32) & 0x00ff_ffff),
            Use::Counted { .. } => None,
        }
    }

    /// What an entry remembers whose counter is this, if uses are counted.
    pub fn remember_frequency(self, frequency: u8) -> Option<u32> {
        match self {
            Use::At(_) => None,
            Use::Counted { minute, .. } => Some(u32::from(minute) << 8 | u32::from(frequency)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;

    fn counted(minute: u16, dice: u32) -> Use {
        Use::Counted { minute, log_factor: 10, decay_minutes: 1, dice }
    }

    #[test]
    fn the_clock_wraps() {
        assert_eq!(Use::At(7).again(3), 7);
        assert_eq!(Use::At(5).idle_seconds(0x00ff_fffe), Some(7));
        assert_eq!(Use::At(5).remember_idle(7), Some(0x00ff_fffe));
        assert_eq!((Use::At(5).frequency(9), Use::At(5).remember_frequency(9)), (None, None));
    }

    #[test]
    fn the_counter_decays_with_the_minutes() {
        let remembered = u32::from(u16::MAX) << 8 | 20;
        assert_eq!(counted(u16::MAX, 0).frequency(remembered), Some(20));
        assert_eq!(counted(4, 0).frequency(remembered), Some(15));
        assert_eq!(counted(100, 0).frequency(remembered), Some(0));
        let still = Use::Counted { minute: 100, log_factor: 10, decay_minutes: 0, dice: 0 };
        assert_eq!((still.frequency(remembered), still.idle_seconds(remembered)), (Some(20), None));
    }

    #[test]
    fn the_counter_grows_as_redis_documents_it() {
        // Its table of uses and counters under factor 10: after 100 uses about 10, after 100,000 about 142.
        let mut rng = Rng::with_seed(1);
        let mut mean = |uses: usize, rounds: u32| {
            let all: u32 = (0..rounds)
                .map(|_| {
                    let first = counted(0, 0).first();
                    let last = (0..uses).fold(first, |now, _| counted(0, rng.u32(..)).again(now));
                    u32::from(counted(0, 0).frequency(last).unwrap())
                })
                .sum();
            f64::from(all) / f64::from(rounds)
        };
        let (few, many) = (mean(100, 200), mean(100_000, 10));
        assert!((8.5..11.5).contains(&few), "{few}");
        assert!((135.0..149.0).contains(&many), "{many}");
    }
}
