//! What both sessions hear alike: the greeting, and what a child says to people.

use super::super::message::{Hello, Message};
use super::desk::Desk;
use super::outbox::{BatchLimits, Outbox};
use super::settings::Settings;

/// Takes a child's answer to the handshake. False where it had come before.
pub(super) fn greet(
    hello: &Hello<'_>,
    greeted: &mut bool,
    settings: &Settings,
    outbox: &mut Outbox,
    desk: &mut Desk,
) -> bool {
    if std::mem::replace(greeted, true) {
        desk.complain("unknown_messages", "the child sent its pid again");
        return false;
    }
    desk.introduce(hello);
    if hello.batch && settings.offer_batch {
        outbox.use_batch(BatchLimits::OFFER);
    }
    true
}

/// Hands on what is for people; complains of anything else, which the session must have handled.
pub(super) fn pass_on(message: &Message<'_>, desk: &mut Desk, whose: &str) {
    match message {
        Message::Error { text } => desk.error(text),
        Message::Log { level, text } => desk.log(*level, text),
        Message::Metrics { name, params } => desk.metrics(name, params),
        Message::Unknown { text } | Message::Foreign { text } => {
            let text: String = text.chars().take(200).collect();
            desk.complain("unknown_messages", &format!("unknown message: {text}"));
        }
        _ => desk.complain("unknown_messages", whose),
    }
}
