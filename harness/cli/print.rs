//! Prints to stdout and stderr, and ignores every error: a closed pipe, as in `pgsquall list | head`, must not end a
//! run before its clean-up.

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

/// Writes a line; ignores errors.
pub fn line(to: &mut dyn std::io::Write, text: std::fmt::Arguments) {
    let _ = writeln!(to, "{text}");
}

/// Writes a text to stdout unchanged; ignores errors.
pub fn text(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes());
}
