//! Values and their types, in text and binary format.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};

use super::super::report::{Report, protocol_violation};

/// The types of the workloads' statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int2,
    Int4,
    Int8,
    Float8,
    Text,
    /// The type of names in the catalogue: text of fixed size.
    Name,
    Void,
}

impl Type {
    /// The type of this SQL name.
    pub fn named(name: &str) -> Option<Type> {
        Some(match name {
            "bool" | "boolean" => Type::Bool,
            "smallint" | "int2" => Type::Int2,
            "int" | "integer" | "int4" => Type::Int4,
            "bigint" | "int8" => Type::Int8,
            "float8" => Type::Float8,
            "text" | "varchar" => Type::Text,
            _ => return None,
        })
    }

    pub fn of_oid(oid: u32) -> Option<Type> {
        Some(match oid {
            16 => Type::Bool,
            21 => Type::Int2,
            23 => Type::Int4,
            20 => Type::Int8,
            701 => Type::Float8,
            25 | 1043 | 1042 => Type::Text,
            19 => Type::Name,
            _ => return None,
        })
    }

    pub fn oid(self) -> u32 {
        match self {
            Type::Bool => 16,
            Type::Int2 => 21,
            Type::Int4 => 23,
            Type::Int8 => 20,
            Type::Float8 => 701,
            Type::Text => 25,
            Type::Name => 19,
            Type::Void => 2278,
        }
    }

    /// The name in error messages.
    pub fn name(self) -> &'static str {
        match self {
            Type::Bool => "boolean",
            Type::Int2 => "smallint",
            Type::Int4 => "integer",
            Type::Int8 => "bigint",
            Type::Float8 => "double precision",
            Type::Text => "text",
            Type::Name => "name",
            Type::Void => "void",
        }
    }

    /// The default name of a column cast to this type.
    pub fn column(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int2 => "int2",
            Type::Int4 => "int4",
            Type::Int8 => "int8",
            Type::Float8 => "float8",
            Type::Text => "text",
            Type::Name => "name",
            Type::Void => "void",
        }
    }

    /// `typlen`; -1: variable.
    pub fn size(self) -> i16 {
        match self {
            Type::Bool => 1,
            Type::Int2 => 2,
            Type::Int4 | Type::Void => 4,
            Type::Int8 | Type::Float8 => 8,
            Type::Text => -1,
            Type::Name => 64,
        }
    }

    pub fn is_integer(self) -> bool {
        matches!(self, Type::Int2 | Type::Int4 | Type::Int8)
    }

    /// Parses a value in text format.
    ///
    /// *Errors*: 22P02 for invalid syntax, 22003 out of range.
    pub fn parse(self, text: &str) -> Result<Value, Report> {
        let wrong = || {
            let name = self.name();
            Report::error("22P02", format!("invalid input syntax for type {name}: \"{text}\""))
        };
        match self {
            Type::Text | Type::Name | Type::Void => Ok(Value::Text(text.to_owned())),
            Type::Float8 => text.trim().parse().map(Value::Float).map_err(|_| wrong()),
            Type::Bool => match text.trim().to_ascii_lowercase().as_str() {
                "t" | "true" | "on" | "yes" | "y" | "1" => Ok(Value::Bool(true)),
                "f" | "false" | "off" | "no" | "n" | "0" => Ok(Value::Bool(false)),
                _ => Err(wrong()),
            },
            Type::Int2 | Type::Int4 | Type::Int8 => {
                let digits = text.trim();
                let number: i128 = digits.parse().map_err(|_| wrong())?;
                self.integer(number).ok_or_else(|| {
                    let name = self.name();
                    Report::error("22003", format!("value \"{digits}\" is out of range for type {name}"))
                })
            }
        }
    }

    fn integer(self, number: i128) -> Option<Value> {
        match self {
            Type::Int2 => i16::try_from(number).ok().map(|number| Value::Int(number.into(), self)),
            Type::Int4 => i32::try_from(number).ok().map(|number| Value::Int(number.into(), self)),
            _ => i64::try_from(number).ok().map(|number| Value::Int(number, Type::Int8)),
        }
    }

    /// Decodes a value in binary format.
    ///
    /// *Errors*: 22P03 for a wrong length, 22021 for invalid text, 08P01 for void.
    pub fn decode(self, bytes: &[u8]) -> Result<Value, Report> {
        let wrong = || Report::error("22P03", "incorrect binary data format in bind parameter");
        Ok(match self {
            Type::Bool => Value::Bool(bytes.first().filter(|_| bytes.len() == 1).ok_or_else(wrong)? != &0),
            Type::Int2 => Value::Int(i16::from_be_bytes(bytes.try_into().map_err(|_| wrong())?).into(), self),
            Type::Int4 => Value::Int(i32::from_be_bytes(bytes.try_into().map_err(|_| wrong())?).into(), self),
            Type::Int8 => Value::Int(i64::from_be_bytes(bytes.try_into().map_err(|_| wrong())?), self),
            Type::Float8 => Value::Float(f64::from_be_bytes(bytes.try_into().map_err(|_| wrong())?)),
            Type::Text | Type::Name => Value::Text(utf8(bytes)?.to_owned()),
            Type::Void => return Err(protocol_violation("nothing is of type void")),
        })
    }
}

