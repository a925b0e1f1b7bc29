//! Who holds a lease: a process, told apart from every other that ever ran on this machine.
//!
//! A process that is killed leaves its lease behind. Others on the same machine can see that it is
//! gone and need not wait for the lease to end.

use std::fmt;

use sesame_core::Clock;

/// The holder of a lease, as its row names it: `PID.STARTED.PLACE.RANDOM`.
///
/// The start tells a process from a later one with the same number; the place tells this machine,
/// since it was last started, and this container from all others; the random part tells two openings
/// of the vault by one process apart. The text is fit for a file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pid: u32,
    started: u64,
    place: String,
    random: String,
}

impl Holder {
    /// Names this opening of the vault by this process.
    pub(crate) fn this(clock: &dyn Clock) -> Self {
        let mut random = [0; 8];
        clock.random(&mut random);
        let pid = std::process::id();
        Self {
            pid,
            started: running(pid).unwrap_or_default(),
            place: place().unwrap_or_else(|| "elsewhere".to_owned()),
            random: hex::encode(random),
        }
    }

    /// Reads the text of a row.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let holder = Self {
            pid: parts.next()?.parse().ok()?,
            started: parts.next()?.parse().ok()?,
            place: parts.next()?.to_owned(),
            random: parts.next()?.to_owned(),
        };
        parts.next().is_none().then_some(holder)
    }

    /// Returns the number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Tells whether the process is certainly gone. False when nobody can know: it is on another
    /// machine or in another container, or this system does not say.
    pub(crate) fn is_gone(&self) -> bool {
        self.started != 0
            && place().is_some_and(|here| here == self.place)
            && running(self.pid) != Some(self.started)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, started, place, random } = self;
        write!(f, "{pid}.{started}.{place}.{random}")
    }
}

/// Names this machine, since it was last started, and the container: process numbers mean the same
/// wherever the name is the same. Nothing where processes of others are hidden from us.
#[cfg(target_os = "linux")]
fn place() -> Option<String> {
    // With hidepid a process that we may not see looks as one that is gone; the first shows which.
    running(1)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let hash =
        <sha2::Sha256 as sha2::Digest>::digest(format!("{} {}", boot.trim(), space.display()).as_bytes());
    Some(hex::encode(&hash[..8]))
}

/// Returns when a process was started, in the kernel's ticks. Nothing when there is none of that
/// number, or it has ended and only waits to be noticed.
#[cfg(target_os = "linux")]
fn running(pid: u32) -> Option<u64> {
    // proc_pid_stat(5): after the name, which may hold anything, field 3 is the state and field 22
    // the start.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn place() -> Option<String> {
    None
}

#[cfg(not(target_os = "linux"))]
fn running(_pid: u32) -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::SystemClock;

    #[test]
    fn a_process_is_gone_when_it_has_ended_and_only_then() {
        let here = Holder::this(&SystemClock);
        assert_eq!(Holder::parse(&here.to_string()), Some(here.clone()));
        assert!(!here.is_gone());

        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let started = running(child.id()).unwrap();
        let theirs = Holder { pid: child.id(), started, ..here.clone() };
        assert!(!theirs.is_gone());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(theirs.is_gone());

        // Another process got the number since.
        assert!(Holder { started: here.started + 1, ..here.clone() }.is_gone());
        // Of another machine or container nobody here knows anything.
        assert!(!Holder { place: "0123456789abcdef".to_owned(), started: 1, ..here }.is_gone());
    }

    #[test]
    fn owners_of_another_form_are_nobody() {
        for text in ["", "4711-0011223344556677", "1.2.3", "1.2.3.4.5", "x.2.3.4"] {
            assert_eq!(Holder::parse(text), None, "{text:?}");
        }
    }
}
