// The reference components of the conformance suite, by their names. See ../README.md.
//
//   galewire conformance -- node "$(galewire sdk)/node/galewire/run.mjs" multilang/conformance/node/components.mjs:{component}

import { Bolt, Fail, Spout, batchBolt, bolt, meta, rawJson } from 'galewire';

export const split = bolt(function* ({ line }) {
  for (const word of line.split(/\s+/)) if (word !== '') yield [word];
});

// The bytes as they were sent, since a number of JavaScript would not keep all digits.
export const echo = bolt((tuple) => [rawJson(tuple.raw(0))]);

const verbs = {
  nothing() {},
  emit: (bolt, tuple, value) => bolt.emit([value]),
  other: (bolt, tuple, value) => bolt.emit([value], { stream: 'other' }),
  direct: (bolt, tuple, value) => bolt.emit([value], { stream: 'direct', task: value }),
  unanchored: (bolt, tuple, value) => bolt.emit([value], { anchors: [] }),
  ask: async (bolt, tuple, value) => bolt.emit([await bolt.emitAndWait([value])], { stream: 'other' }),
  fail(bolt, tuple, value) {
    throw new Fail(value);
  },
  log(bolt, tuple, value) {
    for (const level of ['trace', 'debug', 'info', 'warn', 'error']) bolt.log[level](value);
  },
  error: (bolt, tuple, value) => bolt.reportError(value),
  config: (bolt, tuple, value) => bolt.emit([bolt.config[value]]),
  where(bolt, tuple) {
    const { component, stream, task } = meta(tuple);
    bolt.emit([[bolt.context.component, bolt.context.task, component, stream, task]]);
  },
  raise(bolt, tuple, value) {
    throw new Error(value);
  },
  late(bolt, tuple, value) {
    bolt.emit([value]);
    throw new Error('after an emit');
  },
  touch: (bolt, tuple) => bolt.touch(tuple),
  print(bolt, tuple, value) {
    process.stdout.write(`${value}\n`);
  },
  count: (bolt, tuple, value) => bolt.counter('counted').add(value),
  gauge: (bolt, tuple, value) => bolt.gauge('gauged').set(value),
  observe: (bolt, tuple, value) => bolt.histogram('observed').add(value),
  wide: (bolt, tuple, value) => bolt.emit([value, value]),
  nowhere: (bolt, tuple, value) => bolt.emit([value], { stream: 'nowhere' }),
};

/** Does what each tuple says. Not an `async` function: tuples are handled one by one. */
export class act extends Bolt {
  process(tuple) {
    return verbs[tuple.verb](this, tuple, tuple.value);
  }
}

/** Acks and fails by hand. */
export class hold extends Bolt {
  static autoAck = false;

  held = [];

  process(tuple) {
    if (tuple.verb === 'hold') {
      this.held.push(tuple);
      return;
    }
    if (tuple.verb === 'release') {
      this.emit([tuple.value], { anchors: [...this.held, tuple] });
      for (const held of this.held.reverse()) held.ack();
    } else {
      for (const held of this.held) held.fail(tuple.value);
    }
    this.held = [];
    tuple.ack();
  }

  drain() {
    for (const held of this.held.splice(0)) held.ack();
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Has several tuples in hand at once. */
export class overlap extends Bolt {
  gates = new Map();
  inHand = 0;

  gate(name) {
    if (!this.gates.has(name)) {
      let open;
      const opened = new Promise((resolve) => (open = resolve));
      this.gates.set(name, { open, opened });
    }
    return this.gates.get(name);
  }

  async *process({ verb, value }) {
    if (verb === 'go') this.gate(value).open();
    else if (verb === 'wait') {
      await this.gate(value).opened;
      yield [value];
    } else if (verb === 'crowd') {
      this.inHand++;
      await pause(10);
      yield [this.inHand];
      await pause(10);
      this.inHand--;
    }
  }
}

export const gather = batchBolt({ size: 3, within: '1s' }, function* (batch) {
  for (const tuple of batch) if (tuple.value === 'bad') tuple.fail('a bad one');
  if (batch.some(({ value }) => value === 'raise')) throw new Error('the whole batch');
  yield [batch.length];
});

/** Says what happens to it. */
export class life extends Bolt {
  open() { this.log.info('opened'); }
  process({ value }) { this.emit([value]); }
  tick() { this.emit(['tick']); }
  end() { this.emit(['end']); }
  close() { this.log.info('closed'); }
}

/** Emits when a timer has run out. */
export class timer extends Bolt {
  process({ verb, value }) {
    if (verb === 'after') this.after('20ms', () => this.emit([value]));
    else if (verb === 'cancel') {
      this.after('20ms', () => this.emit([value])).cancel();
      this.after('60ms', () => this.emit(['not cancelled']));
    } else if (verb === 'every') {
      let left = value;
      const countDown = this.every('10ms', () => {
        this.emit([left]);
        if (--left === 0) countDown.cancel();
      });
    } else if (verb === 'raise') {
      this.after('20ms', () => {
        throw new Error(value);
      });
    }
  }
}

/** Gives one message for each of the ids in its config. */
export class messages extends Spout {
  at = 0;

  next() {
    const { ids, stream = 'default' } = this.config;
    if (this.at === ids.length) return this.exhausted();
    this.emit([this.at], { id: ids[this.at], stream });
    this.at++;
  }

  onAck(id) { this.log.info(`acked ${JSON.stringify(id)}`); }
  onFail(id) { this.log.info(`failed ${JSON.stringify(id)}`); }
  activate() { this.log.info('activated'); }
  deactivate() { this.log.info('deactivated'); }
}

/** Has nothing at its first call, a message at the second, fails at the third, and so on. */
export class stutter extends Spout {
  calls = 0;

  next() {
    this.calls++;
    if (this.calls % 3 === 2) this.emit([this.calls]);
    else if (this.calls % 3 === 0) throw new Error('no message');
  }
}