/// Checks that a client's text is UTF-8 without NUL.
///
/// *Errors*: 22021.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Report> {
    let bad = |at: usize| {
        let byte = bytes.get(at).copied().unwrap_or_default();
        Report::error("22021", format!("invalid byte sequence for encoding \"UTF8\": {byte:#04x}"))
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => match bytes.contains(&0) {
            true => Err(bad(bytes.iter().position(|byte| *byte == 0).unwrap_or_default())),
            false => Ok(text),
        },
        Err(error) => Err(bad(error.valid_up_to())),
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// An integer of one of the three sizes.
    Int(i64, Type),
    Float(f64),
    Text(String),
}

impl Value {
    pub fn write(&self, out: &mut BytesMut, binary: bool) {
        match (self, binary) {
            (Value::Null, _) => {}
            (Value::Bool(value), true) => out.put_u8(u8::from(*value)),
            (Value::Bool(value), false) => out.put_u8(if *value { b't' } else { b'f' }),
            (Value::Int(value, Type::Int2), true) => out.put_i16(*value as i16),
            (Value::Int(value, Type::Int4), true) => out.put_i32(*value as i32),
            (Value::Int(value, _), true) => out.put_i64(*value),
            (Value::Float(value), true) => out.put_f64(*value),
            // Writing to memory does not fail.
            (Value::Int(value, _), false) => drop(write!(out, "{value}")),
            (Value::Float(value), false) => drop(write!(out, "{value}")),
            (Value::Text(text), _) => out.put_slice(text.as_bytes()),
        }
    }

    /// Converts to another type, as an assignment or a cast does. A value without a conversion to `to` stays as it is.
    ///
    /// *Errors*: 22003 out of range, 22P02 for text of invalid syntax.
    pub fn cast(self, to: Type) -> Result<Value, Report> {
        match (self, to) {
            (Value::Int(value, of), Type::Int2 | Type::Int4 | Type::Int8) if of != to => {
                to.integer(value.into()).ok_or_else(|| Report::error("22003", format!("{} out of range", to.name())))
            }
            (Value::Int(value, _), Type::Float8) => Ok(Value::Float(value as f64)),
            (Value::Int(value, _), Type::Text) => Ok(Value::Text(value.to_string())),
            (Value::Bool(value), Type::Text) => Ok(Value::Text(value.to_string())),
            (Value::Float(value), Type::Int2 | Type::Int4 | Type::Int8) => to
                .integer(value.round() as i128)
                .ok_or_else(|| Report::error("22003", format!("{} out of range", to.name()))),
            (Value::Text(text), to) => to.parse(&text),
            (value, _) => Ok(value),
        }
    }
}
