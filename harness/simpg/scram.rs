//! The server's side of SCRAM-SHA-256.
//!
//! One iteration, on purpose: what makes a password hard to guess would be most of what a simulated run costs.
//!
//! *Source*: RFC 5802, RFC 7677. Passwords are taken as they are: SASLprep changes nothing in ASCII.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};

use super::report::{Report, protocol_violation};

/// What a server keeps of a password.
#[derive(Clone, Debug)]
pub(super) struct Secret {
    salt: [u8; 16],
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

impl Secret {
    pub fn new(password: &str, rng: &mut impl Rng) -> Secret {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let salted = keyed(password.as_bytes(), &[&salt, &1_u32.to_be_bytes()]);
        let stored_key = Sha256::digest(keyed(&salted, &[b"Client Key"])).into();
        Secret { salt, stored_key, server_key: keyed(&salted, &[b"Server Key"]) }
    }
}

/// An exchange that has begun: the client's first message is there, and this is the answer to it.
pub(super) struct Exchange {
    pub answer: String,
    /// What the client's first message says, and how it begins.
    first: String,
    header: String,
}

fn malformed() -> Report {
    protocol_violation("malformed SCRAM message").made_fatal()
}

impl Exchange {
    /// Takes a SASLInitialResponse.
    ///
    /// *Errors*: 08P01 where it is no such thing.
    pub fn begin(body: &[u8], secret: &Secret, rng: &mut impl Rng) -> Result<Exchange, Report> {
        let end = body.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
        let (mechanism, rest) = (&body[..end], &body[end + 1..]);
        if mechanism != b"SCRAM-SHA-256" {
            return Err(protocol_violation("client selected an invalid SASL authentication mechanism").made_fatal());
        }
        // The length of what follows stands before it.
        let message = rest.get(4..).and_then(|message| std::str::from_utf8(message).ok()).ok_or_else(malformed)?;
        let header = ["n,,", "y,,"].into_iter().find(|header| message.starts_with(header)).ok_or_else(malformed)?;
        let first = &message[header.len()..];
        let nonce = first.split(',').find_map(|part| part.strip_prefix("r=")).ok_or_else(malformed)?;
        let mut own = [0; 18];
        rng.fill_bytes(&mut own);
        let answer = format!("r={nonce}{},s={},i=1", STANDARD.encode(own), STANDARD.encode(secret.salt));
        Ok(Exchange { answer, first: first.to_owned(), header: header.to_owned() })
    }

    /// Takes the proof; the answer to it, or `None` where it proves nothing.
    pub fn finish(&self, body: &[u8], secret: &Secret) -> Result<Option<String>, Report> {
        let message = std::str::from_utf8(body).map_err(|_| malformed())?;
        let (bare, proof) = message.rsplit_once(",p=").ok_or_else(malformed)?;
        let nonce = self.answer.split(',').next().unwrap_or_default();
        let expected = format!("c={},{nonce}", STANDARD.encode(&self.header));
        let proof: [u8; 32] =
            STANDARD.decode(proof).ok().and_then(|proof| proof.try_into().ok()).ok_or_else(malformed)?;
        if bare != expected {
            return Err(malformed());
        }
        let parts: [&[u8]; 5] = [self.first.as_bytes(), b",", self.answer.as_bytes(), b",", bare.as_bytes()];
        let mut client_key = keyed(&secret.stored_key, &parts);
        client_key.iter_mut().zip(proof).for_each(|(byte, proof)| *byte ^= proof);
        if <[u8; 32]>::from(Sha256::digest(client_key)) != secret.stored_key {
            return Ok(None);
        }
        Ok(Some(format!("v={}", STANDARD.encode(keyed(&secret.server_key, &parts)))))
    }
}
