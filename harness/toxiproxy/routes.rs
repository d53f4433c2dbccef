//! The API's routes. Paths, methods and statuses are Toxiproxy's, except for the extensions, which are marked.
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
use super::api_error::ApiError;
use super::api_types::{ProxyChange, ProxyConfig, ProxyView, Toxic, ToxicView};
use super::proxies::Proxies;
use super::proxy::Proxy;
use crate::gateway::Cut;

/// The largest body of a request, in bytes: enough for thousands of proxies.
const BODY_LIMIT: usize = 1 << 20;

/// Time limit of a request, as in Toxiproxy.
const REQUEST_WITHIN: Duration = Duration::from_secs(25);

type SharedProxies = State<Arc<Proxies>>;
type Body = Result<Bytes, BytesRejection>;

/// A reply: a status and JSON.
type Answer<T> = Result<(StatusCode, Json<T>), ApiError>;

pub(super) fn routes(proxies: Arc<Proxies>) -> Router {
    Router::new()
        .route("/version", get(version))
        .route("/proxies", get(index).post(create))
        .route("/populate", post(populate))
        .route("/reset", post(reset))
        .route("/proxies/{proxy}", get(show).post(change).patch(change).delete(remove))
        .route("/proxies/{proxy}/toxics", get(toxics).post(add))
        .route("/proxies/{proxy}/toxics/{toxic}", get(toxic).post(update).patch(update).delete(remove_toxic))
        // Extensions of Toxiproxy's API.
        .route("/proxies/{proxy}/tap", get(tap))
        .route("/proxies/{proxy}/reset", post(reset_connections))
        .route("/proxies/{proxy}/close", post(close_connections))
        .fallback(async || ApiError::new(404, "no such path; see harness/toxiproxy/README.md"))
        .method_not_allowed_fallback(async || ApiError::new(405, "this path does not take this method"))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(guard))
        .with_state(proxies)
}

/// Rejects browsers, and limits the time of a request.
///
/// Any web page can send requests to a loopback port. `Origin` and `User-Agent` show that a browser sent a request.
async fn guard(headers: HeaderMap, request: Request, next: Next) -> Response {
    let agent = headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    if agent || headers.contains_key(ORIGIN) {
        return ApiError::new(403, "User agent not allowed").into_response();
    }
    // A separate task completes the request even if the caller disconnects.
    let handled = tokio::spawn(async move { timeout(REQUEST_WITHIN, next.run(request)).await });
    match handled.await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => ApiError::new(503, "the request took too long").into_response(),
        Err(_) => {
            ApiError::failed("the request could not be carried out: this is a defect of pgsquall").into_response()
        }
    }
}

struct Json<T>(T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => ApiError::failed(error).into_response(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(json!({ "error": self.message, "status": status.as_u16() }))).into_response()
    }
}

fn body(body: Body) -> Result<Bytes, ApiError> {
    body.map_err(|rejection| ApiError::new(rejection.status().as_u16(), rejection.body_text()))
}

fn ok<T>(view: T) -> Answer<T> {
    Ok((StatusCode::OK, Json(view)))
}

async fn version() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json;charset=utf-8")], format!("{{\"version\": \"{DIALECT}\"}}\n"))
}

async fn index(State(proxies): SharedProxies) -> impl IntoResponse {
    Json(proxies.views().await)
}

async fn create(State(proxies): SharedProxies, sent: Body) -> Answer<ProxyView> {
    let proxy = proxies.create(ProxyConfig::read(&body(sent)?)?).await?;
    Ok((StatusCode::CREATED, Json(proxy.view().await)))
}

async fn populate(State(proxies): SharedProxies, sent: Body) -> Answer<serde_json::Value> {
    let (made, outcome) = proxies.populate(ProxyConfig::list(&body(sent)?)?).await;
    let mut views = Vec::new();
    for proxy in made {
        views.push(proxy.view().await);
    }
    match outcome {
        Ok(()) => Ok((StatusCode::CREATED, Json(json!({ "proxies": views })))),
        Err(error) => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let body = json!({ "error": error.message, "status": error.status, "proxies": views });
            Ok((status, Json(body)))
        }
    }
}

async fn reset(State(proxies): SharedProxies) -> Result<StatusCode, ApiError> {
    proxies.reset().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn show(State(proxies): SharedProxies, Path(proxy): Path<String>) -> Answer<ProxyView> {
    ok(proxies.find(&proxy).await?.view().await)
}

async fn change(State(proxies): SharedProxies, Path(proxy): Path<String>, sent: Body) -> Answer<ProxyView> {
    let proxy = proxies.find(&proxy).await?;
    proxy.change(ProxyChange::read(&body(sent)?)?).await?;
    ok(proxy.view().await)
}

async fn remove(State(proxies): SharedProxies, Path(proxy): Path<String>) -> Result<StatusCode, ApiError> {
    proxies.remove(&proxy).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn toxics(State(proxies): SharedProxies, Path(proxy): Path<String>) -> Answer<Vec<ToxicView>> {
    ok(proxies.find(&proxy).await?.toxics().await)
}

async fn add(State(proxies): SharedProxies, Path(proxy): Path<String>, sent: Body) -> Answer<ToxicView> {
    let proxy = proxies.find(&proxy).await?;
    ok(proxy.add(Toxic::read(&body(sent)?)?).await?)
}

async fn toxic(State(proxies): SharedProxies, Path((proxy, toxic)): Path<(String, String)>) -> Answer<ToxicView> {
    ok(proxies.find(&proxy).await?.toxic(&toxic).await?)
}

async fn update(
    State(proxies): SharedProxies,
    Path((proxy, toxic)): Path<(String, String)>,
    sent: Body,
) -> Answer<ToxicView> {
    ok(proxies.find(&proxy).await?.update(&toxic, &body(sent)?).await?)
}

async fn remove_toxic(
    State(proxies): SharedProxies,
    Path((proxy, toxic)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    proxies.find(&proxy).await?.remove(&toxic).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn tap(State(proxies): SharedProxies, Path(proxy): Path<String>) -> Answer<serde_json::Value> {
    ok(proxies.find(&proxy).await?.tap_report().await)
}

async fn reset_connections(State(proxies): SharedProxies, Path(proxy): Path<String>) -> Answer<serde_json::Value> {
    cut(&*proxies.find(&proxy).await?, Cut::Reset).await
}

async fn close_connections(State(proxies): SharedProxies, Path(proxy): Path<String>) -> Answer<serde_json::Value> {
    cut(&*proxies.find(&proxy).await?, Cut::Close).await
}

async fn cut(proxy: &Proxy, cut: Cut) -> Answer<serde_json::Value> {
    ok(json!({ "connections": proxy.cut(cut).await }))
}
