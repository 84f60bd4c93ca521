//! A component's output streams by name. Pure.

use crate::base::StreamIdx;
use crate::component::Context;

/// The names, in the order of the stream indexes.
#[derive(Debug)]
pub(crate) struct Streams(Vec<String>);

impl Streams {
    /// The streams of a task.
    pub(crate) fn new(context: &Context) -> Self {
        Self(context.outputs.iter().map(|output| output.decl.name.clone()).collect())
    }

    /// The stream of that name; `None`, or no name, is the default stream.
    ///
    /// # Errors
    /// What is wrong, with the streams that there are.
    #[inline]
    pub(crate) fn find(&self, name: Option<&str>) -> Result<StreamIdx, String> {
        let name = name.filter(|name| !name.is_empty()).unwrap_or("default");
        match self.0.iter().position(|known| known == name) {
            Some(index) => Ok(StreamIdx(index as u16)),
            None if self.0.is_empty() => {
                Err(format!("stream \"{name}\" is not declared: the component has no `outputs`"))
            }
            None => {
                Err(format!("stream \"{name}\" is not declared (there is {})", self.0.join(", ")))
            }
        }
    }
}
