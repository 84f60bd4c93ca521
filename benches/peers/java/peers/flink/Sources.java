package peers.flink;

import java.util.concurrent.locks.LockSupport;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import peers.Sentences;

/** Endless sources that make their input in memory. */
final class Sources {
    private Sources() {
    }

    static SingleOutputStreamOperator<String> sentences(StreamExecutionEnvironment env) {
        return of(env, Sentences::at, Types.STRING);
    }

    static SingleOutputStreamOperator<String> constants(StreamExecutionEnvironment env) {
        return of(env, index -> "a constant of some letters", Types.STRING);
    }

    /** At a rate, the time of {@link System#nanoTime} at which each message is due. */
    static SingleOutputStreamOperator<Long> dueTimes(StreamExecutionEnvironment env, long rate) {
        return of(env, new DueTimes(rate), Types.LONG);
    }

    private static <T> SingleOutputStreamOperator<T> of(
            StreamExecutionEnvironment env, GeneratorFunction<Long, T> make, TypeInformation<T> type) {
        DataGeneratorSource<T> source = new DataGeneratorSource<>(make, Long.MAX_VALUE, type);
        return env.fromSource(source, WatermarkStrategy.noWatermarks(), "source");
    }

    /** Message i is due at start + i / rate, whatever happened to those before it. */
    private static final class DueTimes implements GeneratorFunction<Long, Long> {
        private final long rate;
        private transient long first;
        private transient long start;

        DueTimes(long rate) {
            this.rate = rate;
        }

        @Override
        public Long map(Long index) {
            if (start == 0) {
                start = System.nanoTime();
                first = index;
            }
            long due = start + (long) ((index - first) * 1e9 / rate);
            for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
                LockSupport.parkNanos(left);
            }
            return due;
        }
    }
}
