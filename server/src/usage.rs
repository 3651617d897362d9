//! What the operating system says of this process and the machine, for INFO; unknown is 0. And what it is asked for.

use std::fs;

/// Seconds of processor time.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(crate) struct CpuTime {
    pub(crate) system: f64,
    pub(crate) user: f64,
}

/// Processor time of this process, and of the children that it has waited for.
pub(crate) fn cpu() -> (CpuTime, CpuTime) {
    (cpu_of(libc::RUSAGE_SELF), cpu_of(libc::RUSAGE_CHILDREN))
}

fn cpu_of(who: libc::c_int) -> CpuTime {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to writable memory of the right size.
    if unsafe { libc::getrusage(who, usage.as_mut_ptr()) } != 0 {
        return CpuTime::default();
    }
    // SAFETY: all zeroes are a valid rusage, and the call has filled it.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    CpuTime { system: seconds(usage.ru_stime), user: seconds(usage.ru_utime) }
}

/// Bytes of physical memory that the process holds.
pub(crate) fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm");
    let pages = pages.ok().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(system_value(libc::_SC_PAGESIZE))
}

/// Bytes of physical memory of the machine.
pub(crate) fn system_memory() -> u64 {
    system_value(libc::_SC_PHYS_PAGES).saturating_mul(system_value(libc::_SC_PAGESIZE))
}

fn system_value(name: libc::c_int) -> u64 {
    // SAFETY: a plain question without pointers.
    u64::try_from(unsafe { libc::sysconf(name) }).unwrap_or(0)
}

/// Has the calling thread give way to those that serve clients, where the system can do that for one thread.
pub(crate) fn give_way() {
    #[cfg(target_os = "linux")]
    {
        /// A tenth of the share that the others get when they all want the processor.
        const NICENESS: libc::c_int = 10;
        // SAFETY: plain calls without pointers; 0 names the calling thread. Failing, the thread is as greedy as any.
        let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
    }
}

/// Name and release of the operating system and the machine's architecture, as `uname -srm` prints them.
pub(crate) fn system_name() -> String {
    let read = |file: &str| fs::read_to_string(format!("/proc/sys/kernel/{file}")).map(|text| text.trim().to_owned());
    let name = match (read("ostype"), read("osrelease")) {
        (Ok(name), Ok(release)) => format!("{name} {release}"),
        _ => std::env::consts::OS.to_owned(),
    };
    format!("{name} {}", std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_uses_something() {
        assert!(resident_bytes() > 0);
        assert!(system_memory() > resident_bytes());
        assert!(cpu().0.user >= 0.0);
        assert!(!system_name().is_empty());
    }
}
