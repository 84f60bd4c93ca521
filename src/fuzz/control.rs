//! Control messages: read on both sides, and acted upon by the supervisor's coordinator.

use std::sync::OnceLock;

use crate::base::{Incarnation, WorkerSlot, now};
use crate::control::{FromWorker, ToWorker};
use crate::supervisor::{Coordinator, Event};
use crate::topology::{Environment, Overrides, Plan, load};

/// Lines of a worker, as its supervisor takes them; then as a worker would.
///
/// # Panics
/// Where a message does not come back as it went, which is what is looked for.
pub fn control(data: &[u8]) {
    let mut now = now();
    let (mut coordinator, _) = Coordinator::new(plan().clone(), now);
    for (number, line) in data.split(|byte| *byte == b'\n').enumerate() {
        if let Ok(message) = serde_json::from_slice::<FromWorker>(line) {
            let text = serde_json::to_vec(&message).expect("a message is JSON");
            let again: FromWorker = serde_json::from_slice(&text).expect("it was one");
            assert_eq!(again, message);
            // Every second line comes of a worker that was replaced long ago, or is not there yet.
            let slot = WorkerSlot((number % 3) as u16);
            let incarnation = Incarnation((number % 2) as u32);
            now = now + std::time::Duration::from_millis(10);
            let _ = coordinator.handle(Event::Message(slot, incarnation, message), now, 0.5);
        }
        if let Ok(message) = serde_json::from_slice::<ToWorker>(line) {
            let text = serde_json::to_vec(&message).expect("a message is JSON");
            let again: ToWorker = serde_json::from_slice(&text).expect("it was one");
            assert_eq!(again, message);
        }
    }
    let _ = coordinator.totals();
}

fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| {
        let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/control.toml"));
        let registry = crate::builtin::registry();
        let checked = load(path, &Overrides::default(), &Environment::default(), &registry);
        checked.plan.expect("the topology of the fuzz target is right")
    })
}
