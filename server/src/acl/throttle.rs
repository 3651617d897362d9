//! Makes guessing passwords slow: who fails often has to wait, longer and longer, address by address.

use parking_lot::Mutex;
use resplite_storage::clock::Millis;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};

/// Failures that cost nothing: people mistype, and pools of connections fail together.
const FREE: u32 = 10;
/// The longest wait, in milliseconds.
const LONGEST: Millis = 60_000;
/// Milliseconds without a failure after which an address is as good as new.
const FORGOTTEN: Millis = 600_000;
/// Addresses that are remembered: the one whose last failure is the oldest gives way to a new one.
const MOST_ADDRESSES: usize = 4096;

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Millis,
}

impl Failures {
    /// When the next try is looked at.
    fn until(self) -> Millis {
        match self.count.checked_sub(FREE) {
            None => 0,
            Some(beyond) => self.last + (1000 << beyond.min(16)).min(LONGEST),
        }
    }
}

/// The failures of each address. Loopback addresses and Unix sockets are exempt: whoever is there is on the machine.
#[derive(Default)]
pub(crate) struct Throttle {
    addresses: Mutex<HashMap<IpAddr, Failures>>,
    is_in_use: AtomicBool,
}

impl Throttle {
    /// Milliseconds that a client at this address, as CLIENT LIST shows it, has to wait before its next try.
    pub(crate) fn wait(&self, address: &str, now: Millis) -> Option<Millis> {
        if !self.is_in_use.load(Ordering::Acquire) {
            return None;
        }
        let until = self.addresses.lock().get(&place_of(address)?)?.until();
        until.checked_sub(now).filter(|left| *left > 0)
    }

    /// Notes a failure.
    pub(crate) fn note_failure(&self, address: &str, now: Millis) {
        let Some(place) = place_of(address) else { return };
        let mut addresses = self.addresses.lock();
        if addresses.len() >= MOST_ADDRESSES && !addresses.contains_key(&place) {
            let oldest = addresses.iter().min_by_key(|(_, failures)| failures.last).map(|(place, _)| *place);
            oldest.map(|oldest| addresses.remove(&oldest));
        }
        let failures = addresses.entry(place).or_insert(Failures { count: 0, last: now });
        if now.saturating_sub(failures.last) > FORGOTTEN {
            failures.count = 0;
        }
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
        self.is_in_use.store(true, Ordering::Release);
    }
}

/// What counts as one address: of IPv6 the network, as its lower half is the client's own to choose.
fn place_of(address: &str) -> Option<IpAddr> {
    let ip = address.parse::<std::net::SocketAddr>().ok()?.ip().to_canonical();
    match ip {
        ip if ip.is_loopback() => None,
        IpAddr::V6(ip) => Some(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64))),
        ip => Some(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_often_waits_longer_and_longer_and_is_forgiven() {
        let throttle = Throttle::default();
        let (here, neighbour) = ("203.0.113.5:1000", "203.0.113.6:1000");
        let mut now = 1_000_000;
        let fail = |now| throttle.note_failure(here, now);
        (1..FREE).for_each(|_| fail(now));
        assert_eq!(throttle.wait(here, now), None);
        fail(now);
        assert_eq!((throttle.wait(here, now), throttle.wait("203.0.113.5:7", now + 400)), (Some(1000), Some(600)));
        assert_eq!((throttle.wait(here, now + 1000), throttle.wait(neighbour, now)), (None, None));
        let mut waits = Vec::new();
        for _ in 0..8 {
            now += waits.last().copied().unwrap_or(1000);
            fail(now);
            waits.extend(throttle.wait(here, now));
        }
        assert_eq!(waits, [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        now += FORGOTTEN + 1;
        fail(now);
        assert_eq!(throttle.wait(here, now), None);
    }

    #[test]
    fn addresses_are_told_apart_and_bounded() {
        let throttle = Throttle::default();
        for local in ["127.0.0.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5", "/tmp/socket:0", "local"] {
            (0..2 * FREE).for_each(|_| throttle.note_failure(local, 5));
            assert_eq!(throttle.wait(local, 5), None, "{local}");
        }
        (0..FREE).for_each(|_| throttle.note_failure("[2001:db8::1]:5", 5));
        assert_eq!(throttle.wait("[2001:db8::ffff]:9", 5), Some(1000));
        assert_eq!(throttle.wait("[2001:db8:0:1::1]:9", 5), None);
        for number in 0..2 * MOST_ADDRESSES as u32 {
            throttle.note_failure(&format!("{}:1", std::net::Ipv4Addr::from_bits(0x0a00_0000 + number)), 6);
        }
        assert_eq!(throttle.addresses.lock().len(), MOST_ADDRESSES);
        assert_eq!(throttle.wait("[2001:db8::ffff]:9", 6), None, "the oldest has given way");
    }
}
