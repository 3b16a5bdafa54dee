mod conformance;
mod driver;
mod effects;
mod events;
mod flow;
mod replay;
mod rituals;
mod trying;

use self::driver::{Driver, run, workflow};
use super::*;
