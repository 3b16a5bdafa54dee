//! The natives that count the work of an evaluation and end it when there is too much.

use std::cell::Cell;

use jaq_core::box_iter::box_once;
use jaq_core::native::{Fun, run, v};
use jaq_core::{Ctx, DataT, Exn, Lut, Native, data::HasLut};
use jaq_json::{Error, Val};

use super::instrument::{ADD, FITS, MULTIPLY, TICK};
use crate::limits;

/// What natives see: the program, the meter, the time.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) lut: &'a Lut<Jq>,
    pub(super) meter: &'a Meter,
    pub(super) now: f64,
}

/// The kind of data our programs run on.
pub(super) struct Jq;

impl DataT for Jq {
    type V<'a> = Val;
    type Data<'a> = Scene<'a>;
}

impl<'a> HasLut<'a, Jq> for Scene<'a> {
    fn lut(&self) -> &'a Lut<Jq> {
        self.lut
    }
}

/// What an evaluation may still use.
pub(super) struct Meter {
    left: Cell<u64>,
    exceeded: Cell<Option<&'static str>>,
    stack: usize,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { left: Cell::new(limits::EVALUATION_STEPS), exceeded: Cell::new(None), stack: stack_position() }
    }

    /// What limit was reached, whatever the expression made of the error.
    pub(super) fn exceeded(&self) -> Option<&'static str> {
        self.exceeded.get()
    }

    fn refuse(&self, why: &'static str) -> Error {
        self.exceeded.set(Some(why));
        self.left.set(0);
        Error::str(why)
    }

    fn charge(&self, steps: u64) -> Result<(), Error> {
        if stack_position().abs_diff(self.stack) > limits::EVALUATION_STACK {
            return Err(self.refuse("the expression recurses too deep"));
        }
        match self.left.get().checked_sub(steps) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(self.refuse(self.exceeded.get().unwrap_or("the expression takes too many steps"))),
        }
    }

    /// Walks a value and charges for its size.
    fn fits(&self, value: &Val) -> Result<(), Error> {
        let mut nodes = 0_usize;
        if walk(value, 0, &mut nodes) {
            self.charge(1 + nodes as u64 / 16)
        } else {
            Err(self.refuse("a value in the expression grows too large"))
        }
    }
}

/// Roughly where the stack pointer is. Only differences are used.
fn stack_position() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

fn walk(value: &Val, depth: usize, nodes: &mut usize) -> bool {
    *nodes += 1;
    if *nodes > limits::EVALUATION_NODES || depth > limits::EVALUATION_DEPTH {
        return false;
    }
    match value {
        Val::Arr(items) => items.iter().all(|item| walk(item, depth + 1, nodes)),
        Val::Obj(members) => members.iter().all(|(_, member)| walk(member, depth + 1, nodes)),
        Val::TStr(bytes) | Val::BStr(bytes) => {
            *nodes += bytes.len() / 64;
            true
        }
        _ => true,
    }
}

fn size(value: &Val) -> usize {
    match value {
        Val::Arr(items) => items.len() * 16,
        Val::Obj(members) => members.len() * 32,
        Val::TStr(bytes) | Val::BStr(bytes) => bytes.len(),
        _ => 0,
    }
}

/// Charges for copying the larger and for growing by the smaller operand.
fn charge_growth(meter: &Meter, left: usize, right: usize) -> Result<(), Error> {
    if left.saturating_add(right) > limits::EVALUATION_TEXT.saturating_mul(2) {
        return Err(meter.refuse("a value in the expression grows too large"));
    }
    meter.charge(1 + (left.max(right) / 16_384 + left.min(right) / 256) as u64)
}

fn add(meter: &Meter, left: Val, right: Val) -> Result<Val, Error> {
    charge_growth(meter, size(&left), size(&right))?;
    left + right
}

