//! What the engine says in a conversation: steps into messages, commands one after the other. Pure.

use super::case::{Framing, Say, Step};
use super::json::Json;
use super::rules::Asked;
use super::script::{Action, Script};
use super::wire;

impl Script<'_> {
    /// Says what a step says; false where it has to wait for answers first.
    pub(super) fn say(&mut self, say: &Say, step: &Step) -> bool {
        match say {
            Say::Close | Say::Terminate => {
                if !self.is_answered() {
                    return false;
                }
                self.closed = true;
                let close = matches!(say, Say::Close);
                self.actions.push(if close { Action::Close } else { Action::Terminate });
            }
            Say::Next(_) | Say::Ack(_) | Say::Fail(_) | Say::Activate | Say::Deactivate => {
                self.command(say);
            }
            _ => {
                let messages = self.messages(say, step);
                let frames = wire::frames(self.framing, messages);
                self.actions.extend(frames.into_iter().map(Action::Send));
            }
        }
        true
    }

    fn messages(&mut self, say: &Say, step: &Step) -> Vec<Json> {
        match say {
            Say::Tuples(rows) => self.tuples(rows, step),
            Say::Heartbeat => {
                let id = self.own_id();
                self.rules.gave_heartbeat(id.clone());
                vec![wire::heartbeat(&id)]
            }
            Say::Tick(seconds) => {
                let id = self.own_id();
                self.rules.gave_tick(id.clone());
                vec![wire::tick(&id, seconds.clone())]
            }
            Say::Drain(id) | Say::End(id) => {
                self.rules.gave_mark(id.clone());
                let word = if matches!(say, Say::Drain(_)) { "drain" } else { "end" };
                vec![wire::command(word, Json::string(id))]
            }
            Say::Message(message) => vec![self.variables.fill(message)],
            Say::Together(parts) => {
                parts.iter().flat_map(|part| self.messages(part, step)).collect()
            }
            _ => Vec::new(), // Commands to spouts and the end of the input are no part of a frame.
        }
    }

    fn tuples(&mut self, rows: &[Vec<Json>], step: &Step) -> Vec<Json> {
        let first = self.given + 1;
        let one = rows.iter().map(|row| self.variables.fill(&Json::List(row.clone())));
        let one: Vec<Json> = one.collect();
        let rows: Vec<Json> = one.iter().cycle().take(one.len() * step.times).cloned().collect();
        for _ in &rows {
            self.given += 1;
            let id = wire::tuple_id(self.framing, self.given);
            self.variables.set(&format!("$t{}", self.given), Json::string(&id));
            self.rules.gave(id);
        }
        let stream = step.stream.as_deref().unwrap_or("default");
        wire::tuples(self.framing, stream, first, &rows, &step.extra)
    }

    fn own_id(&mut self) -> String {
        self.own_ids += 1;
        format!("-{}", self.own_ids)
    }

    fn command(&mut self, say: &Say) {
        let storm = self.framing == Framing::Storm;
        let asked = |word| Some(Asked { word, most: None, told: false }).filter(|_| storm);
        let empty = || Json::string("");
        match say {
            Say::Next(count) if storm => {
                for left in (0..*count).rev() {
                    let asked = Asked { word: "next", most: None, told: left == 0 };
                    self.commands.push_back((wire::command("next", empty()), Some(asked)));
                }
            }
            Say::Next(count) => {
                let asked = Asked { word: "next", most: Some(*count), told: true };
                self.commands.push_back((wire::next(*count), Some(asked)));
            }
            Say::Ack(ids) | Say::Fail(ids) => {
                let word = if matches!(say, Say::Ack(_)) { "ack" } else { "fail" };
                let ids: Vec<Json> = ids.iter().map(|id| self.variables.fill(id)).collect();
                if storm {
                    let each = ids.into_iter().map(|id| (wire::command(word, id), asked(word)));
                    self.commands.extend(each);
                } else {
                    self.commands.push_back((wire::settled(word, ids), None));
                }
            }
            Say::Activate => {
                self.commands.push_back((wire::command("activate", empty()), asked("activate")));
            }
            Say::Deactivate => {
                self.commands
                    .push_back((wire::command("deactivate", empty()), asked("deactivate")));
            }
            _ => {}
        }
    }

    /// Commands go out one by one, as the engine's do: each when the one before it is answered.
    pub(super) fn send_commands(&mut self) {
        while self.rules.awaits().is_none() {
            let Some((message, asked)) = self.commands.pop_front() else { return };
            if let Some(asked) = asked {
                self.rules.asked(asked);
            }
            let frames = wire::frames(self.framing, vec![message]);
            self.actions.extend(frames.into_iter().map(Action::Send));
        }
    }

    /// Whether nothing is asked of a spout that it has not answered.
    pub(super) fn is_answered(&self) -> bool {
        self.commands.is_empty() && self.rules.awaits().is_none()
    }
}
