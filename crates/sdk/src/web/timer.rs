//! The clock, and the one timer a client has.

use std::cell::Cell;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use wasm_bindgen::prelude::*;

use super::Core;

/// A timer that runs; dropping it clears it.
pub(super) struct Timer {
    due: u64,
    _timeout: Timeout,
}

impl Timer {
    /// Makes the core's timer ring at `due` at the latest. One that rings earlier stays: that does
    /// no harm, and a deadline that moves with every frame must not cost a timer each time.
    pub(super) fn set(core: &Rc<Core>, due: Option<u64>) {
        let mut timer = core.timer.borrow_mut();
        let Some(due) = due else {
            *timer = None;
            return;
        };
        if timer.as_ref().is_some_and(|timer| timer.due <= due) {
            return;
        }
        let delay = due.saturating_sub(now()).min(i32::MAX as u64) as u32;
        let owner = core.clone();
        // The clock is cut to whole milliseconds, so one more makes sure that it is time.
        let timeout = Timeout::new(delay + 1, move || Self::ring(&owner));
        *timer = Some(Self { due, _timeout: timeout });
    }

    fn ring(core: &Rc<Core>) {
        drop(core.timer.take());
        let random = js_sys::Math::random();
        core.report(|client, now| client.handle_timeout(now, random));
    }
}

/// Milliseconds on a clock that never goes back, and goes on while the device sleeps: the browser's
/// steady clock stops then in some systems, so what the wall clock has gained on it is added.
pub(super) fn now() -> u64 {
    at(performance_now(), js_sys::Date::now())
}

/// The same where both clocks were read already.
pub(super) fn at(steady: f64, wall: f64) -> u64 {
    let ahead = (wall - steady).max(AHEAD.get());
    AHEAD.set(ahead);
    (steady + ahead) as u64
}

thread_local! {
    /// How far the wall clock was ahead of the steady one at most.
    static AHEAD: Cell<f64> = const { Cell::new(0.0) };
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}
