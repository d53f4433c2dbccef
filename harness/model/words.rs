//! The macro `words!`: an enum with a word for each variant, which stored files, scenario files and output share.

/// Declares an enum with a word for each variant. Serde stores the word; `ALL` lists words and values; `word` returns
/// it.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal,)* }
    ) => {
        $(#[$meta])*
        pub enum $name {
            $($(#[$about])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every value, with its word.
            pub const ALL: [(&'static str, $name); [$($word),*].len()] = [$(($word, $name::$variant)),*];

            pub fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }
        }
    };
}

/// Displays each of these enums of [`words!`] by its word.
macro_rules! display_words {
    ($($name:ident),+) => {
        $(impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        })+
    };
}

pub(crate) use {display_words, words};
