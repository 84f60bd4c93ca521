//! Frames that vanish although their connection lives, with nothing behind them that would show it.

use crate::base::{Signal, TaskId};

use super::super::simulated::{Node, Parcel};
use super::late::{Taken, address, node};

const TASK: TaskId = TaskId(7);

struct Two {
    sender: Node,
    receiver: Node,
    taken: std::sync::Arc<Taken>,
}

impl Two {
    fn new() -> Self {
        let ((mut sender, _), (mut receiver, taken)) = (node(&address(1, 0)), node(&address(0, 0)));
        assert!(sender.set_peer(address(0, 0)));
        assert!(receiver.set_peer(address(1, 0)));
        Self { sender, receiver, taken }
    }

    /// The answer to a new connection's hello.
    fn connect(&mut self, connection: u64) -> Parcel {
        let hello = self.sender.connect(address(0, 0).slot).unwrap();
        self.receiver.take(connection, hello).0.remove(0).1
    }

    fn hear(&mut self, answer: &Parcel) -> Result<(), String> {
        self.sender.answered(address(0, 0).slot, answer)
    }

    fn offer(&self) {
        let outbound = self.sender.outbound(address(0, 0).slot);
        outbound.try_send(TASK, b"part".to_vec(), &Signal::new()).unwrap();
    }

    fn batch(&mut self) -> Option<Parcel> {
        self.sender.next(address(0, 0).slot).map(|batch| batch.parcel)
    }

    /// The answer to a ping.
    fn ping(&mut self, connection: u64) -> Parcel {
        let ping = self.sender.tick(address(0, 0).slot).unwrap().unwrap();
        self.receiver.take(connection, ping).0.remove(0).1
    }

    fn is_settled(&self) -> bool {
        self.sender.outbound(address(0, 0).slot).0.is_settled()
    }
}

#[test]
fn the_last_batch_is_missed_at_the_next_ping_and_sent_again() {
    let mut two = Two::new();
    let welcome = two.connect(1);
    two.hear(&welcome).unwrap();
    let calm = two.ping(1);
    two.hear(&calm).unwrap();
    two.offer();
    two.batch().expect("it is sent, and vanishes");
    assert!(two.batch().is_none(), "nothing comes behind it");
    let refusal = two.ping(1);
    assert_eq!(two.hear(&refusal), Err("the peer missed a batch".to_owned()));
    two.sender.disconnect(address(0, 0).slot);
    let welcome = two.connect(2);
    two.hear(&welcome).unwrap();
    let again = two.batch().expect("it is sent again");
    two.receiver.take(2, again);
    assert_eq!(two.taken.0.lock().unwrap().len(), 1);
    two.receiver.credit_door()(address(1, 0).slot, TASK, 4);
    let answer = two.ping(2);
    two.hear(&answer).unwrap();
    assert!(two.is_settled());
}

#[test]
fn credit_in_an_answer_that_vanished_is_told_again_at_the_next_ping() {
    let mut two = Two::new();
    let welcome = two.connect(1);
    two.hear(&welcome).unwrap();
    two.offer();
    let batch = two.batch().unwrap();
    two.receiver.take(1, batch);
    two.receiver.credit_door()(address(1, 0).slot, TASK, 4);
    let (vanished, _) = two.receiver.answer_all(true);
    assert_eq!(vanished.len(), 1);
    let answer = two.ping(1);
    two.hear(&answer).unwrap();
    assert!(two.is_settled());
}

#[test]
fn a_connection_whose_welcome_vanished_is_made_anew() {
    let mut two = Two::new();
    two.connect(1);
    two.offer();
    assert!(two.batch().is_none(), "nothing goes before the welcome");
    let answer = two.ping(1);
    assert_eq!(two.hear(&answer), Err("the peer's welcome did not come".to_owned()));
    two.sender.disconnect(address(0, 0).slot);
    let welcome = two.connect(2);
    two.hear(&welcome).unwrap();
    let batch = two.batch().unwrap();
    two.receiver.take(2, batch);
    assert_eq!(two.taken.0.lock().unwrap().len(), 1);
}
