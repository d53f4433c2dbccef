//! Certificate faults, which have no SQLSTATE, and operations between two faults.

use super::answers::wrong_password;
use crate::judge::samples::{HEAL, HIT, STEADY, Sample, ms, proof};
use crate::judge::{Check, CheckResult, VerdictKind};
use crate::model::fault::{CertificateFault, Fault, FaultKind};
use crate::model::history::{ErrorKind, OpError};

/// A run with this certificate fault from the start, whose operations fail with this message.
fn told(fault: CertificateFault, words: &str) -> Sample {
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    sample.header.faults[0].kind = FaultKind::Certificate(fault);
    let error = OpError::new(ErrorKind::Other, words).with_retryable(false);
    sample.fail(|op| op.began < HEAL, &error);
    sample
}

#[test]
fn certificate_errors_of_all_libraries_pass() {
    use CertificateFault::{ClientRevoked, ClientUnknown, NotYetValid, WrongAuthority, WrongHost};
    for (fault, words) in [
        (WrongHost, "server certificate for \"other.invalid\" does not match host name \"127.0.0.1\""),
        (WrongHost, "error performing TLS handshake: invalid peer certificate: certificate not valid for name \"x\""),
        (WrongHost, "tls: failed to verify certificate: x509: certificate is valid for other, not 127.0.0.1"),
        (WrongAuthority, "SSL error: certificate verify failed: unable to get local issuer certificate"),
        (WrongAuthority, "invalid peer certificate: UnknownIssuer"),
        (WrongAuthority, "x509: certificate signed by unknown authority"),
        (ClientUnknown, "SSL error: tlsv1 alert unknown ca"),
        (ClientUnknown, "received fatal alert: UnknownCA"),
        (ClientRevoked, "SSL error: sslv3 alert certificate revoked"),
        (ClientRevoked, "received fatal alert: CertificateRevoked"),
        (NotYetValid, "SSL error: certificate is not yet valid"),
        (NotYetValid, "invalid peer certificate: certificate not valid yet: verification time 1 (UNIX)"),
    ] {
        let verdict = told(fault, words).verdict();
        assert_eq!(verdict.checks[&Check::ErrorSurface], CheckResult::Pass, "{words}: {verdict:#?}");
    }
}

#[test]
fn timeout_is_no_certificate_error() {
    for words in ["the operation timed out", "server closed the connection unexpectedly", "SSL error"] {
        let sample = told(CertificateFault::ClientRevoked, words);
        assert!(sample.only_finding(Check::ErrorSurface).contains("client-certificate-revoked"), "{words}");
    }
}

/// A certificate that is renewed, and a reset at the heal of that fault, under which every operation succeeds.
fn renewed() -> Sample {
    let mut sample = Sample::healthy();
    sample.header.faults[0].kind = FaultKind::Certificate(CertificateFault::Renewed);
    sample.header.faults.push(Fault { kind: FaultKind::Reset, at: HEAL - STEADY, lasts: ms(0) });
    sample.fault_at(1, HEAL, HEAL);
    sample.header.budget.undisturbed = true;
    sample.evidence = vec![(0, proof("sessions", 4, true)), (1, proof("sockets reset", 4, true))];
    sample.succeed(|_| true);
    sample
}

#[test]
fn undisturbed_ends_at_interrupting_fault() {
    let lost = OpError::new(ErrorKind::Reset, "connection reset").with_retryable(true);
    let mut sample = renewed();
    sample.fail(|op| op.began >= HEAL && op.began < HEAL + ms(100), &lost);
    let verdict = sample.verdict();
    assert_eq!(verdict.checks[&Check::Undisturbed], CheckResult::Pass, "{verdict:#?}");
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");

    let mut sample = renewed();
    sample.fail(|op| op.worker == 1 && op.began >= HIT && op.began < HIT + ms(100), &lost);
    assert!(sample.only_finding(Check::Undisturbed).starts_with("2 of "));
}
