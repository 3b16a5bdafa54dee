//! Nobody signs in yet.
#![allow(
    missing_docs,
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "the parts that use it come first"
)]

use axum::http::HeaderMap;
use model::{Environment, Permission, Principal, Timestamp};
use policy::Forbidden;
use project::Access;
pub struct Identity;
pub struct Caller {
    pub principal: Principal,
    pub via: Option<Principal>,
    pub groups: Vec<String>,
}
pub enum Presented {
    Nothing,
}
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("x")]
    NotSignedIn,
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}
impl model::Coded for IdentityError {
    fn code(&self) -> &'static model::Code {
        model::code::server::NOT_SIGNED_IN
    }
}
impl Presented {
    pub fn from_headers(_: &HeaderMap, _: bool) -> Self {
        Self::Nothing
    }
}
impl Identity {
    pub fn draw(&self) -> u128 {
        0
    }
    pub fn authenticate(&self, _: &Presented, _: Timestamp) -> Result<Caller, IdentityError> {
        Err(IdentityError::NotSignedIn)
    }
    pub fn check_origin(&self, _: &HeaderMap) -> Result<(), IdentityError> {
        Ok(())
    }
    pub fn is_current(&self, _: &Caller, _: Timestamp) -> bool {
        true
    }
}
impl Caller {
    pub fn may(
        &self,
        access: &Access,
        _: &str,
        environment: &Environment,
        permission: Permission,
    ) -> Result<(), IdentityError> {
        Ok(access.permits(&self.principal, &self.groups, environment, permission)?)
    }
    pub fn is_session(&self) -> bool {
        false
    }
    pub fn check_csrf(&self, _: &str) -> Result<(), IdentityError> {
        Ok(())
    }
}
