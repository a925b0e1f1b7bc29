//! A line that is typed and not shown.

use std::io::{self, Write as _};

/// Asks on standard error and reads a line from the terminal of standard input, without showing it.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] for Ctrl-C, [`io::ErrorKind::UnexpectedEof`] for the end of the input.
pub(crate) fn ask(question: &str) -> io::Result<String> {
    let mut out = anstream::stderr();
    write!(out, "{question}: ")?;
    out.flush()?;
    let line = terminal::hidden_line();
    writeln!(out)?;
    line
}

pub(crate) use terminal::restore;

#[cfg(unix)]
mod terminal {
    use std::{
        io::{self, Read as _},
        sync::Mutex,
    };

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const BACKSPACE: u8 = 8;
    const CTRL_U: u8 = 21;
    const DELETE: u8 = 127;

    /// How the terminal was before something was typed into it unseen.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// Gives the terminal back as it was. Harmless when nothing was changed.
    pub(crate) fn restore() {
        let before = BEFORE.lock().ok().and_then(|mut before| before.take());
        if let Some(before) = before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &before);
        }
    }

    pub(super) fn hidden_line() -> io::Result<String> {
        let before = tcgetattr(io::stdin())?;
        if let Ok(mut place) = BEFORE.lock() {
            *place = Some(before.clone());
        }
        let mut hidden = before;
        // Ctrl-C comes as a byte, so that the terminal is given back before anything ends.
        hidden.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        let line = tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)
            .map_err(io::Error::from)
            .and_then(|()| edit(io::stdin().lock().bytes()));
        restore();
        line
    }

    /// Reads to the end of the line, with the keys that take back what was typed.
    pub(super) fn edit(keys: impl Iterator<Item = io::Result<u8>>) -> io::Result<String> {
        let mut typed = Vec::new();
        for key in keys {
            match key? {
                b'\r' | b'\n' => return String::from_utf8(typed).map_err(io::Error::other),
                CTRL_C => return Err(io::ErrorKind::Interrupted.into()),
                CTRL_D if typed.is_empty() => break,
                CTRL_U => typed.clear(),
                // A character may have several bytes, of which only the first is not 0b10xx_xxxx.
                BACKSPACE | DELETE => while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
                byte => typed.push(byte),
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(not(unix))]
mod terminal {
    /// Nothing is changed here that would have to be given back.
    pub(crate) fn restore() {}

    pub(super) fn hidden_line() -> std::io::Result<String> {
        rpassword::read_password()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn typed(keys: &str) -> io::Result<String> {
        terminal::edit(keys.bytes().map(Ok))
    }

    #[test]
    fn a_line_can_be_corrected_and_given_up() {
        assert_eq!(typed("secret\rmore").unwrap(), "secret");
        assert_eq!(typed("ab\u{7f}\u{7f}\u{7f}中文\u{8}x\n").unwrap(), "中x");
        assert_eq!(typed("wrong\u{15}right\n").unwrap(), "right");
        assert_eq!(typed("secr\u{3}").unwrap_err().kind(), io::ErrorKind::Interrupted);
        for end in ["\u{4}", "secret"] {
            assert_eq!(typed(end).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
