//! The pet and store operations of the Swagger Petstore, version 2.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("petstore.json");

type Pets = Arc<Mutex<BTreeMap<i64, Value>>>;

pub(super) fn routes() -> Router {
    let names = ["Rex", "Milou", "Tom", "Kitty", "Polly", "Nemo", "Lassie", "Felix", "Dumbo", "Bambi"];
    let statuses = ["available", "pending", "sold"];
    let pets = (1_i64..).zip(names).zip(statuses.into_iter().cycle()).map(|((id, name), status)| {
        let pet = json!({
            "id": id, "name": name, "status": status,
            "category": {"id": 1, "name": "animals"}, "photoUrls": [], "tags": [{"id": 1, "name": "standin"}],
        });
        (id, pet)
    });
    let pets: Pets = Arc::new(Mutex::new(pets.collect()));
    Router::new()
        .route("/v2/swagger.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], DOCUMENT) }))
        .route("/v2/pet", post(put_pet).put(put_pet))
        .route("/v2/pet/findByStatus", get(async |state, uri: Uri| find(state, &uri, "status")))
        .route("/v2/pet/findByTags", get(async |state, uri: Uri| find(state, &uri, "tags")))
        .route("/v2/pet/{id}", get(get_pet).post(update_pet).delete(delete_pet))
        .route("/v2/store/inventory", get(inventory))
        .fallback(|| async { missing("null for uri") })
        .with_state(pets)
}

fn missing(message: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"code": 1, "type": "error", "message": message}))).into_response()
}

fn find(State(pets): State<Pets>, uri: &Uri, name: &'static str) -> Json<Vec<Value>> {
    let query = uri.query().unwrap_or_default();
    let wanted: Vec<String> = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == name)
        .flat_map(|(_, value)| value.split(',').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let has = |pet: &Value| match name {
        "tags" => pet["tags"].as_array().is_some_and(|tags| {
            tags.iter().any(|tag| wanted.iter().any(|want| tag["name"] == want.as_str()))
        }),
        _ => wanted.iter().any(|want| pet[name] == want.as_str()),
    };
    let pets = pets.lock().unwrap_or_else(PoisonError::into_inner);
    Json(pets.values().filter(|pet| has(pet)).cloned().collect())
}

async fn get_pet(State(pets): State<Pets>, Path(id): Path<String>) -> Response {
    let pets = pets.lock().unwrap_or_else(PoisonError::into_inner);
    match id.parse::<i64>().ok().and_then(|id| pets.get(&id)) {
        Some(pet) => Json(pet.clone()).into_response(),
        None => missing("Pet not found"),
    }
}

async fn put_pet(State(pets): State<Pets>, Json(mut pet): Json<Value>) -> Response {
    if !pet["name"].is_string() {
        return (StatusCode::METHOD_NOT_ALLOWED, Json(json!({"code": 405, "type": "unknown"})))
            .into_response();
    }
    let mut pets = pets.lock().unwrap_or_else(PoisonError::into_inner);
    let next = pets.keys().next_back().map_or(1, |last| last + 1);
    let id = pet["id"].as_i64().filter(|id| *id > 0).unwrap_or(next);
    pet["id"] = json!(id);
    pets.insert(id, pet.clone());
    Json(pet).into_response()
}

async fn update_pet(State(pets): State<Pets>, Path(id): Path<i64>, body: String) -> Response {
    let mut pets = pets.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(pet) = pets.get_mut(&id) else { return missing("not found") };
    for (name, value) in url::form_urlencoded::parse(body.as_bytes()) {
        if name == "name" || name == "status" {
            pet[name.as_ref()] = Value::from(value.into_owned());
        }
    }
    Json(json!({"code": 200, "type": "unknown", "message": id.to_string()})).into_response()
}

async fn delete_pet(State(pets): State<Pets>, Path(id): Path<i64>) -> Response {
    let mut pets = pets.lock().unwrap_or_else(PoisonError::into_inner);
    match pets.remove(&id) {
        Some(_) => Json(json!({"code": 200, "type": "unknown", "message": id.to_string()})).into_response(),
        None => missing("Pet not found"),
    }
}

async fn inventory(State(pets): State<Pets>) -> Json<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for pet in pets.lock().unwrap_or_else(PoisonError::into_inner).values() {
        *counts.entry(pet["status"].as_str().unwrap_or("unknown").to_owned()).or_insert(0) += 1;
    }
    Json(counts)
}
