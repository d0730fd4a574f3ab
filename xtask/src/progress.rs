//! Shows what is under way and for how long: on a terminal one line that ticks, elsewhere a line now and then.

use std::io::{IsTerminal, Write, stdout};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

type Steps = Arc<Mutex<Vec<(String, Instant)>>>;

/// The steps under way. Dropping it ends the display.
pub(crate) struct Progress {
    steps: Steps,
    display: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Starts the display.
    pub(crate) fn start() -> Self {
        let steps = Steps::default();
        let shown = Arc::clone(&steps);
        let (stop, stopped) = mpsc::channel();
        let terminal = stdout().is_terminal();
        let interval = Duration::from_secs(if terminal { 1 } else { 30 });
        let display = thread::spawn(move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let steps = shown.lock().unwrap_or_else(PoisonError::into_inner);
                if steps.is_empty() {
                    continue;
                }
                let line: Vec<_> =
                    steps.iter().map(|(step, since)| format!("{step} ({})", elapsed(since.elapsed()))).collect();
                let line = line.join(", ");
                if terminal {
                    print!("\r\x1b[K  … {line}");
                    // A display that cannot be written is no reason to stop the work.
                    let _ = stdout().flush();
                } else {
                    println!("  … {line}");
                }
            }
        });
        Self { steps, display: Some((stop, display)) }
    }

    /// Does one step, shown while it runs and with its duration when it ends.
    pub(crate) fn step<T, E>(&self, name: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let started = Instant::now();
        self.steps().push((name.to_owned(), started));
        let outcome = work();
        let mut steps = self.steps();
        steps.retain(|(step, _)| step != name);
        let clear = if stdout().is_terminal() { "\r\x1b[K" } else { "" };
        let verdict = if outcome.is_ok() { "done" } else { "FAILED" };
        println!("{clear}  {verdict}: {name} ({})", elapsed(started.elapsed()));
        outcome
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<(String, Instant)>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, display)) = self.display.take() {
            drop(stop);
            // The display thread has nothing to hand back, and its panic, were there one, is already on the screen.
            let _ = display.join();
        }
    }
}

/// A duration as people say it: "42 s", "3 min 07 s".
pub(crate) fn elapsed(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_naturally() {
        assert_eq!(elapsed(Duration::from_secs(42)), "42 s");
        assert_eq!(elapsed(Duration::from_secs(187)), "3 min 07 s");
    }
}
