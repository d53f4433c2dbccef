//! The HTTP side of the API: which request asks for what. Paths, methods and statuses are Toxiproxy's; what is ours is
//! marked.
//!
//! *Source*: Toxiproxy, `api.go`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CONTENT_TYPE, ORIGIN, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use super::DIALECT;
use super::api_error::Complaint;
use super::api_types::{ProxyChange, ProxyConfig, ProxyShown, Toxic, ToxicShown};
use super::proxies::Proxies;
use super::proxy::Proxy;
use crate::gateway::Cut;

/// Longest body, in bytes: thousands of proxies.
const LONGEST_BODY: usize = 1 << 20;

/// Longest that a request may take, as in Toxiproxy.
const PATIENCE: Duration = Duration::from_secs(25);

type Shared = State<Arc<Proxies>>;
type Body = Result<Bytes, BytesRejection>;

/// An answer: a status with JSON, or with nothing.
type Answer<T> = Result<(StatusCode, Json<T>), Complaint>;

pub(super) fn routes(proxies: Arc<Proxies>) -> Router {
    Router::new()
        .route("/version", get(version))
        .route("/proxies", get(index).post(create))
        .route("/populate", post(populate))
        .route("/reset", post(reset))
        .route("/proxies/{proxy}", get(show).post(change).patch(change).delete(remove))
        .route("/proxies/{proxy}/toxics", get(toxics).post(add))
        .route("/proxies/{proxy}/toxics/{toxic}", get(toxic).post(update).patch(update).delete(remove_toxic))
        // Ours.
        .route("/proxies/{proxy}/tap", get(tap))
        .route("/proxies/{proxy}/reset", post(reset_connections))
        .route("/proxies/{proxy}/close", post(close_connections))
        .fallback(async || Complaint::new(404, "no such path; see harness/toxiproxy/README.md"))
        .method_not_allowed_fallback(async || Complaint::new(405, "this path does not take this method"))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(from_fn(guard))
        .with_state(proxies)
}

/// Lets no browser in, and no request stay for ever.
///
/// Any web page may send requests to a loopback port; a browser says that it is one, as only browsers do.
async fn guard(headers: HeaderMap, request: Request, next: Next) -> Response {
    let agent = headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    if agent || headers.contains_key(ORIGIN) {
        return Complaint::new(403, "User agent not allowed").into_response();
    }
    // A task of its own: a change that has begun is carried out also if the caller leaves meanwhile.
    let carried = tokio::spawn(async move { timeout(PATIENCE, next.run(request)).await });
    match carried.await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Complaint::new(503, "it took too long").into_response(),
        Err(_) => {
            Complaint::failed("the request could not be carried out: this is a defect of pgsquall").into_response()
        }
    }
}

struct Json<T>(T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => Complaint::failed(error).into_response(),
        }
    }
}

impl IntoResponse for Complaint {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(json!({ "error": self.message, "status": status.as_u16() }))).into_response()
    }
}

fn body(body: Body) -> Result<Bytes, Complaint> {
    body.map_err(|rejection| Complaint::new(rejection.status().as_u16(), rejection.body_text()))
}

fn ok<T>(shown: T) -> Answer<T> {
    Ok((StatusCode::OK, Json(shown)))
}

async fn version() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json;charset=utf-8")], format!("{{\"version\": \"{DIALECT}\"}}\n"))
}

async fn index(State(proxies): Shared) -> impl IntoResponse {
    Json(proxies.shown().await)
}

async fn create(State(proxies): Shared, sent: Body) -> Answer<ProxyShown> {
    let proxy = proxies.create(ProxyConfig::read(&body(sent)?)?).await?;
    Ok((StatusCode::CREATED, Json(proxy.shown().await)))
}

async fn populate(State(proxies): Shared, sent: Body) -> Answer<serde_json::Value> {
    let (had, outcome) = proxies.populate(ProxyConfig::list(&body(sent)?)?).await;
    let mut shown = Vec::new();
    for proxy in had {
        shown.push(proxy.shown().await);
    }
    match outcome {
        Ok(()) => Ok((StatusCode::CREATED, Json(json!({ "proxies": shown })))),
        Err(complaint) => {
            let status = StatusCode::from_u16(complaint.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let told = json!({ "error": complaint.message, "status": complaint.status, "proxies": shown });
            Ok((status, Json(told)))
        }
    }
}

async fn reset(State(proxies): Shared) -> Result<StatusCode, Complaint> {
    proxies.reset().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn show(State(proxies): Shared, Path(proxy): Path<String>) -> Answer<ProxyShown> {
    ok(proxies.find(&proxy).await?.shown().await)
}

async fn change(State(proxies): Shared, Path(proxy): Path<String>, sent: Body) -> Answer<ProxyShown> {
    let proxy = proxies.find(&proxy).await?;
    proxy.change(ProxyChange::read(&body(sent)?)?).await?;
    ok(proxy.shown().await)
}

async fn remove(State(proxies): Shared, Path(proxy): Path<String>) -> Result<StatusCode, Complaint> {
    proxies.remove(&proxy).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn toxics(State(proxies): Shared, Path(proxy): Path<String>) -> Answer<Vec<ToxicShown>> {
    ok(proxies.find(&proxy).await?.toxics().await)
}

async fn add(State(proxies): Shared, Path(proxy): Path<String>, sent: Body) -> Answer<ToxicShown> {
    let proxy = proxies.find(&proxy).await?;
    ok(proxy.add(Toxic::read(&body(sent)?)?).await?)
}

async fn toxic(State(proxies): Shared, Path((proxy, toxic)): Path<(String, String)>) -> Answer<ToxicShown> {
    ok(proxies.find(&proxy).await?.toxic(&toxic).await?)
}

async fn update(
    State(proxies): Shared,
    Path((proxy, toxic)): Path<(String, String)>,
    sent: Body,
) -> Answer<ToxicShown> {
    ok(proxies.find(&proxy).await?.update(&toxic, &body(sent)?).await?)
}

async fn remove_toxic(
    State(proxies): Shared,
    Path((proxy, toxic)): Path<(String, String)>,
) -> Result<StatusCode, Complaint> {
    proxies.find(&proxy).await?.remove(&toxic).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn tap(State(proxies): Shared, Path(proxy): Path<String>) -> Answer<serde_json::Value> {
    ok(proxies.find(&proxy).await?.seen().await)
}

async fn reset_connections(State(proxies): Shared, Path(proxy): Path<String>) -> Answer<serde_json::Value> {
    cut(&*proxies.find(&proxy).await?, Cut::Reset).await
}

async fn close_connections(State(proxies): Shared, Path(proxy): Path<String>) -> Answer<serde_json::Value> {
    cut(&*proxies.find(&proxy).await?, Cut::Close).await
}

async fn cut(proxy: &Proxy, cut: Cut) -> Answer<serde_json::Value> {
    ok(json!({ "connections": proxy.cut(cut).await }))
}
