//! Commands on a terminal, and what they ask there.
#![cfg(target_os = "linux")]

use std::{
    fs::File,
    io::{Read, Write},
    process::Stdio,
};

use rustix::{pty, termios};

use crate::house::House;

/// Opens a terminal: our end, and that of a command.
pub(crate) fn terminal() -> (File, File) {
    let ours = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
    pty::grantpt(&ours).unwrap();
    pty::unlockpt(&ours).unwrap();
    let name = pty::ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (File::from(ours), theirs)
}

/// Runs `accounts show alibaba` on a terminal, types a line at the first question, and returns the result
/// and what stood on the terminal.
fn typed(house: &House, line: &str) -> (bool, String, String) {
    let (mut ours, theirs) = terminal();
    let mut command = house.command(&["accounts", "show", "alibaba", "--output", "json"]);
    let mut child = command
        .env_remove("SESAME_PASSPHRASE")
        .stdin(theirs.try_clone().unwrap())
        .stderr(theirs.try_clone().unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop((command, theirs));
    let mut shown = String::new();
    let mut piece = [0; 1_024];
    let mut asked = false;
    // The system reports an error where nobody holds the other end any more.
    while let Ok(length @ 1..) = ours.read(&mut piece) {
        shown.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        if !asked && shown.contains("Passphrase of the vault") {
            // What is typed before the terminal stops showing it is thrown away.
            while termios::tcgetattr(&ours).unwrap().local_modes.contains(termios::LocalModes::ECHO) {
                std::thread::yield_now();
            }
            ours.write_all(format!("{line}\r").as_bytes()).unwrap();
            asked = true;
        }
    }
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    (child.wait().unwrap().success(), output, shown)
}

#[test]
fn the_passphrase_of_a_vault_is_asked_for_on_a_terminal() {
    let mut house = House::empty();
    house.set("SESAME_PASSPHRASE", "the planted words");
    super::accounts::imported(&house, "alibaba", "alibaba", 100);
    let (done, output, shown) = typed(&house, "the planted words");
    assert!(done && output.contains("\"name\": \"alibaba\""), "{output}{shown}");
    assert!(!shown.contains("planted"), "{shown}");
    let (done, output, shown) = typed(&house, "other words");
    assert!(!done && output.is_empty() && shown.contains("is not the master key"), "{output}{shown}");
    // Nobody is asked where there is no terminal.
    let status = house.command(&["accounts"]).env_remove("SESAME_PASSPHRASE").stdin(Stdio::null()).status();
    assert_eq!(status.unwrap().code(), Some(2));
}
