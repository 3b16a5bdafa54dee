//! The calls of the conformance features, against the stand-in.

use calls::standin::Standin;
use serde_json::json;

use crate::support::Caller;

#[tokio::test]
async fn the_features_http_calls_are_answered_by_the_standin() {
    let standin = Standin::start().await.unwrap();
    let caller = Caller::new(standin.config());
    let pets = caller.get("https://petstore.swagger.io/v2/pet/findByStatus?status=available").await.unwrap();
    assert!(pets[0]["id"].is_number() && pets[0]["name"].is_string() && pets[0]["status"] == "available");

    let response = caller
        .http(json!({"method": "GET", "uri": "https://petstore.swagger.io/v2/pet/1", "output": "response"}))
        .await
        .unwrap();
    assert_eq!(response["request"]["method"], "GET");
    assert_eq!(response["request"]["uri"], "https://petstore.swagger.io/v2/pet/1");
    assert_eq!(response["request"]["headers"]["accept"], "*/*");
    assert_eq!(response["statusCode"], 200);
    assert_eq!(response["headers"]["content-type"], "application/json");
    assert_eq!(response["content"]["id"], 1);

    let login = json!({"basic": {"username": "serverless-workflow", "password": "conformance-test"}});
    let uri = "https://httpbin.org/basic-auth/serverless-workflow/conformance-test";
    caller.http(json!({"method": "GET", "uri": uri, "authentication": login})).await.unwrap();
    assert_eq!(caller.get(uri).await.unwrap_err().problem().status, 401);
    assert_eq!(caller.get("https://petstore.swagger.io/v2/pet/x/y").await.unwrap_err().problem().status, 404);
}

#[tokio::test]
async fn the_features_openapi_calls_are_answered_by_the_standin() {
    let standin = Standin::start().await.unwrap();
    let caller = Caller::new(standin.config());
    let document = json!({"uri": "https://petstore.swagger.io/v2/swagger.json"});
    let pets = caller
        .openapi(json!({
            "document": document, "operationId": "findPetsByStatus", "parameters": {"status": "available"}
        }))
        .await
        .unwrap();
    assert_eq!(pets.as_array().unwrap().len(), 4);
    let response = caller
        .openapi(json!({
            "document": document, "operationId": "getPetById", "parameters": {"petId": 1}, "output": "response"
        }))
        .await
        .unwrap();
    assert_eq!(response["content"]["id"], 1);
    assert_eq!(response["request"]["uri"], "https://petstore.swagger.io/v2/pet/1");
    for (operation, parameters) in [
        ("addPet", json!({"body": {"name": "Rin", "photoUrls": []}})),
        ("updatePetWithForm", json!({"petId": 1, "name": "Max & Co"})),
        ("deletePet", json!({"petId": 2, "api_key": "special"})),
        ("getInventory", json!({"api_key": "special"})),
    ] {
        caller
            .openapi(json!({"document": document, "operationId": operation, "parameters": parameters}))
            .await
            .unwrap();
    }
    assert_eq!(caller.get("https://petstore.swagger.io/v2/pet/1").await.unwrap()["name"], "Max & Co");
    assert_eq!(caller.get("https://petstore.swagger.io/v2/pet/11").await.unwrap()["name"], "Rin");
    assert_eq!(caller.get("https://petstore.swagger.io/v2/pet/2").await.unwrap_err().problem().status, 404);
}
