//! A limit on how long a step of a built-in client may take.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Either;
use tokio::time::timeout;

use crate::model::history::{ErrorKind, OpError};
use crate::model::time::show;

/// Runs `work`, which fails with a timeout after `limit`. `None`: no limit. `step` names the work in the error.
pub(super) fn within<T>(
    limit: Option<Duration>,
    step: &str,
    work: impl Future<Output = Result<T, OpError>>,
) -> impl Future<Output = Result<T, OpError>> {
    let Some(limit) = limit else { return Either::Left(work) };
    let too_long = move || OpError::new(ErrorKind::Timeout, format!("{step} took longer than {}", show(limit)));
    // Not an async function, which would hold the large future `work` twice.
    Either::Right(timeout(limit, work).map(move |done| done.unwrap_or_else(|_| Err(too_long()))))
}
