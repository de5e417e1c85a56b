//! The bounds of what is asked at once.

use hub::{Secret, TriggerActions};

use super::*;

fn trigger(id: u64) -> Trigger {
    Trigger {
        id,
        channel_id: 1,
        name: String::new(),
        active: true,
        actions: TriggerActions::default(),
        url: String::new(),
        secret: Secret::new([]),
    }
}

#[test]
fn a_trigger_that_hangs_fills_its_own_share_only() {
    let mut desk = Desk::default();
    for _ in 0..MAX_CALLS {
        assert!(desk.admit(&trigger(1), 1).is_some());
    }
    assert!(desk.admit(&trigger(1), 0).is_none(), "there are too many");
    assert!(desk.admit(&trigger(2), MAX_TRIGGER_BYTES).is_some());
    assert!(desk.admit(&trigger(2), 1).is_none(), "they are too large");
    assert!(desk.admit(&trigger(3), 1).is_some());
    desk.release(1, 1);
    assert!(desk.admit(&trigger(1), 1).is_some());
}

#[test]
fn all_triggers_together_have_a_bound_and_what_is_done_leaves_nothing_behind() {
    let mut desk = Desk::default();
    let shares = (MAX_BYTES / MAX_TRIGGER_BYTES) as u64;
    for id in 0..shares {
        assert!(desk.admit(&trigger(id), MAX_TRIGGER_BYTES).is_some());
    }
    assert!(desk.admit(&trigger(shares), 1).is_none());
    for id in 0..shares {
        desk.release(id, MAX_TRIGGER_BYTES);
    }
    assert_eq!(desk.bytes, 0);
    assert!(desk.loads.values().all(|load| load.calls == 0 && load.bytes == 0));
    assert!(!desk.loads.contains_key(&0));
}

#[test]
fn a_failure_is_told_once_until_it_works_again() {
    let mut desk = Desk::default();
    let mut ends = |failing: bool| {
        desk.admit(&trigger(1), 1).expect("there is room");
        let was_failing = desk.note(1, failing);
        desk.release(1, 1);
        was_failing
    };
    assert_eq!([true, true, false, false, true].map(&mut ends), [false, true, true, false, false]);
}
