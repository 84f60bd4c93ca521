package peers.flink;

import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;
import peers.Tap;

/** The jobs. */
final class Jobs {
    private Jobs() {
    }

    /** Counts are in Flink's keyed state, on the heap. */
    static void wordCount(StreamExecutionEnvironment env) {
        Sources.sentences(env)
                .flatMap(new Split())
                .keyBy(word -> word)
                .process(new Count())
                .sinkTo(new DiscardingSink<>());
    }

    static void pass(StreamExecutionEnvironment env) {
        env.disableOperatorChaining();
        Sources.constants(env)
                .map(text -> text)
                .flatMap(new Null())
                .sinkTo(new DiscardingSink<>());
    }

    /** The slot sharing groups put source and sink into two processes where each has one slot. */
    static void latency(StreamExecutionEnvironment env, long rate) {
        Sources.dueTimes(env, rate)
                .slotSharingGroup("source")
                .flatMap(new Latency())
                .slotSharingGroup("sink")
                .sinkTo(new DiscardingSink<>());
    }

    private static final class Split implements FlatMapFunction<String, String> {
        @Override
        public void flatMap(String sentence, Collector<String> out) {
            int start = 0;
            for (int end = sentence.indexOf(' '); end >= 0; end = sentence.indexOf(' ', start)) {
                out.collect(sentence.substring(start, end));
                start = end + 1;
            }
            out.collect(sentence.substring(start));
        }
    }

    private static final class Count extends KeyedProcessFunction<String, String, Long> {
        private transient ValueState<Long> count;
        private transient Tap tap;

        @Override
        public void open(OpenContext context) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
            tap = new Tap();
        }

        @Override
        public void processElement(String word, Context context, Collector<Long> out) throws Exception {
            Long old = count.value();
            count.update(old == null ? 1 : old + 1);
            tap.add();
        }
    }

    private static final class Null extends RichFlatMapFunction<String, String> {
        private transient Tap tap;

        @Override
        public void open(OpenContext context) {
            tap = new Tap();
        }

        @Override
        public void flatMap(String text, Collector<String> out) {
            tap.add();
        }
    }

    private static final class Latency extends RichFlatMapFunction<Long, Long> {
        private transient Tap tap;

        @Override
        public void open(OpenContext context) {
            tap = new Tap();
        }

        @Override
        public void flatMap(Long due, Collector<Long> out) {
            tap.addDueAt(due);
        }
    }
}
