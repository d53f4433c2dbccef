use super::link::Direction;
use crate::fault::{Point, Strike};
pub(in crate::environment::network::proxy) trait Watch {
    fn awaits(&self, point: Point) -> bool;
    fn reach(&mut self, point: Point) -> Option<(Strike, u64)>;
    fn note(&mut self, note: Note<'_>);
}
pub enum Note<'a> {
    EncryptionRequested,
    Opaque(String),
    CancelRequested,
    Startup { major: u16, minor: u16, user: Option<&'a str>, database: Option<&'a str>, replication: bool },
    Authenticated,
    BackendPid(u32),
    FirstRequest,
    Ready(u8),
    Error { severity: String, sqlstate: [u8; 5] },
    Notice { severity: String, sqlstate: [u8; 5] },
    AncientError { text: &'a [u8] },
}
#[derive(Default)]
pub struct Session {}
impl Session {
    pub fn inspect(&mut self, _direction: Direction, bytes: &[u8], _watch: &mut impl Watch) -> Inspected {
        Inspected { length: bytes.len(), pass: true, then: None }
    }
}
pub struct Inspected {
    pub length: usize,
    pub pass: bool,
    pub then: Option<(Strike, u64)>,
}
