package peers.storm;

import java.util.ArrayDeque;
import java.util.Map;
import java.util.Queue;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;
import peers.Sentences;

/** Makes tracked tuples of one field in memory and emits a failed one again. */
final class Source extends BaseRichSpout {
    /** What the tuples hold. */
    enum Kind { SENTENCES, CONSTANT, DUE_TIMES }

    private final Kind kind;
    /** With DUE_TIMES, tuples a second; one that is late is still due at its time. */
    private final long rate;
    private final Queue<Long> again = new ArrayDeque<>();
    private SpoutOutputCollector collector;
    private long start;
    private long next;

    Source(Kind kind, long rate) {
        this.kind = kind;
        this.rate = rate;
    }

    @Override
    public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector out) {
        collector = out;
    }

    @Override
    public void nextTuple() {
        if (start == 0) {
            start = System.nanoTime();
        }
        Long failed = again.poll();
        long number = failed == null ? next : failed;
        if (kind == Kind.DUE_TIMES && due(number) > System.nanoTime()) {
            return;
        }
        if (failed == null) {
            next++;
        }
        collector.emit(new Values(value(number)), number);
    }

    private Object value(long number) {
        return switch (kind) {
            case SENTENCES -> Sentences.at(number);
            case CONSTANT -> "a constant of some letters";
            case DUE_TIMES -> due(number);
        };
    }

    private long due(long number) {
        return start + (long) (number * 1e9 / rate);
    }

    @Override
    public void fail(Object id) {
        again.add((Long) id);
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer declarer) {
        declarer.declare(new Fields("value"));
    }
}
