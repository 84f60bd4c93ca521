//! What a component is: the [`Spout`] and [`Bolt`] traits, what they emit through, what they are told,
//! and the registry of kinds. Nothing here runs a component.

mod buffers;
mod collector;
mod context;
mod error;
mod registry;
mod report;
mod traits;

pub use buffers::{CHILD_INPUT_BYTES, CHILD_OUTPUT_BYTES};
pub use collector::{
    Collector, Emission, EmitError, Emitter, MessageId, SpoutCollector, SpoutEmission,
    SpoutEmitter, Tasks,
};
pub use context::{Context, FieldSlots, Input, Output, StreamDecl, Subscriber};
pub use error::{ComponentError, FailKind, Recovery};
pub use registry::{
    BoltKind, BuildError, Component, Declaration, Declaring, InputDecl, Kind, OptionProblem,
    PathSegment, Registry, Role, SpoutKind, Subject,
};
pub use report::{Level, Report, Reporter};
pub use traits::{Acking, Activity, Bolt, Next, Progress, Replay, Spout, TellStacks};
