package peers.storm;

import java.util.HashMap;
import java.util.Map;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.ShellBolt;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.IRichBolt;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;
import peers.Tap;

/** The bolts of all topologies. Every one anchors what it emits and acks what it takes. */
final class Bolts {
    private Bolts() {
    }

    private abstract static class Acking extends BaseRichBolt {
        OutputCollector collector;

        abstract void handle(Tuple input);

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector out) {
            collector = out;
        }

        @Override
        public void execute(Tuple input) {
            handle(input);
            collector.ack(input);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(new Fields("value"));
        }
    }

    /** Tells the driver of what it takes. */
    private abstract static class Sink extends Acking {
        Tap tap;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector out) {
            super.prepare(conf, context, out);
            tap = new Tap();
        }
    }

    static final class Split extends Acking {
        @Override
        void handle(Tuple input) {
            for (String word : input.getString(0).split(" ")) {
                collector.emit(input, new Values(word));
            }
        }
    }

    static final class Identity extends Acking {
        @Override
        void handle(Tuple input) {
            collector.emit(input, new Values(input.getValue(0)));
        }
    }

    static final class WordCount extends Sink {
        private final Map<String, Long> counts = new HashMap<>();

        @Override
        void handle(Tuple input) {
            counts.merge(input.getString(0), 1L, Long::sum);
            tap.add();
        }
    }

    static final class Null extends Sink {
        @Override
        void handle(Tuple input) {
            tap.add();
        }
    }

    static final class Latency extends Sink {
        @Override
        void handle(Tuple input) {
            tap.addDueAt(input.getLong(0));
        }
    }

    /** Splits in a child process that speaks the multilang protocol. */
    static final class ShellSplit extends ShellBolt implements IRichBolt {
        ShellSplit(String... command) {
            super(command);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(new Fields("value"));
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return null;
        }
    }
}
