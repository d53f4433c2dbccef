//! The server's side of SCRAM-SHA-256.
//!
//! It uses one iteration, because with more, key derivation would dominate the time of a simulated run.
//!
//! *Source*: RFC 5802, RFC 7677. Passwords are used as given, because SASLprep does not change ASCII.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};

use super::report::{Report, protocol_violation};

/// The verifier that a server stores for a password.
#[derive(Clone, Debug)]
pub(super) struct Secret {
    salt: [u8; 16],
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // Cannot fail: HMAC takes keys of any length.
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

/// An exchange after the client's first message. `answer`: the server's answer to that.
pub(super) struct Exchange {
    pub answer: String,
    /// The client's first message without its GS2 header, and that header.
    first: String,
    header: String,
}

fn malformed() -> Report {
    protocol_violation("malformed SCRAM message").made_fatal()
}

impl Exchange {
    /// Processes a SASLInitialResponse.
    ///
    /// *Errors*: 08P01 if it is malformed, or the mechanism is not SCRAM-SHA-256.
    pub fn begin(body: &[u8], secret: &Secret, rng: &mut impl Rng) -> Result<Exchange, Report> {
        let end = body.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
        let (mechanism, rest) = (&body[..end], &body[end + 1..]);
        if mechanism != b"SCRAM-SHA-256" {
            return Err(protocol_violation("client selected an invalid SASL authentication mechanism").made_fatal());
        }
        // Four bytes of length precede the message.
        let message = rest.get(4..).and_then(|message| std::str::from_utf8(message).ok()).ok_or_else(malformed)?;
        let header = ["n,,", "y,,"].into_iter().find(|header| message.starts_with(header)).ok_or_else(malformed)?;
        let first = &message[header.len()..];
        let nonce = first.split(',').find_map(|part| part.strip_prefix("r=")).ok_or_else(malformed)?;
        let mut own = [0; 18];
        rng.fill_bytes(&mut own);
        let answer = format!("r={nonce}{},s={},i=1", STANDARD.encode(own), STANDARD.encode(secret.salt));
        Ok(Exchange { answer, first: first.to_owned(), header: header.to_owned() })
    }

    /// Checks the client's proof; returns the answer, or `None` if the proof is wrong.
    ///
    /// *Errors*: 08P01 if the message is malformed.
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
