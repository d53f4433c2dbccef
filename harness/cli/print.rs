//! Printing to whoever still listens: a pipe whose reader has left, as in `pgsquall list | head`, is no error of ours,
//! and must not end a run before it has cleaned up.

/// Prints a line to stdout.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::print::line(&mut std::io::stdout().lock(), format_args!($($text)*))
    };
}

/// Prints a line to stderr.
macro_rules! complain {
    ($($text:tt)*) => {
        $crate::print::line(&mut std::io::stderr().lock(), format_args!($($text)*))
    };
}

pub(crate) use {complain, say};

/// Writes a line, if anybody reads it.
pub fn line(to: &mut dyn std::io::Write, text: std::fmt::Arguments) {
    let _ = writeln!(to, "{text}");
}

/// Writes a text to stdout as it is, if anybody reads it.
pub fn text(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes());
}
