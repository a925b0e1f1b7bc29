//! How far a command is, on standard error; on a terminal only.

/// A line that is drawn again and again.
pub(crate) struct Progress(indicatif::ProgressBar);

impl Progress {
    /// Starts a line; it draws nothing where standard error is not a terminal.
    pub(crate) fn new() -> Self {
        let bar = indicatif::ProgressBar::new_spinner();
        bar.set_style(
            indicatif::ProgressStyle::with_template("{spinner} {msg}")
                .unwrap_or_else(|_| indicatif::ProgressStyle::default_spinner()),
        );
        Self(bar)
    }

    /// Starts one that draws nothing: what it would say is seen otherwise.
    pub(crate) fn hidden() -> Self {
        Self(indicatif::ProgressBar::hidden())
    }

    /// Shows how many rows there are.
    pub(crate) fn show(&self, done: u64, total: Option<u64>) {
        self.0.set_message(match total {
            Some(total) => format!("{done} of {total} rows"),
            None => format!("{done} rows"),
        });
        self.0.tick();
    }

    /// Shows that something takes its time, and goes on turning meanwhile.
    pub(crate) fn work(&self, message: String) {
        self.0.set_message(message);
        self.0.enable_steady_tick(std::time::Duration::from_millis(100));
    }

    /// Removes the line.
    pub(crate) fn done(&self) {
        self.0.finish_and_clear();
    }
}
