//! Fields of a form that a person filled in.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};

use crate::Problem;

/// The fields, in order. What is left empty is not there.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`. Line ends become plain ones: browsers send two characters for each.
    fn read(bytes: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(bytes)
            .map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n").trim().to_owned()));
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// A field that may be left out.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone())
    }

    /// A field that has to be filled in; `what` says what it is.
    pub(super) fn need(&self, name: &str, what: &str) -> Result<String, Problem> {
        self.get(name).ok_or_else(|| Problem::unprocessable(format!("{what} has to be given")))
    }

    /// Every value of a field that can be chosen several times.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// A JSON document in a field; `null` when it is left out.
    pub(super) fn json(&self, name: &str, what: &str) -> Result<serde_json::Value, Problem> {
        let Some(text) = self.get(name) else { return Ok(serde_json::Value::Null) };
        serde_json::from_str(&text)
            .map_err(|error| Problem::unprocessable(format!("{what} is not JSON: {error}")))
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| Problem::bad(format!("the form cannot be read: {rejection}")))?;
        if bytes.len() > crate::limits::FORM_BYTES_MAX {
            return Err(Problem::of(model::code::general::TOO_LARGE, "the form is larger than the limit"));
        }
        Ok(Self::read(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_empty_is_not_there() {
        let fields = Fields::read(b"reason=+&name=a%20b&may=read&may=operate&text=1%0D%0A2");
        assert_eq!(fields.get("reason"), None);
        assert_eq!(fields.get("name").as_deref(), Some("a b"));
        assert_eq!(fields.get("text").as_deref(), Some("1\n2"));
        assert_eq!(fields.all("may").collect::<Vec<_>>(), ["read", "operate"]);
        assert!(fields.need("reason", "a reason").is_err());
    }

    #[test]
    fn documents_are_read_or_refused_with_the_place() {
        let fields = Fields::read(b"data=%7B%22a%22%3A1%7D&bad=%7B");
        assert_eq!(fields.json("data", "data").unwrap(), serde_json::json!({"a": 1}));
        assert_eq!(fields.json("none", "data").unwrap(), serde_json::Value::Null);
        let problem = fields.json("bad", "the data").unwrap_err();
        assert!(problem.body().detail.as_deref().unwrap().contains("line 1"));
    }
}
