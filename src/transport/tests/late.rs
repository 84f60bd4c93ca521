//! Frames of a life that is past, which come when its successor is there.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use uuid::Uuid;

use crate::base::{BootId, Incarnation, Signal, TaskId, WorkerSlot};

use super::super::simulated::Node;
use super::super::{Inbound, Lane, PeerAddress, TransportOptions};

#[derive(Default)]
pub(super) struct Taken(pub(super) Mutex<Vec<Bytes>>);

impl Inbound for Taken {
    fn deliver(&self, _: WorkerSlot, _: TaskId, _: Lane, part: Bytes) {
        self.0.lock().unwrap().push(part);
    }
}

pub(super) fn address(slot: u16, incarnation: u32) -> PeerAddress {
    let boot = BootId(Uuid::from_u128(u128::from(slot) * 100 + u128::from(incarnation) + 1));
    let endpoint = "ipc:///nowhere".to_owned();
    PeerAddress { slot: WorkerSlot(slot), incarnation: Incarnation(incarnation), boot, endpoint }
}

pub(super) fn node(of: &PeerAddress) -> (Node, Arc<Taken>) {
    let folder = PathBuf::from("/nowhere");
    let options = TransportOptions::new(of.slot, of.boot, of.incarnation, folder);
    let taken = Arc::new(Taken::default());
    (Node::new(options, taken.clone(), |_| ()), taken)
}

#[test]
fn a_late_hello_of_a_life_that_is_past_does_not_stand_for_its_successor() {
    let (old, new, me) = (address(1, 0), address(1, 1), address(0, 0));
    let ((mut former, _), (mut successor, _), (mut receiver, taken)) =
        (node(&old), node(&new), node(&me));
    for sender in [&mut former, &mut successor] {
        assert!(sender.set_peer(me.clone()));
    }
    receiver.set_peer(new);
    let late = former.connect(me.slot).unwrap();
    let hello = successor.connect(me.slot).unwrap();
    let (answers, _) = receiver.take(2, hello);
    successor.answered(me.slot, &answers[0].1).unwrap();
    receiver.take(1, late);
    let outbound = successor.outbound(me.slot);
    outbound.try_send(TaskId(7), b"part".to_vec(), &Signal::new()).unwrap();
    let batch = successor.next(me.slot).unwrap();
    receiver.take(2, batch.parcel);
    assert_eq!(*taken.0.lock().unwrap(), [Bytes::from_static(b"part")]);
}
