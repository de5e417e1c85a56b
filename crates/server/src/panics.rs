//! What the log tells of a panic: where it was, and nothing that anybody has sent.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

/// From now on panics are logged. A message that was put together while the program ran is left out:
/// it may hold somebody's text, as those about strings that are cut at a wrong place do.
pub fn log_panics() {
    panic::set_hook(Box::new(log));
}

fn log(info: &PanicHookInfo<'_>) {
    let at = info.location().map(ToString::to_string);
    let message = info.payload().downcast_ref::<&str>().copied();
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        panic.location = at,
        panic.message = message,
        panic.backtrace = backtrace,
        "the program has a fault; please report it"
    );
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panics here").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged when this panics.
    fn logged(panics: impl FnOnce() + panic::UnwindSafe) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let before = panic::take_hook();
        log_panics();
        let result = with_default(subscriber, || panic::catch_unwind(panics));
        panic::set_hook(before);
        assert!(result.is_err());
        let bytes = lines.0.lock().expect("nobody panics here").clone();
        String::from_utf8(bytes).expect("a log is text")
    }

    #[test]
    fn a_panic_tells_where_it_was_but_not_what_somebody_has_sent() {
        let text = "öpen-sesame".to_owned();
        let cut = move || drop(text[..1].to_owned());
        let log = logged(cut);
        assert!(log.contains("ERROR") && log.contains("panics.rs:"), "{log}");
        assert!(!log.contains("sesame"), "{log}");
        let log = logged(|| panic!("a reason of our own"));
        assert!(log.contains("a reason of our own"), "{log}");
    }
}