fn multiply(meter: &Meter, left: Val, right: Val) -> Result<Val, Error> {
    let times = match (&left, &right) {
        (Val::TStr(text) | Val::BStr(text), Val::Num(number))
        | (Val::Num(number), Val::TStr(text) | Val::BStr(text)) => Some((text.len(), number.to_string())),
        _ => None,
    };
    if let Some((length, factor)) = times {
        let factor: f64 = factor.parse().unwrap_or(0.0);
        #[allow(clippy::cast_precision_loss, reason = "only compared with a limit far below 2^53")]
        if length as f64 * factor > limits::EVALUATION_TEXT as f64 {
            return Err(meter.refuse("a text in the expression grows too long"));
        }
        meter.charge(64 + length as u64 / 64)?;
    }
    charge_growth(meter, size(&left), size(&right))?;
    left * right
}

fn charge<'a>(context: &Ctx<'a, Jq>, steps: u64) -> Result<(), Exn<'a, Val>> {
    context.data().meter.charge(steps).map_err(Exn::from)
}

fn fits<'a>(context: &Ctx<'a, Jq>, value: &Val) -> Result<(), Exn<'a, Val>> {
    context.data().meter.fits(value).map_err(Exn::from)
}

/// jaq's natives without those that see the world, and the meters.
pub(super) fn natives() -> impl Iterator<Item = Fun<Jq>> {
    let theirs = jaq_core::funs::<Jq>().chain(jaq_std::funs::<Jq>()).chain(jaq_json::funs::<Jq>()).filter(
        |(name, arguments, _)| {
            let replaced = *name == "range" && arguments.len() == 3;
            !replaced && !super::FORBIDDEN.contains(name)
        },
    );
    theirs.chain(ours())
}

fn ours() -> Vec<Fun<Jq>> {
    let tick = Native::new(|cv| {
        let charged = charge(&cv.0, 1);
        box_once(charged.map(|()| cv.1))
    })
    .with_paths(|cv| {
        let charged = charge(&cv.0, 1);
        box_once(charged.map(|()| cv.1))
    })
    .with_update(|cv, update| match charge(&cv.0, 1) {
        Ok(()) => update(cv.1),
        Err(error) => box_once(Err(error)),
    });
    let fits = Native::new(|cv| {
        let fits = fits(&cv.0, &cv.1);
        box_once(fits.map(|()| cv.1))
    })
    .with_paths(|cv| {
        let fits = fits(&cv.0, &cv.1.0);
        box_once(fits.map(|()| cv.1))
    })
    .with_update(|cv, update| match fits(&cv.0, &cv.1) {
        Ok(()) => update(cv.1),
        Err(error) => box_once(Err(error)),
    });
    vec![
        (TICK, v(0), tick),
        (FITS, v(0), fits),
        run::<Jq>((ADD, v(2), |mut cv| {
            let (right, left) = (cv.0.pop_var(), cv.0.pop_var());
            box_once(add(cv.0.data().meter, left, right).map_err(Exn::from))
        })),
        run::<Jq>((MULTIPLY, v(2), |mut cv| {
            let (right, left) = (cv.0.pop_var(), cv.0.pop_var());
            box_once(multiply(cv.0.data().meter, left, right).map_err(Exn::from))
        })),
        run::<Jq>(("now", v(0), |cv| box_once(Ok(Val::from(cv.0.data().now))))),
        run::<Jq>(("range", v(3), |mut cv| {
            let by = cv.0.pop_var();
            let to = cv.0.pop_var();
            let from = cv.0.pop_var();
            Box::new(range(cv.0.data().meter, from, to, by))
        })),
    ]
}

/// As jaq's own, one step for every value.
fn range(meter: &Meter, from: Val, to: Val, by: Val) -> impl Iterator<Item = Result<Val, Exn<'_, Val>>> + '_ {
    let zero = Val::from(0_usize);
    let (rising, falling) = (by > zero, by < zero);
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let current = next.take()?;
        let within = if rising {
            current < to
        } else if falling {
            current > to
        } else {
            current != to
        };
        if !within {
            return None;
        }
        if let Err(error) = meter.charge(1) {
            return Some(Err(error.into()));
        }
        match current.clone() + by.clone() {
            Ok(following) => next = Some(following),
            Err(error) => return Some(Err(error.into())),
        }
        Some(Ok(current))
    })
}
