// What the handshake says about this component, in a shape that is pleasant to read.
// Read once; never changes while the component runs.
'use strict';

class Topology {
  constructor(handshake) {
    const { conf = {}, context = {} } = handshake;
    /** The whole configuration, Storm's keys too. */
    this.conf = conf;
    /** The component's own configuration. */
    this.config = conf['galewire.config'] ?? conf;
    this.name = conf['topology.name'] ?? '';
    this.component = context.componentid ?? context['task->component']?.[context.taskid] ?? '';
    this.task = context.taskid ?? 0;
    /** Task id to component name, every task of the topology. */
    this.tasks = context['task->component'] ?? {};
    /** Stream to declared fields; null where the engine does not say. */
    this.outputs = context['stream->outputfields'] ?? null;
    /** Source component to stream to fields. */
    this.inputs = context['source->stream->fields'] ?? {};
    /** Source component to stream to grouping. */
    this.groupings = context['source->stream->grouping'] ?? {};
    /** Stream to target component to grouping. */
    this.targets = context['stream->target->grouping'] ?? {};
    /** The engine's context as it came. */
    this.raw = context;
  }

  /** Does any input of this component declare a field of this name? */
  knowsInput(field) {
    return Object.values(this.inputs).some((streams) =>
      Object.values(streams).some((fields) => fields.includes(field)),
    );
  }
}

module.exports = { Topology };
